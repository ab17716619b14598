// Package approval keeps calls that wait for a person, and what the person said of them.
//
// A call is known by its grant, its client, what it uses on which server, and its exact arguments: that is what its person
// approves, and nothing else passes for it. Everything is kept in the store, so that any node can be asked and any node can
// take the answer; what the call says is encrypted there.
package approval

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// For how long things are kept.
const (
	// waitingTTL is for how long a call can be approved after it was last made.
	waitingTTL = 15 * time.Minute
	// approvedTTL is for how long an approved call is let through, if nobody waits with it.
	approvedTTL = 10 * time.Minute
	// deniedTTL is for how long a denied call is denied without asking again.
	deniedTTL = 5 * time.Minute
	// alwaysTTL is for how long a thing that is approved for good stays so unused. It ends with its grant in any case.
	alwaysTTL = 90 * 24 * time.Hour
)

const (
	kindCall    = "approval"
	purposeCall = "approval call"
)

// Verdict is what is known of a call.
type Verdict uint8

// What can be known of a call.
const (
	Waiting  Verdict = iota // its person has not answered yet
	Approved                // it may be made, now and this once
	Denied                  // its person has said no
	Crowded                 // as many calls wait as may wait, so its person is not asked
)

// ErrGone says that a call does not wait for this person: it never did, or does no more.
var ErrGone = errors.New("approval: no such call waits")

// Config is what a Desk needs. All but Audit is required.
type Config struct {
	Store  store.Store
	Sealer func(context.Context) (*seal.Sealer, error) // encrypts what is kept
	Now    func() time.Time
	Page   func(id string) string // the address of the page where a call is approved
	Audit  audit.Sink             // gets the events approval_requested, approval_approved, approval_denied, approval_expired, approval_revoked
}

// Desk is where calls are brought before people. It is safe for concurrent use, on any number of nodes with one store.
type Desk struct {
	cfg Config

	mu      sync.Mutex
	waiters map[string]*waiters
	holds   holds
}

// New makes a Desk.
func New(cfg Config) *Desk {
	return &Desk{cfg: cfg, waiters: make(map[string]*waiters), holds: holds{grants: make(map[string]int), released: make(chan struct{})}}
}

// callRecord is what is kept of a call, encrypted.
type callRecord struct {
	Call
	Shown string    `json:"shown"` // the arguments as they are shown
	Asked time.Time `json:"asked"`
	State Verdict   `json:"state"`
}

// Ask says what is known of a call that is to be made. It asks the call's person if they were not asked yet. An approval of
// this call alone is used up by being told.
//
// The errors are those of the store and the sealer, ErrArguments and ErrTooLong: then the call may not be made.
func (d *Desk) Ask(ctx context.Context, c *Call) (Verdict, error) {
	id, err := c.ID()
	if err != nil {
		return Denied, err
	}
	always, err := d.isAlways(ctx, c)
	if err != nil {
		return Denied, err
	}
	if always {
		return Approved, nil
	}
	text, err := shown(c.Args)
	if err != nil {
		return Denied, err // what can't be shown whole is not approved, nor asked about
	}
	r, err := d.get(ctx, id)
	switch {
	case err == nil && r.State == Denied:
		return Denied, nil
	case err == nil && r.State == Waiting && d.cfg.Now().Sub(r.Asked) < waitingTTL/3:
		return Waiting, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return Denied, err
	}
	if err == nil && r.State == Approved {
		verdict, err := d.settle(ctx, id, c, text, false)
		if !errors.Is(err, errUnlisted) {
			return verdict, err
		}
		// Another call of the same kind has used the approval up, and this one has to wait for its own.
	}
	// It is listed before it is kept, so that whatever a crash leaves, no call waits that its person can't find.
	err = d.enlist(ctx, c.Person.ID, entry{ID: id, Grant: c.Grant, Until: d.cfg.Now().Add(waitingTTL).UTC()})
	if errors.Is(err, errFull) {
		return Crowded, nil
	}
	if err != nil {
		return Denied, err
	}
	return d.settle(ctx, id, c, text, true)
}

// errUnlisted says that a call would have to wait that is not listed yet.
var errUnlisted = errors.New("approval: the call is not listed")

// settle uses up the approval of a call, or has the call wait, if it is listed. text is its arguments as they are shown.
func (d *Desk) settle(ctx context.Context, id string, c *Call, text string, listed bool) (verdict Verdict, err error) {
	sealer, err := d.cfg.Sealer(ctx)
	if err != nil {
		return Denied, err
	}
	asked := false
	err = d.cfg.Store.Update(ctx, kindCall, id, func(old []byte) ([]byte, time.Time, error) {
		now := d.cfg.Now().UTC()
		r, err := open(sealer, id, old)
		if err != nil {
			return nil, time.Time{}, err
		}
		if asked = r == nil; asked && !listed {
			return nil, time.Time{}, errUnlisted
		}
		if asked {
			r = &callRecord{Call: *c}
			r.Shown = text
			r.Call.Args = nil
		}
		switch verdict = r.State; verdict {
		case Approved:
			return nil, time.Time{}, nil
		case Denied:
			return old, r.Asked.Add(deniedTTL), nil
		}
		r.Asked = now
		next, err := sealed(sealer, id, r)
		return next, now.Add(waitingTTL), err
	})
	if err != nil {
		return Denied, err
	}
	if asked {
		d.record("approval_requested", decisionAsk, "", c, c.Person, "")
	}
	return verdict, nil
}

// Expire records that nobody answered in the time that a call could wait. A later answer is still good.
func (d *Desk) Expire(c *Call) {
	d.record("approval_expired", decisionDeny, "Nobody answered in time.", c, c.Person, "")
}

// Page is the address where a call's person can approve it.
func (d *Desk) Page(c *Call) string {
	id, err := c.ID()
	if err != nil {
		return d.cfg.Page("") // it can't be approved
	}
	return d.cfg.Page(id)
}

// Pending is a call that waits, as its person is shown it.
type Pending struct {
	ID    string
	Call  Call
	Args  string // all of the arguments, in readable form
	Asked time.Time
}

// Pending returns a call that waits for a person. The errors are ErrGone and the store's.
func (d *Desk) Pending(ctx context.Context, person, id string) (*Pending, error) {
	r, err := d.get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (r.Person.ID != person || r.State != Waiting) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, err
	}
	return &Pending{ID: id, Call: r.Call, Args: r.Shown, Asked: r.Asked}, nil
}

// Answer is what a person says of a call.
type Answer uint8

// What a person can say.
const (
	Deny   Answer = iota
	Once          // it may be made this once
	Always        // this agent may use this, with whatever arguments, until its access ends
)

// Decide takes a person's answer to a call that waits for them. impersonator says who acts in their name, if anybody does. The
// errors are ErrGone, ErrMany and the store's.
func (d *Desk) Decide(ctx context.Context, person Person, impersonator, id string, a Answer) (*Pending, error) {
	p, err := d.Pending(ctx, person.ID, id)
	if err != nil {
		return nil, err
	}
	sealer, err := d.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	if a == Always {
		// First, so that a call that waits finds one or the other.
		if err := d.allowAlways(ctx, &p.Call); err != nil {
			return nil, err
		}
	}
	err = d.cfg.Store.Update(ctx, kindCall, id, func(old []byte) ([]byte, time.Time, error) {
		now := d.cfg.Now().UTC()
		r, err := open(sealer, id, old)
		switch {
		case err != nil:
			return nil, time.Time{}, err
		case r == nil || r.Person.ID != person.ID || r.State != Waiting:
			return nil, time.Time{}, ErrGone // somebody was quicker
		case a == Always:
			return nil, time.Time{}, nil
		}
		ttl := approvedTTL
		if r.State = Approved; a == Deny {
			r.State, ttl = Denied, deniedTTL
		}
		r.Asked = now
		next, err := sealed(sealer, id, r)
		return next, now.Add(ttl), err
	})
	if err != nil {
		return nil, err
	}
	d.told(id)
	// What is left in the list if this fails is forgotten in time.
	_ = d.delist(ctx, person.ID, id)
	switch a {
	case Deny:
		d.record("approval_denied", decisionDeny, "", &p.Call, person, impersonator)
	case Once:
		d.record("approval_approved", decisionAllow, "This once.", &p.Call, person, impersonator)
	case Always:
		d.record("approval_approved", decisionAllow, "For this agent until its access ends.", &p.Call, person, impersonator)
	}
	return p, nil
}

// get reads a call's record. The errors are store.ErrNotFound, seal.ErrForeign and the store's.
func (d *Desk) get(ctx context.Context, id string) (*callRecord, error) {
	value, err := d.cfg.Store.Get(ctx, kindCall, id)
	if err != nil {
		return nil, err
	}
	sealer, err := d.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	return open(sealer, id, value)
}

// open decrypts a call's record; nil is none.
func open(sealer *seal.Sealer, id string, value []byte) (*callRecord, error) {
	if value == nil {
		return nil, nil
	}
	plain, err := sealer.Open(purposeCall, id, string(value))
	if err != nil {
		return nil, err
	}
	r := new(callRecord)
	return r, json.Unmarshal(plain, r)
}

// sealed encrypts a call's record.
func sealed(sealer *seal.Sealer, id string, r *callRecord) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return []byte(sealer.Seal(purposeCall, id, plain)), nil
}

// Decisions in audit records.
const (
	decisionAllow = "allow"
	decisionDeny  = "deny"
	decisionAsk   = "ask"
)

// record writes the audit record of an event. by is who did what it says.
func (d *Desk) record(event, decision, reason string, c *Call, by Person, impersonator string) {
	if d.cfg.Audit == nil {
		return
	}
	d.cfg.Audit.Record(&audit.Record{
		Time: d.cfg.Now(), Event: event, Decision: decision, Reason: reason, UserID: by.ID, Email: by.Email, Org: by.Org, Roles: slices.Clone(by.Roles),
		Impersonator: impersonator, ClientID: c.Client, ClientName: c.ClientName, GrantID: c.Grant, Server: c.Server, Kind: c.Kind, Name: c.Name,
		RequestID: c.RequestID,
	})
}
