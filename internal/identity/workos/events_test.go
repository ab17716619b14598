package workos

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// roundTrip answers requests without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// listing makes a provider whose API answers everything in one way, and notes what it was asked.
func listing(t testing.TB, status int, header http.Header, body string, asked *url.URL) *Provider {
	p, err := New(Config{
		ClientID: "client_1", APIKey: "sk_1", Organizations: []string{"org_1"}, Now: func() time.Time { return webhookTime },
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			*asked = *r.URL
			return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEventsSayWhatWebhooksSay(t *testing.T) {
	at := webhookTime.Add(-time.Minute)
	const revoked = `{"id":"event_1","event":"session.revoked","data":{"id":"session_1","user_id":"user_1"},"created_at":"2026-07-28T11:59:00.000Z"}`
	over := []identity.Notice{{Over: true, Ended: identity.Ended{Session: "session_1", Person: "user_1"}, Reason: "session.revoked"}}
	message := func(id string, notices ...identity.Notice) identity.Message {
		return identity.Message{ID: id, At: at, Expires: webhookTime.Add(tolerance), Notices: notices}
	}
	for name, c := range map[string]struct {
		after string
		from  time.Time
		body  string
		want  []identity.Message
		more  bool
	}{
		"nothing":            {"event_0", at, `{"data":[],"list_metadata":{"after":null}}`, nil, false},
		"an event":           {"event_0", at, `{"data":[` + revoked + `],"list_metadata":{"after":null}}`, []identity.Message{message("event_1", over...)}, false},
		"a page of several":  {"event_0", at, `{"data":[` + revoked + `],"list_metadata":{"after":"event_1"}}`, []identity.Message{message("event_1", over...)}, true},
		"from a time on":     {"", at, `{"data":[` + revoked + `]}`, []identity.Message{message("event_1", over...)}, false},
		"from before a time": {"", at.Add(time.Second), `{"data":[` + revoked + `]}`, []identity.Message{message("event_1")}, false},
		"of another form": {
			"event_0", at, `{"data":[{"id":"event_2","event":"session.revoked","data":[],"created_at":"2026-07-28T11:59:00Z"},7,{"id":""},` + revoked + `]}`,
			[]identity.Message{message("event_2"), message("event_1", over...)}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked url.URL
			got, more, err := listing(t, http.StatusOK, nil, c.body, &asked).Since(t.Context(), c.after, c.from)
			if err != nil || more != c.more || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, %v", got, more, err)
			}
			q := asked.Query()
			if asked.Path != "/events" || !slices.Equal(q["events[]"], followed) || q.Get("order") != "asc" || q.Get("after") != c.after || (c.after == "") != q.Has("range_start") {
				t.Errorf("asked %s", asked.String())
			}
		})
	}
}

func TestEventsThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		after  time.Duration
	}{
		"not allowed":   {http.StatusForbidden, nil, `{"message":"no"}`, 0},
		"not there":     {http.StatusNotFound, nil, `{}`, 0},
		"too often":     {http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}}, `{}`, 7 * time.Second},
		"down":          {http.StatusBadGateway, nil, `<html>`, 0},
		"no document":   {http.StatusOK, nil, `<html>`, 0},
		"too much":      {http.StatusOK, nil, `{"data":["` + strings.Repeat("x", maxAnswer) + `"]}`, 0},
		"no such a one": {http.StatusNoContent, nil, ``, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, more, err := listing(t, c.status, c.header, c.body, new(url.URL)).Since(t.Context(), "", webhookTime)
			u, ok := errors.AsType[*identity.Unavailable](err)
			if got != nil || more || !ok || u.RetryAfter != c.after {
				t.Errorf("got %+v, %v, %v", got, more, err)
			}
		})
	}
}

// What is followed is what means something.
func TestEveryEventThatIsFollowedIsHeeded(t *testing.T) {
	for _, name := range followed {
		e := event{Event: name}
		e.Data.ID, e.Data.User, e.Data.Organization = "id", "user", "org"
		if len(e.notices()) == 0 {
			t.Errorf("%s means nothing", name)
		}
	}
}

func TestEventsAreReadMoreSeldomBesideWebhooks(t *testing.T) {
	without := listing(t, http.StatusOK, nil, "", new(url.URL))
	if with := hooked(t); without.FeedInterval() > 3*time.Second || with.FeedInterval() <= without.FeedInterval() {
		t.Errorf("every %v without webhooks, every %v with", without.FeedInterval(), with.FeedInterval())
	}
}

// FuzzEvents holds that no list of events does harm.
func FuzzEvents(f *testing.F) {
	f.Add(`{"data":[{"id":"event_1","event":"user.deleted","data":{"id":"user_1"},"created_at":"2026-07-28T11:59:00.000Z"}],"list_metadata":{"after":"event_1"}}`)
	f.Add(`{"data":[{"id":1,"data":[]},null,7]}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		messages, more, err := listing(t, http.StatusOK, nil, body, new(url.URL)).Since(t.Context(), "", time.Time{})
		if err != nil && (messages != nil || more) || more && len(messages) == 0 {
			t.Errorf("got %+v, %v, %v", messages, more, err)
		}
		for _, m := range messages {
			if m.ID == "" || len(m.ID) > maxEventID {
				t.Errorf("a message has the id %q", m.ID)
			}
		}
	})
}
