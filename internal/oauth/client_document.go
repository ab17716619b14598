package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/fetch"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// maxDocument bounds a client's metadata document, in bytes. The draft recommends 5 kB (section 6.6), which a document that brings
// its keys along can exceed.
const maxDocument = 16 << 10

// Documents says which clients may describe themselves by a client ID metadata document: their client_id is the https URL of it
// (draft-ietf-oauth-client-id-metadata-document, below called the draft).
type Documents struct {
	// Cache gets and keeps them.
	Cache *DocumentCache
	// Allow are the domains that documents may be at: a name, or a star for any name below one, such as *.example.com. Empty
	// means all, and then whoever names many can keep those of others from being fetched.
	Allow []string
}

// CheckDomain says why a pattern can't be one of Documents.Allow.
func CheckDomain(pattern string) error {
	name := strings.TrimPrefix(pattern, "*.")
	if u, err := fetch.CheckURL("https://" + name); err != nil || u.Host != name || u.Port() != "" {
		return errors.New("it has to be a domain such as claude.ai, or *.example.com for all below it, in lower case")
	}
	return nil
}

// DocumentCache keeps metadata documents, and the keys that they say are elsewhere. A Server that takes the place of another, with a
// new configuration, can be given the cache of the old one: then nobody has to sign in anew because a client's site is down just then.
// What a document says does not depend on any configuration, and whether it is allowed is asked each time. It is safe for concurrent use.
type DocumentCache struct {
	clients *fetch.Cache[*client]
	keys    *fetch.Cache[clientKeySet]
}

// NewDocumentCache makes an empty one of what from may fetch. now is the clock.
func NewDocumentCache(from *fetch.Client, now func() time.Time) *DocumentCache {
	return &DocumentCache{
		clients: fetch.NewCache(from, maxDocument, parseDocument, now),
		keys:    fetch.NewCache(from, maxKeySet, parseKeys, now),
	}
}

// documents finds clients by their metadata documents.
type documents struct {
	*DocumentCache
	allow  []string
	limits *documentLimits
	now    func() time.Time
}

// newDocuments makes what cfg asks for; nil if it asks for none.
func newDocuments(cfg *Config) (*documents, error) {
	if cfg.Documents == nil {
		return nil, nil
	}
	for _, pattern := range cfg.Documents.Allow {
		if err := CheckDomain(pattern); err != nil {
			return nil, errors.New("oauth: domain " + pattern + " of metadata documents: " + err.Error())
		}
	}
	return &documents{cfg.Documents.Cache, cfg.Documents.Allow, newDocumentLimits(cfg.Documents.Allow), cfg.Now}, nil
}

// documentURL parses a client_id that may be the address of a metadata document (section 3 of the draft): an address that documents
// are fetched from, with a path that says more than the root and has no dot segments.
func documentURL(id string) (*url.URL, bool) {
	u, err := fetch.CheckURL(id)
	if err != nil || len(u.Path) < 2 {
		return nil, false
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // decoded: %2e is a dot
		if segment == "." || segment == ".." {
			return nil, false
		}
	}
	return u, true
}

// client returns the client that a document describes. The errors are errUnknownClient for what can't be the address of one that may come
// in here, and *protocolError.
func (d *documents) client(ctx context.Context, id string) (*client, error) {
	u, ok := documentURL(id)
	if d == nil || !ok || !d.allowed(u.Hostname()) {
		return nil, errUnknownClient
	}
	c, err := d.clients.Get(ctx, id, d.request(ctx, id, time.Time{}))
	if err != nil {
		return nil, documentError("metadata document", err)
	}
	return c, nil
}

// allowed reports whether documents may be at a host.
func (d *documents) allowed(host string) bool {
	_, listed := d.listed(host)
	return listed || len(d.allow) == 0
}

// listed finds the pattern of the list that a host fits.
func (d *documents) listed(host string) (pattern string, ok bool) {
	for _, pattern := range d.allow {
		below, star := strings.CutPrefix(pattern, "*")
		if star && strings.HasSuffix(host, below) || host == pattern {
			return pattern, true
		}
	}
	return "", false
}

// request asks for what is at an address, as it was after askedAfter, within the limit of whoever wants it.
func (d *documents) request(ctx context.Context, address string, askedAfter time.Time) fetch.Request {
	return fetch.Request{AskedAfter: askedAfter, May: func() error {
		share := ""
		if u, err := url.Parse(address); err == nil {
			share, _ = d.listed(u.Hostname())
		}
		if wait := d.limits.wait(identity.Origin(ctx), share, d.now()); wait > 0 {
			return &protocolError{
				code: codeTemporarilyUnavailable, description: "Too many metadata documents were asked for. Try again later.",
				status: http.StatusTooManyRequests, retryAfter: wait,
			}
		}
		return nil
	}}
}

// documentError turns an error of fetching into one that can be answered with: what is wrong with a document is its author's business, and
// who could have looked it up. Why one can't be had is in the log alone: it says something about the network behind us.
func documentError(what string, err error) error {
	if refusal, ok := errors.AsType[*fetch.Refusal](err); ok {
		return &protocolError{
			code: codeInvalidClient, status: http.StatusUnauthorized, reason: err,
			description: "The " + what + " that this client names is no good: it " + refusal.Reason + ".",
		}
	}
	if errors.Is(err, fetch.ErrUnavailable) {
		return &protocolError{
			code: codeTemporarilyUnavailable, status: http.StatusServiceUnavailable, retryAfter: 10 * time.Second, reason: err,
			description: "The " + what + " that this client names can't be fetched: its site does not answer, or is not at a public address.",
		}
	}
	return asProtocolError(err)
}

// clientDocument is what a metadata document says (section 4.1 of the draft, RFC 7591 section 2). Everything else in it is ignored.
type clientDocument struct {
	ID string `json:"client_id"`
	registration
	Algorithm     string         `json:"token_endpoint_auth_signing_alg"`
	Keys          jsontext.Value `json:"jwks"`
	KeysURI       string         `json:"jwks_uri"`
	Secret        jsontext.Value `json:"client_secret"`
	SecretExpires jsontext.Value `json:"client_secret_expires_at"`
}

// parseDocument makes a client of the document at an address that documentURL found good. Its names are compared exactly, and none may be
// there twice.
func parseDocument(address string, body []byte) (*client, error) {
	var doc clientDocument
	if err := jsonv2.Unmarshal(body, &doc); err != nil {
		return nil, &fetch.Refusal{Reason: "is not a valid JSON object, or a member has the wrong type", Err: err}
	}
	// A document names itself, byte for byte: otherwise it might be a copy of somebody else's.
	u, ok := documentURL(address)
	if !ok || doc.ID != address {
		return nil, &fetch.Refusal{Reason: "has another client_id than its own address"}
	}
	c := &client{ID: doc.ID, Name: cleanName(doc.Name), Domain: u.Host}
	if c.Name == "" {
		return nil, &fetch.Refusal{Reason: "has no client_name"}
	}
	var err error
	if c.RedirectURIs, err = acceptableRedirects(doc.RedirectURIs); err != nil {
		return nil, &fetch.Refusal{Reason: "has no redirect_uris that are acceptable", Err: err}
	}
	if c.Grants, err = acceptableGrants(doc.GrantTypes); err != nil {
		return nil, &fetch.Refusal{Reason: "has no grant type that there is here", Err: err}
	}
	if len(doc.ResponseTypes) > 0 && !slices.Contains(doc.ResponseTypes, "code") {
		return nil, &fetch.Refusal{Reason: "does not have the response type code"}
	}
	// A secret that everybody can read is none (section 4.1 of the draft).
	if present(doc.Secret) || present(doc.SecretExpires) {
		return nil, &fetch.Refusal{Reason: "has a client_secret"}
	}
	if c.Keys, err = doc.keys(); err != nil {
		return nil, err
	}
	switch doc.AuthMethod {
	case "", authNone:
	case authKey:
		if c.Keys == nil {
			return nil, &fetch.Refusal{Reason: "has the token_endpoint_auth_method private_key_jwt, but neither jwks nor jwks_uri"}
		}
		c.KeyOnly = true
	default:
		return nil, &fetch.Refusal{Reason: "has a token_endpoint_auth_method other than none and private_key_jwt"}
	}
	return c, nil
}

// present reports whether a member is there, and is not null.
func present(v jsontext.Value) bool { return len(v) > 0 && v.Kind() != 'n' }

// keys are the keys that a document names: itself, or where they are (RFC 7591 section 2: not both). Nil means none.
func (doc *clientDocument) keys() (*clientKeys, error) {
	keys := &clientKeys{uri: doc.KeysURI, algorithm: doc.Algorithm}
	switch {
	case doc.Algorithm != "" && !slices.Contains(assertionAlgorithmNames(), doc.Algorithm):
		return nil, &fetch.Refusal{Reason: "has a token_endpoint_auth_signing_alg that there is not here"}
	case present(doc.Keys) && doc.KeysURI != "":
		return nil, &fetch.Refusal{Reason: "has both jwks and jwks_uri"}
	case present(doc.Keys):
		set, err := parseKeys("", doc.Keys)
		keys.set = set
		return keys, err
	case doc.KeysURI != "":
		if _, err := fetch.CheckURL(doc.KeysURI); err != nil || len(doc.KeysURI) > maxClientID {
			return nil, &fetch.Refusal{Reason: "has a jwks_uri that keys are not fetched from", Err: err}
		}
		return keys, nil
	default:
		return nil, nil
	}
}
