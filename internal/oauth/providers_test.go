package oauth

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"sync"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// localProvider has alice with the password secret, and asks for no browser.
type localProvider struct {
	mu      sync.Mutex
	roles   []string
	failure error // of the next calls to Refresh
	rotated []byte
	calls   int
	gate    chan struct{} // Refresh waits for it, if it is there
	sent    [][]byte      // sessions that were shown
	origin  netip.Prefix  // of the last attempt to sign in
}

func newLocalProvider() *localProvider { return &localProvider{roles: []string{"admin"}} }

func (p *localProvider) Name() string  { return "local" }
func (p *localProvider) Label() string { return "Local users" }

func (p *localProvider) Verify(ctx context.Context, user, password string) (*identity.Person, error) {
	p.mu.Lock()
	p.origin = identity.Origin(ctx)
	p.mu.Unlock()
	switch {
	case user == "limited":
		return nil, &identity.RateLimited{}
	case user == "outsider":
		return nil, &identity.Denied{Reason: "You are in no organization that may use this."}
	case user == "down":
		return nil, &identity.Unavailable{Err: errors.New("connection refused")}
	case user != "alice" || password != "secret":
		return nil, identity.ErrCredentials
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return &identity.Person{
		Provider: "local", ID: "alice", Email: "alice@example.com", Name: "Alice", Org: "org_1", Roles: slices.Clone(p.roles), Session: []byte("session-0"),
	}, nil
}

func (p *localProvider) Refresh(_ context.Context, person *identity.Person) (*identity.Person, error) {
	p.mu.Lock()
	gate := p.gate
	p.calls++
	p.sent = append(p.sent, slices.Clone(person.Session))
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	next := *person
	if p.failure != nil {
		if p.rotated == nil {
			return nil, p.failure
		}
		next.Session = p.rotated
		return &next, p.failure
	}
	next.Roles, next.Session = slices.Clone(p.roles), append(slices.Clone(person.Session), '+')
	return &next, nil
}

// set changes what the provider will say.
func (p *localProvider) set(failure error, roles ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = failure
	if roles != nil {
		p.roles = roles
	}
}

// asked is how often Refresh was called.
func (p *localProvider) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// hostedProvider signs people in elsewhere; its codes are the names of people.
type hostedProvider struct {
	name, callback    string
	started, finished int
	busy              bool // Choose does not work
}

func newHostedProvider() *hostedProvider {
	return &hostedProvider{name: "hosted", callback: "/callback"}
}

func (p *hostedProvider) Name() string  { return p.name }
func (p *hostedProvider) Label() string { return "Hosted" }

func (p *hostedProvider) Start(_ context.Context, in identity.Start) (string, []byte, error) {
	p.started++
	q := url.Values{"state": {in.State}, "redirect_uri": {in.RedirectURI}, "login_hint": {in.LoginHint}}
	if in.Anew {
		q.Set("max_age", "0")
	}
	return "https://idp.example/authorize?" + q.Encode(), []byte("verifier of " + in.State), nil
}

func (p *hostedProvider) Finish(_ context.Context, in identity.Finish) (*identity.Person, error) {
	p.finished++
	if string(in.Secret) != "verifier of "+in.Query.Get("state") || in.RedirectURI != testIssuer+p.callback {
		return nil, identity.ErrCallback
	}
	switch code := in.Query.Get("code"); code {
	case "several":
		return nil, &identity.Choice{Options: []identity.Option{{ID: "org_1", Name: "Acme"}, {ID: "org_2"}}, Pending: []byte("pending")}
	case "":
		return nil, identity.ErrCallback
	case "outsider":
		return nil, &identity.Denied{Reason: "You are in no organization that may use this."}
	case "down":
		return nil, &identity.Unavailable{Err: errors.New("connection refused")}
	default:
		return &identity.Person{Provider: p.name, ID: code, Email: code + "@example.com", Roles: []string{"member"}}, nil
	}
}

func (p *hostedProvider) Choose(_ context.Context, pending []byte, id string) (*identity.Person, error) {
	if string(pending) != "pending" || id != "org_1" && id != "org_2" {
		return nil, identity.ErrCallback
	}
	if p.busy {
		return nil, &identity.Unavailable{}
	}
	return &identity.Person{Provider: p.name, ID: "dave", Org: id, OrgName: "Organization " + id, Roles: []string{"member"}}, nil
}
