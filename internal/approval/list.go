package approval

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// What waits for a person, and what they have approved for good, is listed under the person, so that their page need not read
// everybody's. What is listed and not there is left out, and forgotten in time.
const kindList = "approval-list"

// Bounds of what can wait for a person: an agent must not be able to bury what another one asks.
const (
	maxWaitingOfGrant  = 16
	maxWaitingOfPerson = 64
	maxAlwaysOfPerson  = 256
)

var (
	// ErrMany says that a person has approved as much for good as can be kept.
	ErrMany = errors.New("approval: too much is approved for good")

	// errFull says that as much is listed as may be.
	errFull = errors.New("approval: too much waits")
)

// entry is what a person's list says of a call, or of something approved for good.
type entry struct {
	ID     string    `json:"id"`
	Grant  string    `json:"grant"`
	Always bool      `json:"always,omitempty"`
	Until  time.Time `json:"until"` // after it, it is certainly over
}

// list is a person's list.
type list struct {
	Entries []entry `json:"entries"`
}

// readList reads a list. One that can't be read is as good as none: agents ask again.
func readList(value []byte) list {
	var l list
	if json.Unmarshal(value, &l) != nil {
		return list{}
	}
	return l
}

// enlist adds an entry to a person's list, in the place of one with the same id. The errors are errFull and the store's.
func (d *Desk) enlist(ctx context.Context, person string, e entry) error {
	return d.changeList(ctx, person, func(entries []entry) ([]entry, error) {
		ofGrant, all := 0, 0
		entries = slices.DeleteFunc(entries, func(other entry) bool { return other.ID == e.ID })
		for _, other := range entries {
			if other.Always != e.Always {
				continue
			}
			all++
			if other.Grant == e.Grant {
				ofGrant++
			}
		}
		if !e.Always && (ofGrant >= maxWaitingOfGrant || all >= maxWaitingOfPerson) || all >= maxAlwaysOfPerson {
			return nil, errFull
		}
		return append(entries, e), nil
	})
}

// delist takes an entry off a person's list.
func (d *Desk) delist(ctx context.Context, person, id string) error {
	return d.changeList(ctx, person, func(entries []entry) ([]entry, error) {
		return slices.DeleteFunc(entries, func(e entry) bool { return e.ID == id }), nil
	})
}

// changeList changes a person's list, without what is over.
func (d *Desk) changeList(ctx context.Context, person string, f func([]entry) ([]entry, error)) error {
	return d.cfg.Store.Update(ctx, kindList, digest(person), func(old []byte) ([]byte, time.Time, error) {
		l, now := readList(old), d.cfg.Now()
		entries, err := f(slices.DeleteFunc(l.Entries, func(e entry) bool { return !now.Before(e.Until) }))
		if err != nil || len(entries) == 0 {
			return nil, time.Time{}, err
		}
		var last time.Time
		for _, e := range entries {
			if e.Until.After(last) {
				last = e.Until
			}
		}
		next, err := json.Marshal(list{entries})
		return next, last, err
	})
}

// entries returns what a person's list has.
func (d *Desk) entries(ctx context.Context, person string) ([]entry, error) {
	value, err := d.cfg.Store.Get(ctx, kindList, digest(person))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return readList(value).Entries, err
}

// Of returns what waits for a person, that which waits longest first, and what they have approved for good.
func (d *Desk) Of(ctx context.Context, person string) (waiting []*Pending, always []*Standing, err error) {
	entries, err := d.entries(ctx, person)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if e.Always {
			s, err := d.standing(ctx, e.ID)
			if err != nil {
				return nil, nil, err
			}
			if s != nil && s.Person == person {
				always = append(always, s)
			}
			continue
		}
		p, err := d.Pending(ctx, person, e.ID)
		if errors.Is(err, ErrGone) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		waiting = append(waiting, p)
	}
	slices.SortStableFunc(waiting, func(a, b *Pending) int { return a.Asked.Compare(b.Asked) })
	return waiting, always, nil
}
