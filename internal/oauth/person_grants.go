package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Which grants are a person's is kept under the person, so that their page need not read everybody's. A grant is listed before it is
// kept, and listed anew before it would outlive its entry: so whatever a crash leaves, no grant is missing from the list, and what is
// listed and not there is left out and forgotten in time.
const (
	kindPerson = "person"
	// maxPersonGrants is how many grants a person can have. Where more are wanted, some that were unused for longest end: several at a
	// time, since finding them means reading them all.
	maxPersonGrants = 200
	endedAtATime    = 10
)

// personRecord is what is kept of a person.
type personRecord struct {
	Grants []listedGrant `json:"grants"`
}

// listedGrant is an entry of the list. After Until, the grant has certainly expired, or has been listed anew.
type listedGrant struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until"`
}

// errFull says that a person has as many grants as there may be.
var errFull = errors.New("oauth: the person has too many grants")

// enlist adds a grant to a person's list until a time, and makes room for it where that is needed.
func (s *Server) enlist(ctx context.Context, p *identity.Person, id string, until time.Time) error {
	if err := s.noteOrigin(ctx, p, until); err != nil {
		return err
	}
	for {
		err := s.changeList(ctx, p, func(list []listedGrant) ([]listedGrant, error) {
			list = slices.DeleteFunc(list, func(e listedGrant) bool { return e.ID == id })
			if len(list) >= maxPersonGrants {
				return nil, errFull
			}
			return append(list, listedGrant{id, until.UTC()}), nil
		})
		if !errors.Is(err, errFull) {
			return err
		}
		call := s.rooms.start(subjectID(p), func() (struct{}, error) { return struct{}{}, s.makeRoom(context.WithoutCancel(ctx), p) })
		select {
		case <-call.done:
			if call.err != nil {
				return call.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// makeRoom takes grants off a person's list that are there no more, or ends some.
func (s *Server) makeRoom(ctx context.Context, p *identity.Person) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	value, err := s.cfg.Store.Get(ctx, kindPerson, shortDigest(subjectID(p)))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	gone, err := s.endUnused(ctx, decodePerson(value).Grants)
	if err != nil {
		return err
	}
	return s.changeList(ctx, p, func(list []listedGrant) ([]listedGrant, error) {
		return slices.DeleteFunc(list, func(e listedGrant) bool { return slices.Contains(gone, e.ID) }), nil
	})
}

// changeList changes a person's list, without what is no longer in force.
func (s *Server) changeList(ctx context.Context, p *identity.Person, f func([]listedGrant) ([]listedGrant, error)) error {
	return s.cfg.Store.Update(ctx, kindPerson, shortDigest(subjectID(p)), func(old []byte) ([]byte, time.Time, error) {
		rec, now := decodePerson(old), s.now()
		list, err := f(slices.DeleteFunc(rec.Grants, func(e listedGrant) bool { return !now.Before(e.Until) }))
		if err != nil || len(list) == 0 {
			return nil, time.Time{}, err
		}
		var last time.Time
		for _, e := range list {
			if e.Until.After(last) {
				last = e.Until
			}
		}
		next, err := json.Marshal(personRecord{list})
		return next, last, err
	})
}

// decodePerson reads a record. One that can't be read is as good as none: grants in use are listed anew in time.
func decodePerson(value []byte) personRecord {
	var rec personRecord
	if json.Unmarshal(value, &rec) != nil {
		return personRecord{}
	}
	return rec
}

// endUnused returns those of the grants that are there no more. If there are as many as there may be, it ends some.
func (s *Server) endUnused(ctx context.Context, list []listedGrant) (gone []string, err error) {
	var alive []personGrant
	for _, e := range list {
		g, err := s.loadGrant(ctx, e.ID)
		switch {
		case errors.Is(err, errNoGrant):
			gone = append(gone, e.ID)
		case err != nil:
			return nil, err
		default:
			alive = append(alive, personGrant{id: e.ID, grantRecord: g})
		}
	}
	if len(alive) < maxPersonGrants {
		return gone, nil
	}
	slices.SortStableFunc(alive, func(a, b personGrant) int { return a.lastWanted().Compare(b.lastWanted()) })
	for _, g := range alive[:endedAtATime] {
		if err := s.Revoke(ctx, g.id); err != nil {
			return nil, err
		}
		s.record(&event{
			name: "revoke", decision: decisionAllow, reason: "The person has too many grants, and this one was unused for longest.", clientID: g.Client,
			clientName: g.ClientName, grantID: g.id, resource: g.Resource,
		})
		gone = append(gone, g.id)
	}
	return gone, nil
}

// personGrant is a grant of somebody.
type personGrant struct {
	id string
	*grantRecord
	// imposter is who acted as the person when they gave it; "" if it was the person.
	imposter string
}

// lastWanted is when the grant was last used, or made if it was not used yet, as a personal token may not be for weeks.
func (g *grantRecord) lastWanted() time.Time {
	if g.LastUsed.After(g.Created) {
		return g.LastUsed
	}
	return g.Created
}

// grantsOf returns the grants of a person that are alive, that used last first.
func (s *Server) grantsOf(ctx context.Context, p *identity.Person) ([]personGrant, error) {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	value, err := s.cfg.Store.Get(ctx, kindPerson, shortDigest(subjectID(p)))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []personGrant
	for _, e := range decodePerson(value).Grants {
		g, err := s.loadGrant(ctx, e.ID)
		if errors.Is(err, errNoGrant) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// Whatever the list says, nobody sees a grant that is not their own.
		owner, err := openPerson(sealer, e.ID, g)
		if err != nil || subjectID(owner) != subjectID(p) {
			continue
		}
		if used := s.cache.used(e.ID); used.After(g.LastUsed) {
			g.LastUsed = used
		}
		all = append(all, personGrant{e.ID, g, owner.Impersonator})
	}
	slices.SortStableFunc(all, func(a, b personGrant) int { return b.LastUsed.Compare(a.LastUsed) })
	return all, nil
}
