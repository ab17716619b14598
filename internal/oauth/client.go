package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Grant types.
const (
	grantAuthorizationCode = "authorization_code"
	grantRefreshToken      = "refresh_token"
	grantClientCredentials = "client_credentials"
)

// kindClient is where clients that registered themselves are kept, by their id.
const kindClient = "client"

// Lifetimes of clients that registered themselves. Many clients register anew for every attempt, so one that never finishes
// a login goes soon; one that did stays as long as it comes back now and then, and in any case as long as its grants.
const (
	clientUnusedTTL = 24 * time.Hour
	clientUsedTTL   = 90 * 24 * time.Hour
)

// maxClientID bounds a client_id, in bytes: room for the URL of a metadata document.
const maxClientID = 512

// errUnknownClient says that there is no such client, or no more.
var errUnknownClient = errors.New("oauth: unknown client")

// client is an OAuth client, however it became known.
type client struct {
	ID           string
	Name         string
	RedirectURIs []string
	Grants       []string
	// Secret is the SHA-256 of the client secret; nil for a public client.
	Secret []byte
	// Keys are what the client can prove itself with by signing (private_key_jwt); nil if it has none.
	Keys *clientKeys
	// KeyOnly: it has to.
	KeyOnly bool
	// Static is set for a client that the operator set up, and is its entry.
	Static *StaticClient
	// Domain is the host of the metadata document, with its port if it says one; "" for a client that has no document. All who use such
	// a client share its id, so what one of them does must never be held against the others.
	Domain string
	// Expires is when a client that registered itself will be forgotten.
	Expires time.Time
}

// clientRecord is how a client that registered itself is kept.
type clientRecord struct {
	Name         string    `json:"name,omitempty"`
	RedirectURIs []string  `json:"redirect_uris"`
	Grants       []string  `json:"grants"`
	AuthMethod   string    `json:"auth_method"`
	Secret       []byte    `json:"secret_sha256,omitempty"`
	Created      time.Time `json:"created"`
	// Used is when a login was last finished or a token refreshed, to the day; zero for never.
	Used    time.Time `json:"used,omitzero"`
	Expires time.Time `json:"expires"`
}

// public reports whether the client need not prove that it is the one it says.
func (c *client) public() bool { return c.Secret == nil && !c.KeyOnly }

// may reports whether the client may use a grant type.
func (c *client) may(grant string) bool { return slices.Contains(c.Grants, grant) }

// client finds a client by its id: among those the operator set up, then by its metadata document if the id is the address of one, then
// among those that registered themselves. It is shared, and must not be changed. The errors are errUnknownClient, *protocolError for what is
// wrong with a document, and the store's.
func (s *Server) client(ctx context.Context, id string) (*client, error) {
	if c := s.static[id]; c != nil {
		return c, nil
	}
	if id == "" || len(id) > maxClientID || !printable(id) {
		return nil, errUnknownClient
	}
	if strings.HasPrefix(id, "https://") { // ids that are given out here never begin like that
		return s.documents.client(ctx, id)
	}
	value, err := s.cfg.Store.Get(ctx, kindClient, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errUnknownClient
	}
	if err != nil {
		return nil, fmt.Errorf("oauth: client: %w", err)
	}
	var rec clientRecord
	if err := json.Unmarshal(value, &rec); err != nil {
		return nil, fmt.Errorf("oauth: client: %w", err)
	}
	return &client{
		ID: id, Name: rec.Name, RedirectURIs: rec.RedirectURIs, Grants: rec.Grants, Secret: rec.Secret, Expires: rec.Expires,
	}, nil
}

// touch keeps a client that registered itself from being forgotten. It writes at most once a day for each client.
func (s *Server) touch(ctx context.Context, c *client) error {
	now := s.now()
	ttl := max(clientUsedTTL, 2*s.cfg.RefreshTTL)
	if c.Static != nil || c.Domain != "" || c.Expires.Sub(now) > ttl-24*time.Hour {
		return nil
	}
	return s.cfg.Store.Update(ctx, kindClient, c.ID, func(old []byte) ([]byte, time.Time, error) {
		var rec clientRecord
		if old == nil || json.Unmarshal(old, &rec) != nil {
			return nil, time.Time{}, errUnknownClient
		}
		rec.Used, rec.Expires = now.UTC(), now.Add(ttl).UTC()
		next, err := json.Marshal(rec)
		return next, rec.Expires, err
	})
}

// staticClients makes the operator's clients ready for use.
func staticClients(configured []StaticClient) (map[string]*client, error) {
	clients := make(map[string]*client, len(configured))
	for i := range configured {
		sc := configured[i]
		c := &client{ID: sc.ID, Name: sc.Name, RedirectURIs: sc.RedirectURIs, Grants: sc.Grants, Static: &sc}
		if c.Name == "" {
			c.Name = sc.ID
		}
		if len(c.Grants) == 0 && (len(sc.Introspect) == 0 || len(sc.RedirectURIs) > 0) {
			c.Grants = []string{grantAuthorizationCode, grantRefreshToken}
		}
		switch {
		case sc.ID == "" || len(sc.ID) > maxClientID || !printable(sc.ID):
			return nil, errors.New("oauth: a static client needs an id of printable characters")
		case clients[sc.ID] != nil:
			return nil, fmt.Errorf("oauth: static client %s is there twice", sc.ID)
		case sc.Public && sc.Secret != "", sc.Public && len(sc.PublicKeys) > 0, sc.Secret != "" && len(sc.PublicKeys) > 0:
			return nil, fmt.Errorf("oauth: static client %s can be public, have a secret, or have public keys: choose one", sc.ID)
		case !sc.Public && sc.Secret == "" && len(sc.PublicKeys) == 0:
			return nil, fmt.Errorf("oauth: static client %s needs a secret, public keys, or to be public", sc.ID)
		case sc.Public && c.may(grantClientCredentials):
			return nil, fmt.Errorf("oauth: static client %s: client_credentials needs a secret or public keys", sc.ID)
		case sc.Public && len(sc.Introspect) > 0:
			return nil, fmt.Errorf("oauth: static client %s: introspection needs a secret or public keys", sc.ID)
		case c.may(grantAuthorizationCode) && len(c.RedirectURIs) == 0:
			return nil, fmt.Errorf("oauth: static client %s needs a redirect_uri for authorization_code", sc.ID)
		case !c.may(grantClientCredentials) && len(sc.Roles)+len(sc.Permissions) > 0:
			return nil, fmt.Errorf("oauth: static client %s has roles of its own, which only client_credentials uses", sc.ID)
		}
		for _, grant := range c.Grants {
			if grant != grantAuthorizationCode && grant != grantRefreshToken && grant != grantClientCredentials {
				return nil, fmt.Errorf("oauth: static client %s: unknown grant %s; there are %s, %s and %s",
					sc.ID, grant, grantAuthorizationCode, grantRefreshToken, grantClientCredentials)
			}
		}
		for _, uri := range c.RedirectURIs {
			if _, err := parseRedirect(uri); err != nil {
				return nil, fmt.Errorf("oauth: static client %s: redirect_uri %s: %w", sc.ID, uri, err)
			}
		}
		if len(sc.PublicKeys) > 0 {
			set, err := parsePublicKeys(sc.PublicKeys)
			if err != nil {
				return nil, fmt.Errorf("oauth: static client %s: %w", sc.ID, err)
			}
			c.Keys, c.KeyOnly = &clientKeys{set: set}, true
		}
		if sc.Secret != "" {
			sum := sha256.Sum256([]byte(sc.Secret))
			c.Secret = sum[:]
		}
		clients[sc.ID] = c
	}
	return clients, nil
}

// page is the client as a person is shown it.
func (c *client) page(to redirect) pages.Client {
	p := pages.Client{Name: c.Name, Origin: pages.SelfRegistered, RedirectHost: to.host()}
	switch {
	case c.Static != nil:
		p.Origin = pages.SetUp
	case c.Domain != "":
		p.Origin, p.Domain = pages.MetadataDocument, c.Domain
	}
	p.Loopback, p.CustomScheme = to.kind == redirectLoopback, to.kind == redirectCustom
	return p
}
