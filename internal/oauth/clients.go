package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// How an OAuth client became known.
const (
	ClientStatic     = "static"     // the operator set it up
	ClientDocument   = "document"   // by the metadata document that its id is the address of
	ClientRegistered = "registered" // it registered itself (RFC 7591)
)

// ErrNoClient and ErrNoGrant say that there is none of the id that an operator named.
var (
	ErrNoClient = errors.New("there is no such client")
	ErrNoGrant  = errors.New("there is no such grant")
)

// operatorEnded is the reason in the audit record of what an operator ends.
const operatorEnded = "ended by the operator"

// Client is an OAuth client, as an operator sees it.
type Client struct {
	ID, Name string
	// Origin is ClientStatic, ClientDocument or ClientRegistered.
	Origin string
	// RedirectURIs are where its answers may go. Those of a document are in the document.
	RedirectURIs []string
	// Created is when it registered itself, Used when it was last seen, to the day, and Expires when it will be forgotten; they
	// are zero for other clients.
	Created, Used, Expires time.Time
	// Grants is how many grants it has that are alive.
	Grants int
}

// Clients returns all clients that the operator set up, that are registered, or that have grants, by their ids.
func (s *Server) Clients(ctx context.Context) ([]Client, error) {
	all := make(map[string]*Client)
	for id, c := range s.static {
		all[id] = &Client{ID: id, Name: c.Name, Origin: ClientStatic, RedirectURIs: c.RedirectURIs}
	}
	err := s.cfg.Store.List(ctx, kindClient, func(id string, value []byte) error {
		var rec clientRecord
		if json.Unmarshal(value, &rec) == nil && all[id] == nil {
			all[id] = &Client{
				ID: id, Name: rec.Name, Origin: ClientRegistered, RedirectURIs: rec.RedirectURIs,
				Created: rec.Created, Used: rec.Used, Expires: rec.Expires,
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return nil, fmt.Errorf("oauth: clients: %w", err)
	}
	err = s.eachGrant(ctx, func(_ string, g *grantRecord) error {
		if g.Personal {
			return nil
		}
		c := all[g.Client]
		if c == nil && g.Domain == "" {
			return nil // it was registered, and is forgotten
		}
		if c == nil {
			c = &Client{ID: g.Client, Name: g.ClientName, Origin: ClientDocument}
			all[g.Client] = c
		}
		c.Grants++
		return nil
	})
	if err != nil {
		return nil, err
	}
	clients := make([]Client, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		clients = append(clients, *all[id])
	}
	return clients, nil
}

// EndClient forgets a client that registered itself, and ends all grants of a client, whatever client it is. It returns how many
// grants that were. The error is ErrNoClient, or the store's.
func (s *Server) EndClient(ctx context.Context, id string) (ended int, err error) {
	known := s.static[id] != nil
	if _, err := s.cfg.Store.Get(ctx, kindClient, id); err == nil {
		// It goes first, so that it gets no new grants while its old ones end.
		known = true
		if err := s.cfg.Store.Delete(ctx, kindClient, id); err != nil {
			return 0, err
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	err = s.eachGrant(ctx, func(grantID string, g *grantRecord) error {
		if g.Personal || g.Client != id {
			return nil
		}
		if err := s.endByOperator(ctx, grantID, g); err != nil {
			return err
		}
		ended++
		return nil
	})
	if err == nil && !known && ended == 0 {
		err = ErrNoClient
	}
	return ended, err
}

// EndGrant ends a grant as Revoke does, and records it. The error is ErrNoGrant, or the store's.
func (s *Server) EndGrant(ctx context.Context, id string) error {
	g, err := s.loadGrant(ctx, id)
	if errors.Is(err, errNoGrant) {
		return ErrNoGrant
	}
	if err != nil {
		return err
	}
	return s.endByOperator(ctx, id, g)
}

// endByOperator ends a grant. One whose person can't be read any more has to be ended all the same.
func (s *Server) endByOperator(ctx context.Context, id string, g *grantRecord) error {
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return err
	}
	person, _ := openPerson(sealer, id, g)
	return s.endGrant(ctx, id, g, person, operatorEnded)
}

// eachGrant calls f for every grant that is alive, as Grants does, but without the person.
func (s *Server) eachGrant(ctx context.Context, f func(id string, g *grantRecord) error) error {
	err := s.cfg.Store.List(ctx, kindGrant, func(id string, value []byte) error {
		g, err := s.decodeGrant(value)
		if err != nil {
			return nil
		}
		return f(id, g)
	})
	if errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}

// GrantSubject returns for whom an agent acts under a grant, with what policies go by as it is now, and the URL of the mount that
// the grant is for, which is "" for a client that acts for itself. The error is ErrNoGrant, the store's or the identity provider's.
func (s *Server) GrantSubject(ctx context.Context, id string) (*policy.Subject, string, error) {
	state, err := s.grantState(ctx, id)
	switch {
	case err != nil:
		return nil, "", err
	case state.err != nil:
		return nil, "", ErrNoGrant
	}
	return state.subject, state.resource, nil
}
