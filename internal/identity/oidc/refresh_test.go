package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// signedIn is alice, who has just signed in.
func (w *world) signedIn(p *Provider) *identity.Person {
	w.t.Helper()
	person, err := w.signIn(p, alice())
	if err != nil {
		w.t.Fatal(err)
	}
	return person
}

// shown is the refresh token that the provider was sent last.
func (w *world) shown() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.forms[len(w.forms)-1].Get("refresh_token")
}

func TestARefreshReadsTheRightsAnew(t *testing.T) {
	w := newWorld(t)
	p := w.provider(nil)
	person := w.signedIn(p)
	w.set(func() {
		w.claims = alice("realm_access", map[string]any{"roles": "member"}, "groups", []string{"staff", "night"})
		w.refresh = "refresh-2"
	})
	before := *person
	next, err := p.Refresh(t.Context(), person)
	if err != nil || !slices.Equal(next.Roles, []string{"member"}) || !slices.Equal(next.Groups, []string{"staff", "night"}) || next.SessionID != "s1" || w.shown() != "refresh-1" {
		t.Fatalf("%+v, %v", next, err)
	}
	if !slices.Equal(person.Roles, before.Roles) || string(person.Session) != string(before.Session) {
		t.Error("the person was changed")
	}
	// A provider that gives no new token means the old one to go on.
	w.set(func() { w.refresh = "" })
	for range 2 {
		if next, err = p.Refresh(t.Context(), next); err != nil || w.shown() != "refresh-2" {
			t.Fatalf("showed %s: %v", w.shown(), err)
		}
	}
	if p.Outdated(next) {
		t.Error("what was just read is outdated")
	}
}

// Without an ID token, userinfo says who the person is now; what had come in the last ID token alone stays.
func TestARefreshWithoutAnIDToken(t *testing.T) {
	w := newWorld(t)
	p := w.provider(nil)
	w.set(func() { w.userinfo = alice("realm_access", nil) })
	claims := alice()
	delete(claims, "email")
	delete(claims, "email_verified")
	delete(claims, "groups")
	person, err := w.signIn(p, claims)
	if err != nil || !slices.Equal(person.Groups, []string{"staff"}) {
		t.Fatalf("%+v, %v", person, err)
	}
	w.set(func() {
		w.claims = nil
		w.userinfo = map[string]any{"sub": "alice", "email": "new@example.com", "email_verified": true}
	})
	next, err := p.Refresh(t.Context(), person)
	if err != nil || !slices.Equal(next.Roles, []string{"admin", "member"}) || next.Groups != nil || next.Email != "new@example.com" || next.Name != "Alice" {
		t.Errorf("%+v, %v", next, err)
	}
	w.set(func() { w.userinfo["sub"] = "mallory" })
	if kept, err := p.Refresh(t.Context(), next); !errors.Is(err, identity.ErrUnavailable) || kept == nil || kept.Email != "new@example.com" {
		t.Errorf("userinfo of somebody else: %+v, %v", kept, err)
	}
	w.set(func() { delete(w.metadata, "userinfo_endpoint"); w.now = w.now.Add(time.Hour) })
	if same, err := w.provider(nil).Refresh(t.Context(), next); err != nil || same.Email != "new@example.com" || same.Roles == nil {
		t.Errorf("without userinfo: %+v, %v", same, err)
	}
}

// What ends a session, what does not, and that a new refresh token is never lost.
func TestRefreshesThatFail(t *testing.T) {
	answered := func(status int, body string, header ...string) func(w *world) {
		return func(w *world) {
			w.answer = func(rw http.ResponseWriter, _ *http.Request) bool {
				for i := 0; i+1 < len(header); i += 2 {
					rw.Header().Set(header[i], header[i+1])
				}
				jsonAnswer(rw, status, body)
				return true
			}
		}
	}
	for name, c := range map[string]struct {
		change func(w *world)
		want   error
		kept   bool // whether a person comes back, with the new token
		asked  int
		after  time.Duration
	}{
		"the session has ended":         {answered(400, `{"error":"invalid_grant"}`), identity.ErrEnded, false, 1, 0},
		"the person is needed":          {answered(400, `{"error":"interaction_required"}`), identity.ErrEnded, false, 1, 0},
		"our secret is wrong":           {answered(401, `{"error":"invalid_client"}`), identity.ErrUnavailable, false, 1, 0},
		"invalid_grant of a broken hub": {answered(502, `{"error":"invalid_grant"}`), identity.ErrUnavailable, false, 2, 0},
		"down":                          {answered(503, ``, "Retry-After", "30"), identity.ErrUnavailable, false, 1, 30 * time.Second},
		"too much is asked":             {answered(429, ``, "Retry-After", "9"), identity.ErrUnavailable, false, 1, 9 * time.Second},
		"broken":                        {answered(500, `oops`), identity.ErrUnavailable, false, 2, 0},
		"no sense":                      {answered(200, `{}`), identity.ErrUnavailable, false, 2, 0},
		"somebody else's ID token":      {func(w *world) { w.claims = alice("sub", "mallory") }, identity.ErrUnavailable, true, 1, 0},
		"another sign-in's ID token":    {func(w *world) { w.claims = alice("nonce", "other") }, identity.ErrUnavailable, true, 1, 0},
		"another client's ID token":     {func(w *world) { w.claims = alice("aud", "other") }, identity.ErrUnavailable, true, 1, 0},
		"an expired ID token":           {func(w *world) { w.claims = alice("exp", 1) }, identity.ErrUnavailable, true, 1, 0},
		"userinfo is down":              {func(w *world) { w.claims = nil; w.metadata["userinfo_endpoint"] = w.URL + "/none" }, identity.ErrUnavailable, true, 1, 0},
		"more claims than can be kept": {func(w *world) {
			w.claims = alice("realm_access", map[string]any{"roles": strings.Repeat("x", maxClaims)})
		}, identity.ErrUnavailable, true, 1, 0},
		"no longer let in": {func(w *world) { w.claims = alice("groups", []string{"other"}) }, identity.ErrDenied, false, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			strict := func(cfg *Config) { cfg.Allow = []Admission{{Groups: []string{"staff"}}} }
			person := w.signedIn(w.provider(strict))
			w.set(func() { w.refresh, w.forms = "refresh-2", nil; w.now = w.now.Add(time.Hour); c.change(w) })
			p := w.provider(strict)
			p.wait = func(context.Context, time.Duration) bool { return true }
			next, err := p.Refresh(t.Context(), person)
			if !errors.Is(err, c.want) || (next != nil) != c.kept || len(w.forms) != c.asked {
				t.Fatalf("%+v, %v, asked %d times", next, err, len(w.forms))
			}
			if u, _ := errors.AsType[*identity.Unavailable](err); u != nil && u.RetryAfter != c.after {
				t.Errorf("come back after %v", u.RetryAfter)
			}
			if next == nil {
				return
			}
			if !slices.Equal(next.Roles, person.Roles) {
				t.Errorf("the roles are %v", next.Roles)
			}
			w.set(func() { w.claims = alice(); w.answer = nil })
			if _, err := p.Refresh(t.Context(), next); w.shown() != "refresh-2" {
				t.Errorf("the new token is lost: %s was shown, %v", w.shown(), err)
			}
		})
	}
}

// An answer that was lost on its way is asked for once more.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	p := w.provider(nil)
	p.wait = func(context.Context, time.Duration) bool { return true }
	person := w.signedIn(p)
	lost := 0
	w.set(func() {
		w.answer = func(rw http.ResponseWriter, _ *http.Request) bool {
			if lost++; lost > 1 {
				return false
			}
			panic(http.ErrAbortHandler)
		}
	})
	if _, err := p.Refresh(t.Context(), person); err != nil || lost != 2 {
		t.Errorf("%v after %d", err, lost)
	}
}

// Where nobody can be asked, a sign-in counts as long as the operator says, and not for ever.
func TestWithoutARefreshTokenASignInEnds(t *testing.T) {
	w := newWorld(t)
	w.refresh = ""
	p := w.provider(func(c *Config) { c.SessionTTL = time.Hour })
	person := w.signedIn(p)
	asked := w.count("/token")
	for range 3 {
		w.set(func() { w.now = w.now.Add(15 * time.Minute) })
		next, err := p.Refresh(t.Context(), person)
		if err != nil || !slices.Equal(next.Roles, person.Roles) {
			t.Fatalf("%+v, %v", next, err)
		}
		person = next
	}
	w.set(func() { w.now = w.now.Add(15 * time.Minute) })
	if _, err := p.Refresh(t.Context(), person); !errors.Is(err, identity.ErrEnded) || w.count("/token") != asked {
		t.Error(err)
	}
}

// What the operator changes is felt at once, and without asking the provider.
func TestTheConfigurationIsFeltAtOnce(t *testing.T) {
	w := newWorld(t)
	person := w.signedIn(w.provider(nil))
	asked := w.count("/token")
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
		role   string
	}{
		"roles elsewhere":   {func(c *Config) { c.RoleClaims = []string{"groups"} }, nil, "staff"},
		"nobody let in":     {func(c *Config) { c.Allow = []Admission{{Domains: []string{"other.example"}}} }, identity.ErrDenied, ""},
		"another client":    {func(c *Config) { c.ClientID = "other" }, identity.ErrEnded, ""},
		"another issuer":    {func(c *Config) { c.Issuer = "https://other.example.com" }, identity.ErrEnded, ""},
		"without the group": {func(c *Config) { c.Allow = []Admission{{Groups: []string{"night"}}} }, identity.ErrDenied, ""},
	} {
		p := w.provider(c.change)
		if !p.Outdated(person) {
			t.Errorf("%s: not outdated", name)
		}
		next, err := p.Refresh(t.Context(), person)
		if !errors.Is(err, c.want) || err == nil && (!slices.Equal(next.Roles, []string{c.role}) || p.Outdated(next)) {
			t.Errorf("%s: %+v, %v", name, next, err)
		}
	}
	if w.count("/token") != asked {
		t.Error("the provider was asked")
	}
	if same := w.provider(func(c *Config) { c.Allow = []Admission{{Domains: []string{"example.com"}}} }); same.Outdated(person) {
		t.Error("a rule that lets in the same makes a person outdated")
	}
	if _, err := w.provider(nil).Refresh(t.Context(), &identity.Person{ID: "alice", Session: []byte("{")}); !errors.Is(err, identity.ErrEnded) {
		t.Errorf("a session that can't be read: %v", err)
	}
}
