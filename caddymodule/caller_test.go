package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestACallerIsWhoTheyAreNow(t *testing.T) {
	start := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	before, after := &policy.Subject{ID: "before"}, &policy.Subject{ID: "after"}
	changed := &oauth.Access{Subject: after}
	for _, tt := range []struct {
		name   string
		stream bool
		later  time.Duration
		access *oauth.Access
		err    error
		want   *policy.Subject
	}{
		{"at once, without asking", false, 0, nil, errors.New("must not be asked"), before},
		{"a changed role", false, time.Second, changed, nil, after},
		{"a changed role on a stream", true, time.Second, changed, nil, after},
		{"a revoked grant", false, time.Second, nil, oauth.ErrInvalidToken, nil},
		{"a revoked grant on a stream", true, time.Second, nil, fmt.Errorf("%w: revoked", oauth.ErrInvalidToken), nil},
		{"an expired token in a call", false, time.Hour, changed, nil, after},
		{"an expired token in a call whose grant has ended", false, time.Hour, nil, oauth.ErrInvalidToken, nil},
		{"an expired token on a stream", true, time.Hour, nil, oauth.ErrInvalidToken, nil},
		{"a short outage", true, time.Second, nil, oauth.ErrUnavailable, before},
		{"a long outage", true, time.Minute, nil, fmt.Errorf("%w: store", oauth.ErrUnavailable), nil},
		{"a long outage in a call", false, time.Minute, nil, oauth.ErrUnavailable, nil},
		{"a long outage in a call whose token has expired", false, 2 * time.Hour, nil, oauth.ErrUnavailable, nil},
		{"an error of no known kind", false, time.Second, nil, errors.New("what"), nil},
	} {
		c := &liveCaller{
			oauth:       told{tt.access, tt.err, !tt.stream && tt.later >= time.Hour},
			now:         func() time.Time { return start.Add(tt.later) },
			ctx:         t.Context(),
			credentials: []string{"Bearer token"},
			stream:      tt.stream,
		}
		c.latest.Store(&reading{&oauth.Access{Subject: before, Expires: start.Add(time.Hour)}, start})
		if got := c.subject(); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A token from elsewhere that was revoked stands for nothing once it has expired, too, when nobody is asked about it any more.
func TestAttackACallerWhoseAccessHasEndedComesBack(t *testing.T) {
	start := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	now := start.Add(time.Second)
	c := &liveCaller{
		oauth: told{nil, oauth.ErrInvalidToken, false}, now: func() time.Time { return now }, ctx: t.Context(), credentials: []string{"Bearer token"},
	}
	access := &oauth.Access{Subject: &policy.Subject{ID: "before"}, Expires: start.Add(time.Hour)}
	c.latest.Store(&reading{access, start})
	if got := c.subject(); got != nil {
		t.Fatalf("revoked: %+v", got)
	}
	now, c.oauth = start.Add(time.Hour), told{access, nil, true}
	if got := c.subject(); got != nil {
		t.Errorf("expired after that: %+v", got)
	}
}

// told is an authenticator that says the same of every token.
type told struct {
	access  *oauth.Access
	err     error
	expired bool
}

func (t told) Authenticate(_ context.Context, r *http.Request, _ oauth.Resource) (*oauth.Access, error) {
	if r.Header.Get("Authorization") != "Bearer token" || t.expired {
		return nil, errors.New("asked about another token")
	}
	return t.access, t.err
}

func (t told) Standing(_ context.Context, access *oauth.Access) (*oauth.Access, error) {
	if access == nil || !t.expired {
		return nil, errors.New("asked about another token")
	}
	return t.access, t.err
}
