package foreign

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// metadata is what is needed of what an authorization server says about itself (RFC 8414 section 2).
type metadata struct {
	Issuer        string `json:"issuer"`
	JWKS          string `json:"jwks_uri"`
	Introspection string `json:"introspection_endpoint"`
}

// readMetadata reads the metadata: where RFC 8414 section 3.1 has them, or OpenID Connect Discovery.
func (i *Issuer) readMetadata(ctx context.Context) (*metadata, error) {
	issuer, err := url.Parse(i.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	origin := issuer.Scheme + "://" + issuer.Host
	var errs []error
	for _, address := range []string{
		origin + "/.well-known/oauth-authorization-server" + path,
		origin + path + "/.well-known/openid-configuration",
	} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		var found metadata
		if err := i.do(r, &found); err != nil {
			errs = append(errs, err)
			continue
		}
		// RFC 8414 section 3.3: metadata that are somebody else's are not to be used.
		if found.Issuer != i.cfg.Issuer {
			errs = append(errs, fmt.Errorf("the metadata at %s are those of %q", address, found.Issuer))
			continue
		}
		return &found, nil
	}
	return nil, errors.Join(errs...)
}

// address returns an endpoint from the metadata, or the one that was configured.
func (i *Issuer) address(ctx context.Context, configured, name string, of func(*metadata) string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	found, err := i.metadata.get(ctx, func(*metadata) bool { return true })
	if err != nil {
		return "", err
	}
	u, err := url.Parse(of(found))
	if err != nil || u.Host == "" || !secure(u) {
		return "", fmt.Errorf("the metadata of %s name no usable %s", i.cfg.Issuer, name)
	}
	return u.String(), nil
}
