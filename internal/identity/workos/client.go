package workos

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/workos/workos-go/v4/pkg/organizations"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	// callTimeout bounds one request to WorkOS, from dialling to the last byte.
	callTimeout = 10 * time.Second
	// maxAnswer bounds the body of one answer in bytes; the SDK itself reads whatever comes.
	maxAnswer = 1 << 20
	// pageSize and maxPages bound how many memberships of one person are read.
	pageSize = 100
	maxPages = 10
)

// newHTTPClient copies c, or makes a client, and takes from it what would be unsafe here.
func newHTTPClient(c *http.Client, now func() time.Time) *http.Client {
	var own http.Client
	if c != nil {
		own = *c
	}
	if own.Timeout == 0 {
		own.Timeout = callTimeout
	}
	next := own.Transport
	if next == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
		t.MaxIdleConnsPerHost = 8
		next = t
	}
	own.Transport = &transport{next: next, now: now}
	own.Jar = nil
	// A followed redirect would carry the API key to wherever an answer says.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// transport limits answers and notes what the SDK's errors leave out.
type transport struct {
	next http.RoundTripper
	now  func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if n, ok := req.Context().Value(noteKey{}).(*note); ok {
		n.retryAfter = identity.RetryAfter(resp.Header, t.now())
	}
	resp.Body = limitedBody{io.LimitReader(resp.Body, maxAnswer+1), resp.Body, new(int)}
	return resp, nil
}

// limitedBody fails when an answer is longer than maxAnswer, so that a cut answer is never taken for a whole one.
type limitedBody struct {
	io.Reader
	io.Closer
	read *int
}

// Read implements io.Reader.
func (b limitedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if *b.read += n; *b.read > maxAnswer {
		return n, fmt.Errorf("answer is longer than %d bytes", maxAnswer)
	}
	return n, err
}

// note carries what one call's answer said beside its body.
type note struct{ retryAfter time.Duration }

type noteKey struct{}

func withNote(ctx context.Context) (context.Context, *note) {
	n := new(note)
	return context.WithValue(ctx, noteKey{}, n), n
}

// memberships lists the organizations in which a person is an active member, oldest first; org narrows the list to
// one organization.
func (p *Provider) memberships(ctx context.Context, user, org string) ([]organization, error) {
	active, err := p.activeMemberships(ctx, user, org)
	if err != nil {
		return nil, err
	}
	var found []organization
	for _, m := range active {
		found = append(found, organization{id: m.Organization})
	}
	return found, nil
}

const (
	nameLife = 10 * time.Minute
	maxNames = 1024
)

// nameCache keeps names of organizations for a while: they are only shown.
type nameCache struct {
	mu    sync.Mutex
	names map[string]cachedName
}

type cachedName struct {
	name  string
	until time.Time
}

// organizationName returns the name of an organization, or nothing if WorkOS doesn't say: a sign-in doesn't fail for
// the want of a name.
func (p *Provider) organizationName(ctx context.Context, id string) string {
	now := p.now()
	p.names.mu.Lock()
	cached, ok := p.names.names[id]
	p.names.mu.Unlock()
	if ok && now.Before(cached.until) {
		return cached.name
	}
	callCtx, n := withNote(ctx)
	org, err := p.orgs.GetOrganization(callCtx, organizations.GetOrganizationOpts{Organization: id})
	if err != nil {
		p.failure("read the name of an organization", err, n).log()
		return cached.name
	}
	p.names.mu.Lock()
	defer p.names.mu.Unlock()
	if p.names.names == nil || len(p.names.names) >= maxNames {
		p.names.names = make(map[string]cachedName)
	}
	p.names.names[id] = cachedName{org.Name, now.Add(nameLife)}
	return org.Name
}
