package peers

import (
	_ "embed"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

//go:embed oidcprovider.mjs
var oidcProviderScript []byte

// OIDCClient is a client of an OIDCProvider.
type OIDCClient struct {
	ID           string   `json:"client_id"`
	Secret       string   `json:"client_secret,omitempty"`
	AuthMethod   string   `json:"token_endpoint_auth_method,omitempty"`
	GrantTypes   []string `json:"grant_types"`
	RedirectURIs []string `json:"redirect_uris"`
	// ResponseTypes is empty, and not nil, for a client without people.
	ResponseTypes   []string `json:"response_types"`
	ApplicationType string   `json:"application_type,omitempty"`
	// LogoutURI is where it hears by logout tokens that sessions have ended.
	LogoutURI string `json:"backchannel_logout_uri,omitempty"`
	// LogoutSession has them name the session.
	LogoutSession bool `json:"backchannel_logout_session_required,omitempty"`
}

// OIDCResource is a resource that an OIDCProvider issues access tokens for.
type OIDCResource struct {
	URL    string `json:"url"`
	Format string `json:"format"` // jwt or opaque
}

// OIDCSettings is what an OIDCProvider is to be like.
type OIDCSettings struct {
	Clients   []OIDCClient
	Resources []OIDCResource
	// Keys sign its tokens.
	Keys []jose.JSONWebKey
	// Claims are in every token and of every person.
	Claims map[string]any
	// TTL is how long access tokens live, in whole seconds.
	TTL time.Duration
	// People is the path of a file with the claims of people, by their names, as JSON. It is read whenever somebody is asked about.
	People string
	// Profile are the names of claims that come with the scope profile, besides name.
	Profile []string
	// Port is where it listens; "" is a free one.
	Port string
}

// OIDCProvider starts npm's oidc-provider, and returns its issuer. Anybody can sign in there, as whoever they say they are; its
// pages are answered with login, password and prompt.
func OIDCProvider(t testing.TB, settings OIDCSettings) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "oidcprovider.mjs")
	if err := os.WriteFile(script, oidcProviderScript, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		port := settings.Port
		if port == "" {
			port = FreePort(t)
		}
		issuer := "http://localhost:" + port
		document, err := json.Marshal(map[string]any{
			"module": filepath.Join(NPM(t), "node_modules", "oidc-provider", "lib", "index.js"), "issuer": issuer, "clients": settings.Clients,
			"resources": settings.Resources, "keys": settings.Keys, "claims": settings.Claims, "ttl": int(settings.TTL.Seconds()),
			"people": settings.People, "profile": settings.Profile,
		})
		if err != nil {
			t.Fatal(err)
		}
		p := startIn(t, []string{"SETTINGS=" + string(document)}, Node(t), script)
		if p.ready(issuer + "/.well-known/openid-configuration") {
			return issuer
		}
		p.stop()
	}
	t.Fatal("oidc-provider does not start")
	return ""
}
