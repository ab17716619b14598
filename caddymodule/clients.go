package caddymodule

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// grantTypes are the OAuth grants that a static client can be given.
var grantTypes = []string{"authorization_code", "refresh_token", "client_credentials"}

// Clients says which OAuth clients there are, and which may come by themselves.
type Clients struct {
	// Whether clients may register themselves (RFC 7591), as most MCP clients do. Default: true.
	Dynamic *bool `json:"dynamic,omitempty"`

	// Which clients may describe themselves by a metadata document. Default: all.
	MetadataDocuments *MetadataDocuments `json:"metadata_documents,omitempty"`

	// Clients set up by the operator.
	Static []StaticClient `json:"static,omitempty"`
}

// StaticClient is an OAuth client set up by the operator: a program of one's own, or one that can't register itself.
type StaticClient struct {
	// The client ID. Required.
	ID string `json:"id,omitempty"`

	// What people are told its name is. Default: the ID.
	Name string `json:"name,omitempty"`

	// The client secret. Use a placeholder such as {env.CI_BOT_SECRET}. One of this, public_keys and public is required.
	Secret string `json:"secret,omitempty"`

	// The public keys of a client that proves itself by signing (private_key_jwt, RFC 7523): each in PEM, or as a JWK or JWK
	// Set. Use a placeholder such as {file./etc/caddy/ci-bot.pem}. There is more than one while the client changes its key.
	PublicKeys []string `json:"public_keys,omitempty"`

	// A public client has no secret, like everything that runs on people's own machines.
	Public bool `json:"public,omitempty"`

	// Where people are sent back to. On loopback any port matches.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// The OAuth grants the client may use: authorization_code, refresh_token, client_credentials.
	// Default: authorization_code and refresh_token.
	Grants []string `json:"grants,omitempty"`

	// The roles of the policy that the client itself has under client_credentials.
	Roles []string `json:"roles,omitempty"`

	// The permissions of the policy that the client itself has under client_credentials.
	Permissions []string `json:"permissions,omitempty"`

	// The servers whose access tokens the client may ask about at /introspect (RFC 7662), by their names in the policy; * is
	// all of them. Without it, a client with a secret is told of its own tokens only. A client that has this and neither
	// grants nor redirect URIs can do nothing else.
	Introspect []string `json:"introspect,omitempty"`

	rightsAt []mention
}

// mentions returns the roles and permissions that clients are given.
func (c *Clients) mentions() []mention {
	var all []mention
	for _, client := range c.Static {
		if client.rightsAt != nil {
			all = append(all, client.rightsAt...)
			continue
		}
		all = append(all, mentionRights("client "+client.ID, client.Roles, client.Permissions)...)
	}
	return all
}

// hasMachine reports whether there is a client that gets tokens for itself.
func (c *Clients) hasMachine() bool {
	return slices.ContainsFunc(c.Static, func(client StaticClient) bool { return slices.Contains(client.Grants, "client_credentials") })
}

// resolved returns the static clients with their secrets.
func (c *Clients) resolved() ([]oauth.StaticClient, error) {
	clients := make([]oauth.StaticClient, len(c.Static))
	for i, client := range c.Static {
		if err := client.check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(c.Static[:i], func(other StaticClient) bool { return other.ID == client.ID }) {
			return nil, fmt.Errorf("client %s stands twice", client.ID)
		}
		clients[i] = oauth.StaticClient{
			ID:           client.ID,
			Name:         client.Name,
			Public:       client.Public,
			RedirectURIs: client.RedirectURIs,
			Grants:       client.Grants,
			Roles:        client.Roles,
			Permissions:  client.Permissions,
			Introspect:   client.Introspect,
		}
		for _, text := range client.PublicKeys {
			key, err := resolve("public_key of client "+client.ID, text)
			if err != nil {
				return nil, err
			}
			if err := oauth.CheckPublicKey(key); err != nil {
				return nil, fmt.Errorf("public_key of client %s: %w", client.ID, err)
			}
			clients[i].PublicKeys = append(clients[i].PublicKeys, key)
		}
		if client.Secret == "" {
			continue
		}
		secret, err := resolve("secret of client "+client.ID, client.Secret)
		if err != nil {
			return nil, err
		}
		clients[i].Secret = secret
	}
	return clients, nil
}

// check says what is wrong with a client.
func (c *StaticClient) check() error {
	machine := slices.Contains(c.Grants, "client_credentials")
	asksOnly := len(c.Introspect) > 0 && len(c.RedirectURIs) == 0
	person := len(c.Grants) == 0 && !asksOnly || slices.Contains(c.Grants, "authorization_code")
	switch {
	case c.ID == "":
		return fmt.Errorf("a static client has no id")
	case c.Public && c.Secret != "":
		return fmt.Errorf("client %s is public, so it has no secret: leave out one of the two", c.ID)
	case c.Public && len(c.PublicKeys) > 0:
		return fmt.Errorf("client %s is public, so it has no public_key to be known by: leave out one of the two", c.ID)
	case c.Secret != "" && len(c.PublicKeys) > 0:
		return fmt.Errorf("client %s has a secret and a public_key: leave out one of the two", c.ID)
	case !c.Public && c.Secret == "" && len(c.PublicKeys) == 0:
		return fmt.Errorf("client %s needs a secret, such as {env.CLIENT_SECRET}, or a public_key, or public", c.ID)
	case c.Public && machine:
		return fmt.Errorf("client %s needs a secret or public_key for the grant client_credentials", c.ID)
	case c.Public && len(c.Introspect) > 0:
		return fmt.Errorf("client %s needs a secret or public_key for introspect: whoever can't prove to be it is told nothing", c.ID)
	case person && len(c.RedirectURIs) == 0:
		return fmt.Errorf("client %s needs a redirect_uri, or the grant client_credentials alone", c.ID)
	case !person && len(c.RedirectURIs) > 0:
		return fmt.Errorf("client %s has a redirect_uri, but not the grant authorization_code", c.ID)
	case !machine && len(c.Roles)+len(c.Permissions) > 0:
		return fmt.Errorf("client %s has roles of its own only with the grant client_credentials; otherwise it acts with those of the person", c.ID)
	}
	for _, address := range c.RedirectURIs {
		if err := oauth.CheckRedirectURI(address); err != nil {
			return fmt.Errorf("client %s: redirect_uri %s: %w", c.ID, address, err)
		}
	}
	for _, grant := range c.Grants {
		if !slices.Contains(grantTypes, grant) {
			return fmt.Errorf("client %s: there is no grant %s%s", c.ID, grant, didYouMean(grant, grantTypes))
		}
	}
	return nil
}

// checkServers checks that clients may ask about the tokens of servers that exist.
func (c *Clients) checkServers(servers []string) error {
	for _, client := range c.Static {
		for _, name := range client.Introspect {
			if name != "*" && !slices.Contains(servers, name) {
				return fmt.Errorf("client %s: introspect: there is no server %s%s", client.ID, name, didYouMean(name, servers))
			}
		}
	}
	return nil
}

// UnmarshalCaddyfile sets up the clients from Caddyfile tokens. Syntax:
//
//	clients {
//	    dynamic on|off
//	    metadata_documents on|off {
//	        allow             <domains...>
//	        private_addresses <addresses or networks...>
//	    }
//	    static <id> {
//	        name         <name>
//	        secret       <secret>
//	        public_key   <keys...>
//	        public
//	        redirect_uri <uris...>
//	        grant        <grants...>
//	        role         <roles...>
//	        permission   <permissions...>
//	        introspect   <servers...>|*
//	    }
//	}
func (c *Clients) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return readBlock(d, nil, options{
		"dynamic": func(d *caddyfile.Dispenser) error {
			var word string
			if err := oneOf(&word, "on", "off")(d); err != nil {
				return err
			}
			on := word == "on"
			c.Dynamic = &on
			return nil
		},
		"static*": func(d *caddyfile.Dispenser) error {
			client := StaticClient{rightsAt: []mention{}}
			if err := oneArg(d, &client.ID); err != nil {
				return err
			}
			at := d.Token()
			if slices.ContainsFunc(c.Static, func(other StaticClient) bool { return other.ID == client.ID }) {
				return d.Errf("client %s stands twice", client.ID)
			}
			err := readOptions(d, options{
				"name":          text(&client.Name),
				"secret":        text(&client.Secret),
				"public_key*":   words(&client.PublicKeys),
				"public":        func(*caddyfile.Dispenser) error { client.Public = true; return nil },
				"redirect_uri*": words(&client.RedirectURIs),
				"grant*":        words(&client.Grants),
				"role*":         rights(&client.Roles, &client.rightsAt, "client "+client.ID, false),
				"permission*":   rights(&client.Permissions, &client.rightsAt, "client "+client.ID, true),
				"introspect*":   words(&client.Introspect),
			})
			if err != nil {
				return err
			}
			if err := client.check(); err != nil {
				return errAt(at, err)
			}
			c.Static = append(c.Static, client)
			return nil
		},
		"metadata_documents": func(d *caddyfile.Dispenser) error {
			c.MetadataDocuments = new(MetadataDocuments)
			return c.MetadataDocuments.UnmarshalCaddyfile(d)
		},
	})
}

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*Clients)(nil)
	_ mentioner             = (*Clients)(nil)
)
