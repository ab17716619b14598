package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

const (
	// readingAge is how long what an access token stands for is taken to be the same within one request.
	readingAge = 100 * time.Millisecond

	// outagePatience is for how long within one request an earlier reading may stand in, while it can't be found out what
	// the token stands for now. How old a person's roles may get is not decided here: oauth rides out an identity provider's
	// outage itself, and says that it can't tell only when they are too old.
	outagePatience = 30 * time.Second
)

// liveCaller is who makes a request, for as long as that takes: with the roles of now.
type liveCaller struct {
	oauth       authenticator
	now         func() time.Time
	ctx         context.Context // the request's
	credentials []string        // those that the request came with
	from        string          // the address that it came from
	resource    oauth.Resource
	stream      bool
	first       reading
	latest      atomic.Pointer[reading]
	ended       atomic.Bool // found to stand for nothing any more, and for good
}

// authenticator finds out what the access token of a request stands for.
type authenticator interface {
	Authenticate(ctx context.Context, r *http.Request, resource oauth.Resource) (*oauth.Access, error)
	Standing(ctx context.Context, access *oauth.Access) (*oauth.Access, error)
}

// reading is what an access token stood for at one moment.
type reading struct {
	access *oauth.Access
	at     time.Time
}

// newLiveCaller begins with what the token stands for now.
func newLiveCaller(app *App, r *http.Request, resource oauth.Resource, access *oauth.Access) *liveCaller {
	c := &liveCaller{
		oauth:       app.oauth,
		now:         app.now,
		ctx:         r.Context(),
		credentials: r.Header["Authorization"],
		from:        asker(r, resource).RemoteAddr,
		resource:    resource,
		stream:      longLived(r),
		first:       reading{access, app.now()},
	}
	c.latest.Store(&c.first)
	return c
}

// authenticate finds out what the token stands for now. The guard takes the agent's credentials off the request before it
// is handed on; what is asked is about those that it came with. A client that goes away ends the request, not the reading
// of its grant, which others may wait for.
//
// A stream ends with its token: the client opens it anew with another. A call that began in time goes on, so that its answer
// isn't lost, for as long as its grant does.
func (c *liveCaller) authenticate(last *oauth.Access) (*oauth.Access, error) {
	ctx := context.WithoutCancel(c.ctx)
	if !c.stream && !c.now().Before(last.Expires) {
		return c.oauth.Standing(ctx, last)
	}
	came := (&http.Request{Header: http.Header{"Authorization": c.credentials}, RemoteAddr: c.from}).WithContext(ctx)
	return c.oauth.Authenticate(ctx, came, c.resource)
}

// subject returns what the guard asks for every message: the caller's rights as they are now, and nil once the grant has
// ended.
func (c *liveCaller) subject() *policy.Subject {
	if c.ended.Load() {
		return nil
	}
	last, now := c.latest.Load(), c.now()
	if now.Sub(last.at) < readingAge {
		return last.access.Subject
	}
	access, err := c.authenticate(last.access)
	switch {
	case err == nil:
		c.latest.Store(&reading{access, now})
		return access.Subject
	case errors.Is(err, oauth.ErrUnavailable) && now.Sub(last.at) < outagePatience:
		return last.access.Subject
	case errors.Is(err, oauth.ErrInvalidToken):
		c.ended.Store(true)
	}
	return nil
}
