// Package issuer reads what authorization servers and OpenID providers elsewhere say: their metadata and their keys, bounded, when they
// are first needed, and again from time to time; and the claims of their tokens. What a token is worth is for the caller to decide.
package issuer

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Config is what is known of an issuer beforehand.
type Config struct {
	// Name is the issuer identifier, as tokens have it in iss (RFC 8414 section 2).
	Name string
	// JWKS is where its keys are; empty: where its metadata say.
	JWKS string
	// OpenID reads the metadata of OpenID Connect Discovery alone. Otherwise those of RFC 8414 are preferred: of a server that
	// has both they are for those who take its access tokens.
	OpenID bool
}

// CheckName says what is wrong with an issuer identifier.
func CheckName(name string) error {
	u, err := url.Parse(name)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(name, "?# "):
		return fmt.Errorf("%q is no issuer such as https://auth.example.com", name)
	case !Secure(u):
		return fmt.Errorf("the issuer %s must be https: plain http is for loopback only (RFC 8414 section 2)", name)
	}
	return nil
}

// Secure reports whether what is read from an address can be believed.
func Secure(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// Issuer is an authorization server or an OpenID provider somewhere else. It reads nothing from there before that is needed. Safe
// for concurrent use.
type Issuer struct {
	cfg      Config
	client   *http.Client
	now      func() time.Time
	log      func() *zap.Logger
	metadata remote[*Metadata]
	keys     remote[*keySet]
}

// New makes an issuer whose name CheckName finds nothing wrong with. client may be nil; it is copied, and what would be unsafe taken
// from it. log returns the logger of the moment, as an issuer may live longer than one.
func New(cfg Config, client *http.Client, now func() time.Time, log func() *zap.Logger) *Issuer {
	i := &Issuer{cfg: cfg, client: newClient(client), now: now, log: log}
	i.metadata = remote[*Metadata]{now: now, read: i.readMetadata, fresh: keysFresh, stale: KeysStale}
	i.keys = remote[*keySet]{now: now, read: i.readKeys, fresh: keysFresh, stale: KeysStale}
	return i
}

// Name is the issuer identifier.
func (i *Issuer) Name() string { return i.cfg.Name }

// Client is what the issuer is asked with: it follows no redirects, and its answers are bounded in time and size.
func (i *Issuer) Client() *http.Client { return i.client }
