package approval

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// kindAlways is the kind of what a person has approved for good, by grant, server, kind and name.
const kindAlways = "approval-always"

// Standing is something that an agent may use without asking, until its grant ends or its person says otherwise.
type Standing struct {
	ID         string    `json:"-"`
	Person     string    `json:"person"` // id
	Grant      string    `json:"grant"`
	Client     string    `json:"client"`
	ClientName string    `json:"client_name,omitempty"`
	Server     string    `json:"server"`
	Kind       string    `json:"kind"`
	Name       string    `json:"name"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"` // if it is not used
}

// alwaysID names what would have to be approved for good for a call to pass.
func (c *Call) alwaysID() string {
	return digest(c.Grant, c.Client, c.Person.ID, c.Server, c.Kind, c.Name)
}

// standing reads something that is approved for good; nil if it is not.
func (d *Desk) standing(ctx context.Context, id string) (*Standing, error) {
	value, err := d.cfg.Store.Get(ctx, kindAlways, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &Standing{ID: id}
	return s, json.Unmarshal(value, s)
}

// isAlways reports whether what a call uses is approved for good.
func (d *Desk) isAlways(ctx context.Context, c *Call) (bool, error) {
	s, err := d.standing(ctx, c.alwaysID())
	if s == nil || err != nil || s.Person != c.Person.ID {
		return false, err
	}
	if s.Until.Sub(d.cfg.Now()) < alwaysTTL/2 {
		return true, d.keepAlways(ctx, s)
	}
	return true, nil
}

// allowAlways approves for good what a call uses. The errors are ErrMany and the store's.
func (d *Desk) allowAlways(ctx context.Context, c *Call) error {
	s := &Standing{
		ID: c.alwaysID(), Person: c.Person.ID, Grant: c.Grant, Client: c.Client, ClientName: c.ClientName, Server: c.Server, Kind: c.Kind, Name: c.Name,
		Since: d.cfg.Now().UTC(), Until: d.cfg.Now().Add(alwaysTTL).UTC(),
	}
	if err := d.enlistAlways(ctx, s); err != nil {
		return err
	}
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return d.cfg.Store.Put(ctx, kindAlways, s.ID, value, s.Until)
}

// keepAlways has something stay that is used, unless it was taken back meanwhile.
func (d *Desk) keepAlways(ctx context.Context, s *Standing) error {
	s.Until = d.cfg.Now().Add(alwaysTTL).UTC()
	if err := d.enlistAlways(ctx, s); err != nil {
		return err
	}
	return d.cfg.Store.Update(ctx, kindAlways, s.ID, func(old []byte) ([]byte, time.Time, error) {
		if old == nil {
			return nil, time.Time{}, nil
		}
		next, err := json.Marshal(s)
		return next, s.Until, err
	})
}

func (d *Desk) enlistAlways(ctx context.Context, s *Standing) error {
	err := d.enlist(ctx, s.Person, entry{ID: s.ID, Grant: s.Grant, Always: true, Until: s.Until})
	if errors.Is(err, errFull) {
		return ErrMany
	}
	return err
}

// Revoke takes back what a person has approved for good: the agent asks again from now on. The errors are ErrGone and the
// store's.
func (d *Desk) Revoke(ctx context.Context, person Person, impersonator, id string) error {
	s, err := d.standing(ctx, id)
	if err != nil {
		return err
	}
	if s == nil || s.Person != person.ID {
		return ErrGone
	}
	if err := d.cfg.Store.Delete(ctx, kindAlways, id); err != nil {
		return err
	}
	d.record("approval_revoked", decisionAllow, "", &Call{
		Grant: s.Grant, Client: s.Client, ClientName: s.ClientName, Server: s.Server, Kind: s.Kind, Name: s.Name,
	}, person, impersonator)
	return d.delist(ctx, s.Person, id)
}
