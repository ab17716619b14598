// Package local signs in people who are written in the configuration, with bcrypt-hashed passwords.
//
// Guessing is made slow in three ways: bcrypt itself, limits on failed attempts for each name, for each place they come
// from, and for everybody together, and a bound on how many passwords are checked at once. A name nobody has costs as much work, and runs into
// the same limits, as one somebody has, so that names can't be found out.
package local

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	// DefaultName is the name of a provider that was given none.
	DefaultName = "local"
	// MaxPassword is the longest password in bytes: bcrypt would ignore what follows, so more is refused.
	MaxPassword = 72
	// maxName bounds a user name in bytes.
	maxName = 256
	// maxCost is the highest bcrypt cost accepted; each step doubles the time, and this one is some seconds.
	maxCost = 16
	// lowCost is the lowest bcrypt cost that is worth its while: whoever gets hold of a cheaper hash tries millions of passwords a day.
	lowCost = 10
	// maxWaiting bounds how many attempts wait for one of those that are being checked.
	maxWaiting = 64
)

// User is one person of the configuration.
type User struct {
	// Name is what the person types; compared exactly. It is also the person's identifier: somebody else under the same
	// name takes over what was granted.
	Name string
	// Hash is a bcrypt hash, as `caddy hash-password` prints it.
	Hash string
	// Email and DisplayName are optional.
	Email, DisplayName string
	Roles, Permissions []string
}

// Provider implements identity.Verifier and identity.Configured. It is safe for concurrent use.
type Provider struct {
	name  string
	users map[string]*account
	// cost is the work of every attempt: that of the most expensive hash.
	cost   int
	limits *limits
	// checking holds a token for each password that is being checked, waiting for each that is or waits to be.
	checking, waiting chan struct{}
	// compare is bcrypt.CompareHashAndPassword.
	compare func(hash, password []byte) error
}

type account struct {
	User
	cost int
}

var (
	_ identity.Verifier   = (*Provider)(nil)
	_ identity.Configured = (*Provider)(nil)
)

// hashForm is a whole bcrypt hash: version, cost, 22 characters of salt and 31 of digest.
var hashForm = regexp.MustCompile(`^\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}$`)

// New checks the users. name tells the provider from others, and is "local" if empty. now is the clock of the limits; nil means time.Now. An error says what to write instead and holds
// neither hash nor password.
func New(name string, users []User, now func() time.Time) (*Provider, error) {
	if name == "" {
		name = DefaultName
	}
	if now == nil {
		now = time.Now
	}
	p := &Provider{
		name:     name,
		users:    make(map[string]*account, len(users)),
		limits:   newLimits(now),
		checking: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		waiting:  make(chan struct{}, maxWaiting),
		compare:  bcrypt.CompareHashAndPassword,
	}
	var errs []error
	if err := identity.CheckName(name); err != nil {
		errs = append(errs, err)
	}
	if len(users) == 0 {
		errs = append(errs, errors.New("no user: write at least one, as in `user alice <bcrypt hash>`"))
	}
	for _, u := range users {
		cost, err := check(u)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, ok := p.users[u.Name]; ok {
			errs = append(errs, fmt.Errorf("user %s is written twice", u.Name))
		}
		p.users[u.Name] = &account{u, cost}
		p.cost = max(p.cost, cost)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return p, nil
}

// check returns the cost of a user's hash.
func check(u User) (int, error) {
	if u.Name == "" || len(u.Name) > maxName || !utf8.ValidString(u.Name) || strings.ContainsFunc(u.Name, unicode.IsControl) || strings.TrimSpace(u.Name) != u.Name {
		return 0, fmt.Errorf("user %q: a name has 1 to %d bytes, no control characters, and no space at its ends", u.Name, maxName)
	}
	if !hashForm.MatchString(u.Hash) {
		return 0, fmt.Errorf("user %s: the password must be written as a bcrypt hash; make one with `caddy hash-password`", u.Name)
	}
	cost, err := bcrypt.Cost([]byte(u.Hash))
	switch {
	case err != nil:
		return 0, fmt.Errorf("user %s: the bcrypt hash is damaged (%w); make a new one with `caddy hash-password`", u.Name, err)
	case cost > maxCost:
		return 0, fmt.Errorf("user %s: bcrypt cost %d would keep the server busy for too long, at most %d is accepted; make a new hash with `caddy hash-password`", u.Name, cost, maxCost)
	}
	return cost, nil
}

// Cheap returns the users whose hashes are cheap to try passwords on, sorted, so that the operator can be told.
func (p *Provider) Cheap() []string {
	var names []string
	for name, account := range p.users {
		if account.cost < lowCost {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Name implements identity.Provider.
func (p *Provider) Name() string { return p.name }

// Label implements identity.Provider.
func (p *Provider) Label() string {
	if p.name != DefaultName {
		return "user name and password (" + p.name + ")"
	}
	return "user name and password"
}

// Verify implements identity.Verifier. An *identity.RateLimited says when to come back.
func (p *Provider) Verify(ctx context.Context, user, password string) (*identity.Person, error) {
	if len(password) > MaxPassword {
		return nil, fmt.Errorf("%w: a password has at most %d bytes", identity.ErrCredentials, MaxPassword)
	}
	if user == "" || len(user) > maxName {
		return nil, identity.ErrCredentials
	}
	// An attempt that is over its limit must not take up a place in the queue.
	origin := identity.Origin(ctx)
	if err := p.limits.allowed(user, origin); err != nil {
		return nil, err
	}
	leave, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	// Counted as a failure before the outcome is known, so that attempts at the same time can't outrun the limit.
	if err := p.limits.take(user, origin); err != nil {
		return nil, err
	}
	account, ok := p.users[user]
	if !p.matches(account, password) || !ok {
		return nil, identity.ErrCredentials
	}
	p.limits.giveBack(user, origin)
	return p.person(account), nil
}

// enter waits for its turn to check a password.
func (p *Provider) enter(ctx context.Context) (leave func(), err error) {
	busy := &identity.RateLimited{RetryAfter: time.Second}
	select {
	case p.waiting <- struct{}{}:
	default:
		return nil, busy
	}
	select {
	case p.checking <- struct{}{}:
		return func() { <-p.checking; <-p.waiting }, nil
	case <-ctx.Done():
		<-p.waiting
		return nil, busy
	}
}

// matches checks a password with the work of the most expensive hash, whoever's it is. The work of bcrypt doubles with
// its cost, so a cheaper hash is made up for by one check at each cost from its own to below the highest:
// 2^c + (2^c + … + 2^(max-1)) = 2^max.
func (p *Provider) matches(a *account, password string) bool {
	if a == nil {
		p.waste(p.cost, password)
		return false
	}
	ok := p.compare([]byte(a.Hash), []byte(password)) == nil
	for cost := a.cost; cost < p.cost; cost++ {
		p.waste(cost, password)
	}
	return ok
}

// waste does the work of one check at a cost. The hash has a salt like any other, and no known password.
func (p *Provider) waste(cost int, password string) {
	hash := fmt.Sprintf("$2a$%02d$%s", cost, strings.Repeat(".", 53))
	_ = p.compare([]byte(hash), []byte(password)) // only the time it takes is wanted
}

// Refresh implements identity.Refresher: the person as the configuration has them now. Someone who is no longer in it, or
// whose password was changed, is gone.
func (p *Provider) Refresh(_ context.Context, old *identity.Person) (*identity.Person, error) {
	a, ok := p.users[old.ID]
	if !ok {
		return nil, fmt.Errorf("%w: the user is no longer in the configuration", identity.ErrEnded)
	}
	person := p.person(a)
	if subtle.ConstantTimeCompare(person.Session, old.Session) != 1 {
		return nil, fmt.Errorf("%w: the password was changed", identity.ErrEnded)
	}
	return person, nil
}

// Outdated implements identity.Configured: all there is to know of a person is in the configuration.
func (p *Provider) Outdated(old *identity.Person) bool {
	a, ok := p.users[old.ID]
	if !ok {
		return true
	}
	person := p.person(a)
	return subtle.ConstantTimeCompare(person.Session, old.Session) != 1 || person.Email != old.Email || person.Name != old.Name ||
		!slices.Equal(person.Roles, old.Roles) || !slices.Equal(person.Permissions, old.Permissions)
}

func (p *Provider) person(a *account) *identity.Person {
	name := a.DisplayName
	if name == "" {
		name = a.Name
	}
	// Tells a changed password from the one signed in with; not the hash itself, which could be worked on elsewhere.
	session := sha256.Sum256([]byte("local session\x00" + a.Hash))
	return &identity.Person{
		Provider: p.name, ID: a.Name, Email: a.Email, Name: name,
		Roles: slices.Clone(a.Roles), Permissions: slices.Clone(a.Permissions),
		Session: session[:],
	}
}
