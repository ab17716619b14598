package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/fetch"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// vendor is who makes a client: a web site with documents.
type vendor struct {
	*peers.Site
	asked atomic.Int64

	mu    sync.Mutex
	pages map[string]string
	down  bool
}

// newVendor starts one.
func newVendor(t testing.TB) *vendor {
	t.Helper()
	v := &vendor{pages: make(map[string]string)}
	v.Site = peers.NewSite(t, v)
	return v
}

// ServeHTTP implements http.Handler.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.asked.Add(1)
	v.mu.Lock()
	defer v.mu.Unlock()
	page, there := v.pages[r.URL.RequestURI()]
	switch {
	case v.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case !there:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = w.Write([]byte(page))
	}
}

// publish puts a page on the site and returns its address.
func (v *vendor) publish(path, page string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pages[path] = page
	return v.Origin + path
}

// fail has the site be down, or not.
func (v *vendor) fail(down bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.down = down
}

// document publishes a client's metadata document and returns its address; changes are pairs, and nil leaves a member out.
func (v *vendor) document(path string, changes ...any) string {
	doc := map[string]any{
		"client_id": v.Origin + path, "client_name": "Agent of a Vendor", "redirect_uris": []string{"http://127.0.0.1/callback", webRedirect},
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}, "token_endpoint_auth_method": "none",
	}
	for i := 0; i+1 < len(changes); i += 2 {
		name := changes[i].(string)
		if doc[name] = changes[i+1]; doc[name] == nil {
			delete(doc, name)
		}
	}
	page, _ := json.Marshal(doc)
	return v.publish(path, string(page))
}

// newDocumentFixture is a fixture that takes documents, also of this computer.
func newDocumentFixture(t testing.TB, v *vendor, change func(*Config)) *fixture {
	t.Helper()
	private := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	return newFixture(t, func(c *Config) {
		c.Documents = &Documents{Cache: NewDocumentCache(fetch.NewClient(fetch.Options{Private: private, Roots: v.Roots}), c.Now)}
		if change != nil {
			change(c)
		}
	})
}

// clientKey is a key of a client.
type clientKey struct {
	jose.JSONWebKey
	signer crypto.Signer
}

// newClientKey makes one for ES256.
func newClientKey(t testing.TB, id string) *clientKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &clientKey{jose.JSONWebKey{Key: private.Public(), KeyID: id, Algorithm: "ES256", Use: "sig"}, private}
}

// jwks is the public set of keys.
func jwks(keys ...*clientKey) json.RawMessage {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, k.JSONWebKey)
	}
	text, _ := json.Marshal(set)
	return text
}

// assertion makes an assertion that is good; changes are pairs, and nil leaves a claim out. The members of header that begin with a
// star are of the header.
func (k *clientKey) assertion(t testing.TB, f *fixture, clientID string, changes ...any) string {
	t.Helper()
	now := f.clock.now()
	claims := map[string]any{
		"iss": clientID, "sub": clientID, "aud": testIssuer, "exp": now.Add(5 * time.Minute).Unix(), "iat": now.Unix(), "jti": randomText(8),
	}
	options := new(jose.SignerOptions).WithType("JWT")
	for i := 0; i+1 < len(changes); i += 2 {
		name := changes[i].(string)
		if name[0] == '*' {
			options.WithHeader(jose.HeaderKey(name[1:]), changes[i+1])
			continue
		}
		if claims[name] = changes[i+1]; changes[i+1] == nil {
			delete(claims, name)
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return k.sign(t, options, payload)
}

// sign signs a payload.
func (k *clientKey) sign(t testing.TB, options *jose.SignerOptions, payload []byte) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: jose.JSONWebKey{Key: k.signer, KeyID: k.KeyID}}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// proving adds an assertion to a form.
func proving(form url.Values, assertion string) url.Values {
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	return form
}

// publicOnly takes documents of the public internet alone.
func publicOnly(v *vendor) *Documents {
	return &Documents{Cache: NewDocumentCache(fetch.NewClient(fetch.Options{Roots: v.Roots}), time.Now)}
}
