package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Access is what a good access token stands for, as it is now. It is read-only, and shared.
type Access struct {
	// GrantID, ClientID and ClientName name the grant and the agent that holds it.
	GrantID, ClientID, ClientName string
	// Person is who signed in; nil for a machine client. It comes without the identity provider's session.
	Person *identity.Person
	// Subject is the person or machine client as the policy sees it, with the roles of now.
	Subject *policy.Subject
	// Expires is when the access token does.
	Expires time.Time

	token *cachedToken // nil for a token from elsewhere, which has no grant here
}

// Errors of Authenticate. They may be wrapped with a reason that is meant for the log.
var (
	// ErrNoToken says that the request carried no bearer token at all.
	ErrNoToken = errors.New("oauth: no access token")
	// ErrInvalidToken says that a token was sent and is not good here, for whatever reason.
	ErrInvalidToken = errors.New("oauth: invalid access token")
	// ErrUnavailable says that it could not be found out whether the token is good.
	ErrUnavailable = errors.New("oauth: temporarily unavailable")
)

// machineGrant begins the grant id of a token that a static client got for itself. Such a token has no record: it is good as
// long as the configuration has the client.
const machineGrant = "client:"

// grantState is a grant as it was read at one moment. It does not change.
type grantState struct {
	at         time.Time
	err        error // why the grant is no good; nil if it is
	clientID   string
	clientName string
	resource   string
	person     *identity.Person
	subject    *policy.Subject
}

// Authenticate finds what the request's access token stands for at res. It is the hot path: a token that was seen before and
// whose grant was read in the last seconds costs neither a signature nor a look into the store. A revocation bites within
// five seconds, and at once on the node where it was made.
//
// A token from elsewhere is good where res.Accepts has its issuer.
//
// The errors are ErrNoToken, ErrInvalidToken and ErrUnavailable.
func (s *Server) Authenticate(ctx context.Context, r *http.Request, res Resource) (*Access, error) {
	token, err := bearerToken(r)
	if err != nil {
		return nil, err
	}
	if len(res.Accepts) > 0 && s.cache.token(token) == nil {
		if access, elsewhere, err := s.acceptForeign(ctx, r, token, res); elsewhere {
			return access, err
		}
	}
	t, err := s.known(ctx, token)
	if err != nil {
		return nil, err
	}
	if t.resource != res.URL && t.resource != canonical(res).URL {
		return nil, invalidToken("it is for another resource")
	}
	return s.access(ctx, t)
}

// known finds a token among those that were seen before, or admits it.
func (s *Server) known(ctx context.Context, token string) (*cachedToken, error) {
	if t := s.cache.token(token); t != nil {
		return t, nil
	}
	return s.admit(ctx, token)
}

// access is what a known token stands for now.
func (s *Server) access(ctx context.Context, t *cachedToken) (*Access, error) {
	if !s.now().Before(t.expires) {
		return nil, invalidToken("it has expired")
	}
	return s.standing(ctx, t)
}

// Standing finds what the token of an Access stands for now, as Authenticate does, but also if the token has expired since: the
// answer of a call that began in time is still given, though not to somebody whose grant has ended, and by the roles of now.
// A token from elsewhere has no grant here that could end: it goes on standing for what it did.
//
// The errors are ErrInvalidToken and ErrUnavailable.
func (s *Server) Standing(ctx context.Context, a *Access) (*Access, error) {
	if a.token == nil {
		return a, nil
	}
	return s.standing(ctx, a.token)
}

// standing is what a token stands for by its grant, which is read if it was not in the last seconds.
func (s *Server) standing(ctx context.Context, t *cachedToken) (_ *Access, err error) {
	now := s.now()
	st := t.grant.state.Load()
	if st == nil || now.Sub(st.at) >= grantStateReread {
		if t, st, err = s.reread(ctx, t, st, now); err != nil {
			return nil, err
		}
	}
	if st.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, st.err)
	}
	t.grant.use(now)
	if last := t.last.Load(); last != nil && last.state == st {
		return last.access, nil
	}
	if st.clientID != t.clientID || st.resource != "" && st.resource != t.resource {
		return nil, invalidToken("it does not fit its grant")
	}
	access := &Access{
		GrantID: t.grantID, ClientID: st.clientID, ClientName: st.clientName, Person: st.person, Subject: st.subject, Expires: t.expires,
		token: t,
	}
	t.last.Store(&cachedAccess{st, access})
	return access, nil
}

// bearerToken reads the token from the one place it may be in (OAuth 2.1 section 5.1.1).
func bearerToken(r *http.Request) (string, error) {
	headers := r.Header["Authorization"]
	if len(headers) == 0 {
		return "", ErrNoToken
	}
	if len(headers) > 1 {
		return "", invalidToken("there is more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoToken
	}
	if token = strings.Trim(token, " "); token == "" {
		return "", invalidToken("the Authorization header holds no token")
	}
	return token, nil
}

// admit checks a token that was not seen before, and remembers it if it is good.
func (s *Server) admit(ctx context.Context, token string) (*cachedToken, error) {
	if isPersonal(token) {
		t, err := s.admitPersonal(ctx, token)
		if err == nil {
			s.cache.put(t, s.now())
		}
		return t, err
	}
	claims, err := s.parseAccessToken(ctx, token)
	if err != nil {
		return nil, err
	}
	t := &cachedToken{
		token: strings.Clone(token), resource: claims.Audience, clientID: claims.ClientID, grantID: claims.Grant,
		expires: time.Unix(claims.Expires, 0), grant: s.cache.grant(claims.Grant),
	}
	s.cache.put(t, s.now())
	return t, nil
}

// reread returns the state of a token's grant, having read it if it is too old. If it is only getting old, it is read while
// the call goes on with what is there.
func (s *Server) reread(ctx context.Context, t *cachedToken, st *grantState, now time.Time) (*cachedToken, *grantState, error) {
	if place := s.cache.grant(t.grantID); place != t.grant {
		// The grant was pushed out of the cache, and the token has to follow it to its new place.
		moved := &cachedToken{
			token: t.token, resource: t.resource, clientID: t.clientID, grantID: t.grantID, expires: t.expires, grant: place,
		}
		s.cache.put(moved, now)
		t, st = moved, place.state.Load()
	}
	if st != nil && now.Sub(st.at) < grantStateReread {
		return t, st, nil
	}
	place := t.grant
	call := s.reads.start(t.grantID, func() (*grantState, error) {
		// Another call may have read it since this one looked.
		if st := place.state.Load(); st != nil && now.Sub(st.at) < grantStateReread {
			return st, nil
		}
		return s.readGrant(context.WithoutCancel(ctx), t.grantID, place)
	})
	if st != nil && now.Sub(st.at) < grantStateTTL {
		return t, st, nil
	}
	select {
	case <-call.done:
		if call.err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, call.err)
		}
		return t, call.value, nil
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// readTimeout bounds the reading of a grant, the identity provider's part of it included.
const readTimeout = 30 * time.Second

// readGrant reads a grant into its place in the cache. An error says that it could not be read; that it is no good any more
// is a state.
func (s *Server) readGrant(ctx context.Context, id string, place *cachedGrant) (*grantState, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	for tries := 1; ; tries++ {
		epoch := place.now()
		st, err := s.grantState(ctx, id)
		if err != nil {
			return nil, err
		}
		// Where it was changed while it was read, by reading the person's roles or by a revocation, it is read again. One that keeps
		// changing is used as it was just now, and not remembered.
		if place.keep(st, epoch) || tries == 3 {
			return st, nil
		}
	}
}

// grantState reads a grant and its person.
func (s *Server) grantState(ctx context.Context, id string) (*grantState, error) {
	st := &grantState{at: s.now()}
	if clientID, ok := strings.CutPrefix(id, machineGrant); ok {
		c := s.static[clientID]
		if c == nil || !c.may(grantClientCredentials) {
			st.err = errNoGrant
			return st, nil
		}
		st.clientID, st.clientName, st.subject = c.ID, c.Name, machineSubject(c)
		return st, nil
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	g, err := s.loadGrant(ctx, id)
	var p *identity.Person
	if err == nil {
		g, p, err = s.freshGrant(ctx, sealer, id, g)
	}
	if errors.Is(err, errNoGrant) {
		st.err = errNoGrant
		return st, nil
	}
	if err != nil {
		return nil, err
	}
	known := *p
	known.Session = nil
	st.clientID, st.clientName, st.resource, st.person, st.subject = g.Client, g.ClientName, g.Resource, &known, subject(&known)
	st.subject.Client, st.subject.Narrowing = policy.Client{ID: g.Client, Name: g.ClientName}, g.Narrowing
	if s.due(g, p, s.askAheadOf(id)) && !s.due(g, p, s.cfg.IdentityRefresh) {
		s.askAnew(ctx, id, g, p, false)
	}
	return st, nil
}
