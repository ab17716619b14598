package catalog

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
)

// Errors of Approve.
var (
	// ErrNothingWaits says that no tool that was named waits for approval.
	ErrNothingWaits = errors.New("no such tool waits for approval")
	// ErrChangedAgain says that a tool is something else than what was looked at.
	ErrChangedAgain = errors.New("the tool has changed again since it was looked at")
)

// Pin is what the pins say of one tool, for people.
type Pin struct {
	Server, Tool string

	Pinned, Pending         *Digest // nil if there is none
	PinnedAt, PendingAt     time.Time
	PinnedText, PendingText string // definitions in canonical form; empty where there was no room for them
	Approved                bool   // Pinned was, by somebody, and not only seen first
	Changes                 int    // since somebody approved it
	Concealed               bool   // the newest definition has characters that can't be seen
}

// List returns the pins of all tools, or of those of one server, or of one tool of it, in the order of their names. Texts are
// left out unless one tool is named.
func (p *Pins) List(ctx context.Context, server, tool string) ([]Pin, error) {
	var pins []Pin
	err := p.Store.List(ctx, kindPin, func(_ string, packed []byte) error {
		record, err := decodePins("", packed)
		if err != nil {
			return err
		}
		if server != "" && record.Server != server {
			return nil
		}
		for name, entry := range record.Tools {
			if tool == "" || name == tool {
				pins = append(pins, entry.pin(record.Server, name, tool != ""))
			}
		}
		return nil
	})
	slices.SortFunc(pins, func(a, b Pin) int {
		return cmp.Or(strings.Compare(a.Server, b.Server), strings.Compare(a.Tool, b.Tool))
	})
	return pins, err
}

// pin makes an entry fit for people.
func (e *pinEntry) pin(server, name string, texts bool) Pin {
	pin := Pin{Server: server, Tool: name, Changes: e.Changes}
	if d := e.Pinned; d != nil {
		pin.Pinned, pin.PinnedAt, pin.Approved, pin.Concealed = &d.Digest, time.Unix(d.At, 0).UTC(), d.Approved, d.Concealed
		if texts {
			pin.PinnedText = d.Text
		}
	}
	if d := e.Pending; d != nil {
		pin.Pending, pin.PendingAt, pin.Concealed = &d.Digest, time.Unix(d.At, 0).UTC(), d.Concealed
		if texts {
			pin.PendingText = d.Text
		}
	}
	return pin
}

// Approve pins the definition of a tool that waits, or of all tools of the server that do if tool is empty. With a digest,
// only that definition is approved. It returns the names of the tools. Decisions on this node go by it at once, those on
// others after Refresh there. The errors are ErrNothingWaits, ErrChangedAgain and the store's.
func (p *Pins) Approve(ctx context.Context, server, tool string, digest Digest) ([]string, error) {
	ids := make(map[string]bool)
	err := p.Store.List(ctx, kindPin, func(id string, _ []byte) error {
		if id == server || strings.HasPrefix(id, server+"\n") {
			ids[id] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	approved := make(map[string]bool)
	other := false
	for id := range ids {
		err := p.bookAt(server, id).update(func(r *pinRecord) (bool, error) {
			n := len(approved)
			for name, entry := range r.Tools {
				switch {
				case entry.Pending == nil || tool != "" && name != tool:
				case digest != (Digest{}) && entry.Pending.Digest != digest:
					other = true
				default:
					entry.Pinned, entry.Pending, entry.Changes = entry.Pending, nil, 0
					entry.Pinned.At, entry.Pinned.Approved = p.Now().Unix(), true
					approved[name] = true
				}
			}
			if len(approved) > n {
				r.Approvals++
			}
			return len(approved) > n, nil
		}, func() {})
		if err != nil {
			return nil, err
		}
	}
	switch {
	case len(approved) > 0:
		return slices.Sorted(maps.Keys(approved)), nil
	case other:
		return nil, ErrChangedAgain
	}
	return nil, ErrNothingWaits
}

// bookAt returns the book that is kept under an id: the one in use, if there is one.
func (p *Pins) bookAt(server, id string) (book *Book) {
	p.books.Range(func(k, b any) bool {
		if k := k.(Key); k.id() == id {
			book = b.(*Book)
		}
		return book == nil
	})
	if book == nil && id == server {
		return p.Book(Key{Server: server})
	}
	return book
}
