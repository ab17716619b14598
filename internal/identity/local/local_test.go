package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// clock is a clock that goes when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func hash(t testing.TB, password string, cost int) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func provider(t testing.TB, users ...User) (*Provider, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	p, err := New("", users, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

func TestVerifyReturnsThePerson(t *testing.T) {
	p, _ := provider(t,
		User{Name: "alice", Hash: hash(t, "pa ss", 4), Email: "alice@acme.test", DisplayName: "Alice Jones", Roles: []string{"admin"}, Permissions: []string{"image_generation"}},
		User{Name: "bob", Hash: hash(t, "bobby", 5)},
	)
	got, err := p.Verify(t.Context(), "alice", "pa ss")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Session) == 0 {
		t.Error("no session")
	}
	got.Session = nil
	want := &identity.Person{
		Provider: "local", ID: "alice", Email: "alice@acme.test", Name: "Alice Jones",
		Roles: []string{"admin"}, Permissions: []string{"image_generation"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got, err = p.Verify(t.Context(), "bob", "bobby"); err != nil || got.Name != "bob" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	p, _ := provider(t, User{Name: "alice", Hash: hash(t, strings.Repeat("x", 72), 4)})
	for name, c := range map[string]struct{ user, password string }{
		"wrong password":           {"alice", "x"},
		"empty password":           {"alice", ""},
		"unknown user":             {"mallory", strings.Repeat("x", 72)},
		"another case":             {"Alice", strings.Repeat("x", 72)},
		"a space more":             {"alice ", strings.Repeat("x", 72)},
		"nobody":                   {"", strings.Repeat("x", 72)},
		"longer than bcrypt takes": {"alice", strings.Repeat("x", 73)},
		"a name without end":       {strings.Repeat("a", maxName+1), "x"},
		"a NUL":                    {"alice", "x\x00" + strings.Repeat("x", 70)},
	} {
		got, err := p.Verify(t.Context(), c.user, c.password)
		if got != nil || !errors.Is(err, identity.ErrCredentials) || errors.Is(err, identity.ErrRateLimited) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	if _, err := p.Verify(t.Context(), "alice", strings.Repeat("x", 73)); !strings.Contains(err.Error(), "72 bytes") {
		t.Errorf("a long password: %v", err)
	}
	if _, err := p.Verify(t.Context(), "alice", strings.Repeat("x", 72)); err != nil {
		t.Errorf("the right password: %v", err)
	}
}

func TestNewSaysWhatToWriteInstead(t *testing.T) {
	good := hash(t, "x", 4)
	for name, c := range map[string]struct {
		users []User
		want  string
	}{
		"nobody":               {nil, "at least one"},
		"a plain password":     {[]User{{Name: "alice", Hash: "secret"}}, "caddy hash-password"},
		"no password":          {[]User{{Name: "alice"}}, "caddy hash-password"},
		"argon2":               {[]User{{Name: "alice", Hash: "$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$aGFzaA"}}, "caddy hash-password"},
		"base64 of a hash":     {[]User{{Name: "alice", Hash: "JDJhJDE0JFp2"}}, "caddy hash-password"},
		"cut short":            {[]User{{Name: "alice", Hash: good[:59]}}, "caddy hash-password"},
		"something after it":   {[]User{{Name: "alice", Hash: good + "x"}}, "caddy hash-password"},
		"impossible cost":      {[]User{{Name: "alice", Hash: "$2a$99" + good[6:]}}, "damaged"},
		"cost of a minute":     {[]User{{Name: "alice", Hash: "$2a$20" + good[6:]}}, "at most 16"},
		"no name":              {[]User{{Hash: good}}, "a name has"},
		"a space after a name": {[]User{{Name: "alice ", Hash: good}}, "a name has"},
		"a line feed":          {[]User{{Name: "ali\nce", Hash: good}}, "a name has"},
		"twice":                {[]User{{Name: "alice", Hash: good}, {Name: "alice", Hash: good}}, "alice is written twice"},
		"all faults are told":  {[]User{{Name: "alice", Hash: "x"}, {Name: "bob", Hash: "secret"}}, "user bob"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New("", c.users, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want …%s", err, c.want)
			}
			for _, u := range c.users {
				if len(u.Hash) > 1 && strings.Contains(err.Error(), u.Hash) {
					t.Errorf("the hash, or worse, is in %v", err)
				}
			}
		})
	}
}

func TestGuessingIsLimitedForEachName(t *testing.T) {
	for _, name := range []string{"alice", "nobody"} {
		t.Run(name, func(t *testing.T) {
			p, c := provider(t, User{Name: "alice", Hash: hash(t, "right", 4)}, User{Name: "bob", Hash: hash(t, "bobby", 4)})
			for range nameBurst {
				if _, err := p.Verify(t.Context(), name, "wrong"); !errors.Is(err, identity.ErrCredentials) {
					t.Fatal(err)
				}
			}
			_, err := p.Verify(t.Context(), name, "right")
			var limited *identity.RateLimited
			if !errors.As(err, &limited) || limited.RetryAfter != nameEvery || !errors.Is(err, identity.ErrRateLimited) {
				t.Fatalf("got %v", err)
			}
			if _, err := p.Verify(t.Context(), "bob", "bobby"); err != nil {
				t.Errorf("another user: %v", err)
			}
			c.add(nameEvery)
			if _, err := p.Verify(t.Context(), name, "wrong"); !errors.Is(err, identity.ErrCredentials) {
				t.Errorf("after a while: %v", err)
			}
			if _, err := p.Verify(t.Context(), name, "wrong"); !errors.Is(err, identity.ErrRateLimited) {
				t.Errorf("and once more: %v", err)
			}
		})
	}
}

// Whoever fails under many names is held up, and nobody elsewhere is.
func TestGuessingIsLimitedForEachOrigin(t *testing.T) {
	p, c := provider(t, User{Name: "alice", Hash: hash(t, "right", 4)})
	p.compare = func(_, password []byte) error { // many attempts: without the work
		if string(password) != "right" {
			return bcrypt.ErrMismatchedHashAndPassword
		}
		return nil
	}
	for name, ctx := range map[string]context.Context{
		"an address": identity.WithOrigin(t.Context(), netip.MustParsePrefix("192.0.2.1/32")),
		"unknown":    t.Context(),
	} {
		for i := range originBurst {
			if _, err := p.Verify(ctx, fmt.Sprint("user of ", name, i), "wrong"); !errors.Is(err, identity.ErrCredentials) {
				t.Fatal(err)
			}
		}
		if _, err := p.Verify(ctx, "alice", "right"); !errors.Is(err, identity.ErrRateLimited) {
			t.Errorf("%s: %v", name, err)
		}
		elsewhere := identity.WithOrigin(t.Context(), netip.MustParsePrefix("2001:db8::/64"))
		if _, err := p.Verify(elsewhere, "alice", "right"); err != nil {
			t.Errorf("elsewhere: %v", err)
		}
		c.add(originEvery)
		if _, err := p.Verify(ctx, "alice", "right"); err != nil {
			t.Errorf("%s, after a moment: %v", name, err)
		}
	}
}

// Many places together are held up too, as one with many addresses would be.
func TestGuessingIsLimitedForEverybody(t *testing.T) {
	p, c := provider(t, User{Name: "alice", Hash: hash(t, "right", 4)})
	from := func(i int) context.Context {
		return identity.WithOrigin(t.Context(), netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32))
	}
	for i := range allBurst {
		if err := p.limits.take(fmt.Sprint("user", i), identity.Origin(from(i))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Verify(from(allBurst), "alice", "right"); !errors.Is(err, identity.ErrRateLimited) {
		t.Errorf("got %v", err)
	}
	c.add(allEvery)
	if _, err := p.Verify(from(allBurst), "alice", "right"); err != nil {
		t.Errorf("after a moment: %v", err)
	}
}

func TestGoodPasswordsAreNotCounted(t *testing.T) {
	p, _ := provider(t, User{Name: "alice", Hash: hash(t, "right", 4)})
	var wg sync.WaitGroup
	for range 3 * originBurst / maxWaiting {
		for range maxWaiting {
			wg.Go(func() {
				if _, err := p.Verify(context.Background(), "alice", "right"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

func TestTheTablesAreBounded(t *testing.T) {
	c := &clock{at: time.Unix(0, 0)}
	l := newLimits(c.now)
	from := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
	}
	for i := range 3 * maxBuckets {
		if err := l.take(fmt.Sprint(i), from(i)); err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
		c.add(allEvery)
		if len(l.names.m) > maxBuckets || len(l.origins.m) > maxBuckets {
			t.Fatalf("%d names and %d origins are kept", len(l.names.m), len(l.origins.m))
		}
	}
	l.all.every = 0
	for i := range maxBuckets {
		_ = l.take(fmt.Sprint("x", i), from(i))
	}
	if err := l.take("one too many", from(0)); !errors.Is(err, identity.ErrRateLimited) || len(l.names.m) > maxBuckets {
		t.Errorf("a full table of names: %v, %d names", err, len(l.names.m))
	}
	c.add(time.Hour)
	l = newLimits(c.now)
	l.all.every = 0
	for i := range maxBuckets {
		_ = l.take("bob", from(i))
		l.names = table[string]{every: nameEvery, burst: nameBurst, m: make(map[string]*bucket)}
	}
	if err := l.take("alice", from(maxBuckets)); !errors.Is(err, identity.ErrRateLimited) || len(l.origins.m) > maxBuckets {
		t.Errorf("a full table of origins: %v, %d origins", err, len(l.origins.m))
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	p, _ := provider(t, User{Name: "alice", Hash: hash(t, "right", 4)})
	for range cap(p.checking) {
		p.checking <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Verify(ctx, "alice", "right"); !errors.Is(err, identity.ErrRateLimited) {
		t.Errorf("gone while waiting: %v", err)
	}
	if len(p.waiting) != 0 {
		t.Error("a place is still taken")
	}
	for range maxWaiting {
		p.waiting <- struct{}{}
	}
	if _, err := p.Verify(t.Context(), "alice", "right"); !errors.Is(err, identity.ErrRateLimited) {
		t.Errorf("no place to wait: %v", err)
	}
}

func TestEveryNameCostsTheSame(t *testing.T) {
	p, _ := provider(t,
		User{Name: "cheap", Hash: hash(t, "right", 4)}, User{Name: "middling", Hash: hash(t, "right", 6)}, User{Name: "dear", Hash: hash(t, "right", 8)})
	work := 0
	p.compare = func(hash, password []byte) error {
		cost, err := bcrypt.Cost(hash)
		if err != nil {
			t.Error(err)
		}
		work += 1 << cost
		err = bcrypt.CompareHashAndPassword(hash, password)
		if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			t.Errorf("no work was done: %v", err)
		}
		return err
	}
	for _, name := range []string{"cheap", "middling", "dear", "nobody"} {
		for _, password := range []string{"wrong", "right"} {
			work = 0
			_, err := p.Verify(t.Context(), name, password)
			if want := name != "nobody" && password == "right"; (err == nil) != want {
				t.Errorf("%s with %s: %v", name, password, err)
			}
			if work != 1<<8 {
				t.Errorf("%s with %s: work of %d, want %d", name, password, work, 1<<8)
			}
		}
	}
}

func TestRefreshFollowsTheConfiguration(t *testing.T) {
	alice := User{Name: "alice", Hash: hash(t, "right", 4), Roles: []string{"admin"}}
	before, _ := provider(t, alice)
	person, err := before.Verify(t.Context(), "alice", "right")
	if err != nil {
		t.Fatal(err)
	}
	demoted := alice
	demoted.Roles = []string{"member"}
	after, _ := provider(t, demoted)
	if got, err := after.Refresh(t.Context(), person); err != nil || !reflect.DeepEqual(got.Roles, []string{"member"}) {
		t.Errorf("demoted: %+v, %v", got, err)
	}
	changed := alice
	changed.Hash = hash(t, "right", 4)
	after, _ = provider(t, changed)
	if got, err := after.Refresh(t.Context(), person); got != nil || !errors.Is(err, identity.ErrEnded) {
		t.Errorf("another password: %+v, %v", got, err)
	}
	after, _ = provider(t, User{Name: "bob", Hash: alice.Hash})
	if got, err := after.Refresh(t.Context(), person); got != nil || !errors.Is(err, identity.ErrEnded) {
		t.Errorf("gone: %+v, %v", got, err)
	}
}

// Whatever of a person the configuration says is noticed when it changes, and nothing else is, also of a person who was stored.
func TestOutdatedFollowsTheConfiguration(t *testing.T) {
	alice := User{Name: "alice", Hash: hash(t, "right", 4), Email: "alice@acme.test", Roles: []string{"admin"}, Permissions: []string{}}
	before, _ := provider(t, alice)
	person, err := before.Verify(t.Context(), "alice", "right")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(person)
	if err != nil {
		t.Fatal(err)
	}
	person = new(identity.Person)
	if err := json.Unmarshal(stored, person); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*User)
		want   bool
	}{
		"nothing":            {func(*User) {}, false},
		"removed":            {func(u *User) { u.Name = "bob" }, true},
		"another password":   {func(u *User) { u.Hash = hash(t, "right", 4) }, true},
		"demoted":            {func(u *User) { u.Roles = nil }, true},
		"promoted":           {func(u *User) { u.Roles = []string{"admin", "owner"} }, true},
		"another permission": {func(u *User) { u.Permissions = []string{"image_generation"} }, true},
		"another address":    {func(u *User) { u.Email = "alice@other.test" }, true},
		"another name":       {func(u *User) { u.DisplayName = "Alice Jones" }, true},
	} {
		changed := alice
		c.change(&changed)
		after, _ := provider(t, changed)
		if got := after.Outdated(person); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if c.want {
			continue
		}
		if fresh, err := after.Refresh(t.Context(), person); err != nil || after.Outdated(fresh) {
			t.Errorf("%s: refreshed to %+v, %v", name, fresh, err)
		}
	}
}

// People of two providers are not the same, though they have the same names.
func TestANamedProviderHasPeopleOfItsOwn(t *testing.T) {
	h := hash(t, "secret", 4)
	for name, want := range map[string]string{"": "local", "night-shift": "night-shift"} {
		p, err := New(name, []User{{Name: "bob", Hash: h}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		person, err := p.Verify(t.Context(), "bob", "secret")
		if err != nil || person.Provider != want || p.Name() != want || strings.Contains(p.Label(), "night") != (name != "") {
			t.Errorf("%s, labelled %s: %+v, %v", p.Name(), p.Label(), person, err)
		}
	}
	if _, err := New("Night shift", []User{{Name: "bob", Hash: h}}, nil); err == nil {
		t.Error("a name that can't be in an address is taken")
	}
}

func TestCheapHashesAreNamed(t *testing.T) {
	p, _ := provider(t, User{Name: "bob", Hash: hash(t, "b", 4)}, User{Name: "alice", Hash: hash(t, "a", 9)}, User{Name: "carol", Hash: hash(t, "c", 10)})
	if got := strings.Join(p.Cheap(), " "); got != "alice bob" {
		t.Errorf("cheap are %s", got)
	}
}
