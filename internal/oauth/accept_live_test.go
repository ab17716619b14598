package oauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

func TestOpaqueTokensAreAskedAboutForSeconds(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	a := e.accepted(true, nil)
	e.set(func() {
		e.opaque["good"] = map[string]any{"active": true, "sub": "user_1", "client_id": "agent", "aud": testResource, "roles": []string{"member"}}
		e.opaque["for others"] = map[string]any{"active": true, "sub": "user_1", "aud": testImages}
	})
	for range 50 {
		if access, err := f.callAt("good", testResource, a); err != nil || !slices.Equal(access.Subject.Roles, []string{"member"}) {
			t.Fatal(access, err)
		}
	}
	if n := e.questions(); n != 1 {
		t.Errorf("50 calls made %d questions", n)
	}
	for _, token := range []string{"for others", "unknown"} {
		if _, err := f.callAt(token, testResource, a); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s: %v", token, err)
		}
	}
	// A revocation bites within five seconds, also if the calls never pause.
	e.set(func() { e.opaque["good"] = nil })
	for range 5 {
		f.clock.advance(time.Second)
		_, _ = f.callAt("good", testResource, a)
		f.server.accepting.checks.wait()
	}
	if _, err := f.callAt("good", testResource, a); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("after five seconds: %v", err)
	}
	// While the issuer is down, nobody is told that the token is bad.
	e.set(func() {
		e.opaque["good"] = map[string]any{"active": true, "sub": "user_1", "aud": testResource}
		e.down = true
	})
	f.clock.advance(grantStateTTL)
	if _, err := f.callAt("good", testResource, a); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidToken) {
		t.Errorf("while it is down: %v", err)
	}
}

// Whoever makes up opaque tokens does not make us ask without end, and keeps nobody else out.
func TestMadeUpTokensAreAskedAboutNowAndThen(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	a := e.accepted(true, nil)
	e.set(func() { e.opaque["good"] = map[string]any{"active": true, "sub": "user_1", "aud": testResource} })
	for range 3 * uselessBurst {
		if _, err := f.callAt(randomText(8), testResource, a); err == nil {
			t.Fatal("a made-up token is good")
		}
	}
	if n := e.questions(); n != uselessBurst {
		t.Errorf("%d questions", n)
	}
	r := httptest.NewRequest(http.MethodPost, testResource, nil)
	r.RemoteAddr = "198.51.100.7:1"
	r.Header.Set("Authorization", "Bearer good")
	if _, err := f.server.Authenticate(t.Context(), r, Resource{URL: testResource, Accepts: []*Accepted{a}}); err != nil {
		t.Errorf("from another address: %v", err)
	}
	if _, err := f.callAt("good", testResource, a); err != nil {
		t.Errorf("a good one that is known: %v", err)
	}
	f.clock.advance(uselessEvery)
	if _, err := f.callAt(randomText(8), testResource, a); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("later: %v", err)
	}
}

// When an issuer ends the tokens of many at once, each of them ends in time, however many calls and streams still come with them.
func TestAttackRevokedTokensHideBehindEachOther(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	a := e.accepted(true, nil)
	var tokens []string
	for range 3 * uselessBurst {
		token := randomText(8)
		tokens = append(tokens, token)
		e.set(func() { e.opaque[token] = map[string]any{"active": true, "sub": "user_1", "aud": testResource} })
		if _, err := f.callAt(token, testResource, a); err != nil {
			t.Fatal(err)
		}
	}
	e.set(func() { clear(e.opaque) })
	for range 5 {
		f.clock.advance(time.Second)
		for _, token := range tokens {
			_, _ = f.callAt(token, testResource, a)
		}
		f.server.accepting.checks.wait()
	}
	asked := e.questions()
	for _, token := range tokens {
		if _, err := f.callAt(token, testResource, a); !errors.Is(err, ErrInvalidToken) {
			t.Fatalf("after five seconds: %v", err)
		}
	}
	if n := e.questions() - asked; n != 0 {
		t.Errorf("the issuer was asked %d times more", n)
	}
	// One that its issuer takes back what it said of comes in again.
	e.set(func() { e.opaque[tokens[0]] = map[string]any{"active": true, "sub": "user_1", "aud": testResource} })
	f.clock.advance(grantStateTTL)
	if _, err := f.callAt(tokens[0], testResource, a); err != nil {
		t.Errorf("a token that is good again: %v", err)
	}
}

// A signed token costs a signature every few minutes, and ends when it says.
func TestSignedTokensAreRemembered(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	a := e.accepted(false, nil)
	token := e.signed(map[string]any{"exp": f.clock.now().Add(time.Hour).Unix()})
	first, err := f.callAt(token, testResource, a)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := f.callAt(token, testResource, a); err != nil || again != first {
		t.Errorf("it was made anew: %v", err)
	}
	if n := testing.AllocsPerRun(100, func() { f.server.accepting.find(token, testResource) }); n != 0 {
		t.Errorf("finding it makes %v allocations", n)
	}
	// A key that is withdrawn ends its tokens once it is known.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	e.set(func() { e.key = key })
	f.clock.advance(31 * time.Minute)
	_, _ = f.callAt(token, testResource, a)
	f.clock.advance(acceptedTTL)
	eventuallyRefused := false
	for range 100 {
		f.clock.advance(acceptedTTL)
		if _, err := f.callAt(token, testResource, a); errors.Is(err, ErrInvalidToken) {
			eventuallyRefused = true
			break
		}
	}
	if !eventuallyRefused {
		t.Error("a token of a withdrawn key is good for ever")
	}
	short := e.signed(map[string]any{"exp": f.clock.now().Add(time.Minute).Unix()})
	if _, err := f.callAt(short, testResource, a); err != nil {
		// The new key is looked for at most every ten seconds.
		f.clock.advance(10 * time.Second)
		if _, err = f.callAt(short, testResource, a); err != nil {
			t.Fatal(err)
		}
	}
	f.clock.advance(time.Minute)
	if _, err := f.callAt(short, testResource, a); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("an expired one from the cache: %v", err)
	}
	if err := f.server.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := f.clock.now()
	for range 3 * cacheShards * tokensPerShard {
		known := &acceptedToken{token: randomText(8), resource: testResource, via: a}
		known.state.Store(&acceptedState{at: now, access: &Access{Expires: now.Add(time.Hour)}})
		f.server.accepting.put(known, now)
	}
	tokens := 0
	for i := range f.server.accepting.tokens.shards {
		tokens += len(f.server.accepting.tokens.shards[i].m)
	}
	if tokens > cacheShards*tokensPerShard {
		t.Errorf("%d tokens are remembered", tokens)
	}
}

// people is a directory.
type people struct {
	mu     sync.Mutex
	person *identity.Person
	err    error
	asked  []string
}

func (*people) Name() string  { return "workos" }
func (*people) Label() string { return "WorkOS" }

func (p *people) Lookup(_ context.Context, id, org string) (*identity.Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, id+" "+org)
	return p.person, p.err
}

func (p *people) set(person *identity.Person, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person, p.err = person, err
}

func TestRolesThatTokensDoNotCarryAreLookedUp(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	directory := &people{person: &identity.Person{
		Provider: "workos", ID: "user_1", Email: "alice@acme.example", Name: "Alice", Org: "org_1", Roles: []string{"member"}, Permissions: []string{"draw"},
	}}
	a := e.accepted(false, func(a *Accepted) { a.Directory, a.RoleClaims, a.OrgClaims = directory, nil, []string{"org_id"} })
	token := e.signed(map[string]any{"org_id": "org_1", "exp": f.clock.now().Add(24 * time.Hour).Unix()})
	call := func(want error, roles ...string) {
		t.Helper()
		access, err := f.callAt(token, testResource, a)
		if want != nil {
			if !errors.Is(err, want) {
				t.Errorf("got %+v, %v, want %v", access, err, want)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		s := access.Subject
		if s.Machine || s.Org != "org_1" || s.Email != "alice@acme.example" || !slices.Equal(s.Roles, roles) || !slices.Equal(s.Permissions, []string{"draw"}) ||
			s.ID != e.URL+"#user_1" || access.Person == nil {
			t.Errorf("got %+v", s)
		}
	}
	for range 10 {
		call(nil, "member")
	}
	// Another token of the same person asks nobody either.
	if _, err := f.callAt(e.signed(map[string]any{"org_id": "org_1", "jti": "2"}), testResource, a); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(directory.asked, []string{"user_1 org_1"}) {
		t.Errorf("asked %q", directory.asked)
	}
	// Roles are as live as those of our own grants.
	promoted := *directory.person
	promoted.Roles = []string{"admin"}
	directory.set(&promoted, nil)
	f.clock.advance(f.server.cfg.IdentityRefresh)
	call(nil, "admin")
	// An outage is ridden out, up to a point.
	directory.set(nil, &identity.Unavailable{})
	f.clock.advance(f.server.cfg.IdentityRefresh)
	call(nil, "admin")
	f.clock.advance(f.server.cfg.MaxStale)
	call(ErrUnavailable)
	// Who is no member any more is out, and back in once it is one.
	directory.set(nil, &identity.Denied{Reason: "no member"})
	f.clock.advance(time.Minute)
	call(ErrInvalidToken)
	directory.set(&promoted, nil)
	call(ErrInvalidToken) // it was asked just now
	f.clock.advance(deniedTTL)
	call(nil, "admin")
	// A machine is no member of anything: it needs a rule.
	if _, err := f.callAt(e.signed(map[string]any{"sub": "agent"}), testResource, e.accepted(false, func(a *Accepted) {
		a.Directory, a.Admit = directory, []Admission{{Claim: "client_id", Values: []string{"other"}}}
	})); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a machine: %v", err)
	}
}

// Roles that were looked up are no older than identity_refresh for whichever token of the person, however late in that time it was first
// seen; while the directory is down, it is left alone for a while.
func TestLookedUpRolesAreNoOlderThanTheyMayBe(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	alice := func(role string) *identity.Person {
		return &identity.Person{Provider: "workos", ID: "user_1", Org: "org_1", Roles: []string{role}}
	}
	directory := &people{person: alice("admin")}
	a := e.accepted(false, func(a *Accepted) { a.Directory, a.RoleClaims, a.OrgClaims = directory, nil, []string{"org_id"} })
	exp := f.clock.now().Add(24 * time.Hour).Unix()
	first, second := e.signed(map[string]any{"org_id": "org_1", "exp": exp}), e.signed(map[string]any{"org_id": "org_1", "exp": exp, "jti": "2"})
	call := func(token, role string) {
		t.Helper()
		access, err := f.callAt(token, testResource, a)
		if err != nil || !slices.Equal(access.Subject.Roles, []string{role}) {
			t.Errorf("got %+v, %v, want %s", access, err, role)
		}
	}
	refresh := f.server.cfg.IdentityRefresh
	call(first, "admin")
	directory.set(alice("member"), nil)
	f.clock.advance(refresh/5*4 - time.Second)
	call(second, "admin")
	f.clock.advance(refresh/5 + time.Second)
	call(second, "member")
	call(first, "member")

	directory.set(nil, &identity.Unavailable{})
	f.clock.advance(refresh)
	asked := len(directory.asked)
	for range 3 {
		call(first, "member")
		call(second, "member")
	}
	if n := len(directory.asked) - asked; n != 1 {
		t.Errorf("a directory that is down was asked %d times at once", n)
	}
	directory.set(alice("guest"), nil)
	f.clock.advance(askRetry)
	call(first, "guest")
	// Whoever calls all the time waits for nobody: what gets old is asked for ahead.
	directory.set(alice("member"), nil)
	f.clock.advance(refresh / 5 * 4)
	call(first, "guest")
	f.server.accepting.checks.wait()
	f.server.directory.calls.wait()
	directory.set(alice("member"), errors.New("nobody should have to ask"))
	f.clock.advance(refresh / 5)
	call(first, "member")
}

// halfway is a directory at which something happens between its answer and the moment that this gets here.
type halfway struct {
	*people
	meanwhile func()
}

func (h *halfway) Lookup(ctx context.Context, id, org string) (*identity.Person, error) {
	person, err := h.people.Lookup(ctx, id, org)
	if meanwhile := h.meanwhile; meanwhile != nil {
		h.meanwhile = nil
		meanwhile()
	}
	return person, err
}

// What a directory said before there was news of somebody does not count as newer than the news because it arrives later.
func TestAttackRolesLookedUpBeforeTheNews(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	alice := func(role string) *identity.Person {
		return &identity.Person{Provider: "workos", ID: "user_1", Org: "org_1", Roles: []string{role}}
	}
	directory := &halfway{people: &people{person: alice("admin")}}
	directory.meanwhile = func() {
		f.clock.advance(time.Second)
		directory.set(alice("member"), nil)
		if err := f.server.tell(t.Context(), newsEntry{At: f.clock.now().UTC(), Provider: "workos", Person: "user_1"}); err != nil {
			t.Error(err)
		}
	}
	a := e.accepted(false, func(a *Accepted) { a.Directory, a.RoleClaims, a.OrgClaims = directory, nil, []string{"org_id"} })
	token := e.signed(map[string]any{"org_id": "org_1", "exp": f.clock.now().Add(24 * time.Hour).Unix()})
	if _, err := f.callAt(token, testResource, a); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(time.Second)
	access, err := f.callAt(token, testResource, a)
	if err != nil || !slices.Equal(access.Subject.Roles, []string{"member"}) {
		t.Errorf("got %+v, %v", access, err)
	}
}

// Personal access tokens, refresh tokens and codes of ours are opaque, too, and nobody else's business.
func TestAttackOurSecretsShownToOtherIssuers(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	clientID := f.register(testRedirect)
	code := f.browser().login(authorizeQuery(clientID, testRedirect)).code(t, testRedirect)
	a := f.read(f.post("/token", redeem(clientID, code)))
	for name, secret := range map[string]string{
		"personal": personalPrefix + "made-up", "code": code, "refresh": a.Refresh, "behind a tab": "\t" + a.Refresh, "in quotes": `"` + a.Refresh + `"`,
	} {
		if _, err := f.callAt(secret, testResource, e.accepted(true, nil)); secret == "" || !errors.Is(err, ErrInvalidToken) {
			t.Errorf("%s %q: %v", name, secret, err)
		}
	}
	if n := e.questions(); n != 0 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// Roles that a rule gives to machines are not those of every person whom the directory knows.
func TestAttackRolesOfARuleForMachines(t *testing.T) {
	f := newFixture(t, nil)
	e := f.elsewhere()
	directory := &people{person: &identity.Person{Provider: "workos", ID: "user_1", Org: "org_1", Roles: []string{"member"}}}
	a := e.accepted(false, func(a *Accepted) {
		a.Directory, a.RoleClaims, a.OrgClaims, a.Roles = directory, nil, []string{"org_id"}, []string{"deployer"}
		a.Admit = []Admission{{Claim: "client_id", Values: []string{"ci"}}}
	})
	for name, tc := range map[string]struct {
		claims map[string]any
		roles  []string
	}{
		"a person":                     {nil, []string{"member"}},
		"the machine":                  {map[string]any{"sub": "ci", "client_id": "ci"}, []string{"deployer"}},
		"a person whom a rule lets in": {map[string]any{"client_id": "ci"}, []string{"deployer", "member"}},
	} {
		access, err := f.callAt(e.signed(tc.claims), testResource, a)
		if err != nil || !slices.Equal(access.Subject.Roles, tc.roles) {
			t.Errorf("%s: got %+v, %v", name, access, err)
		}
	}
}
