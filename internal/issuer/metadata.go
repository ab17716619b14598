package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Metadata is what is needed of what an issuer says about itself (RFC 8414 section 2, OpenID Connect Discovery section 3). It is
// read-only.
type Metadata struct {
	Issuer        string `json:"issuer"`
	JWKS          string `json:"jwks_uri"`
	Introspection string `json:"introspection_endpoint"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`

	// Algorithms are those that ID tokens may be signed with, AuthMethods how clients authenticate at the token endpoint.
	Algorithms  []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	Scopes      []string `json:"scopes_supported"`
	// NamesItself says that the answer to an authorization request has iss (RFC 9207 section 3).
	NamesItself bool `json:"authorization_response_iss_parameter_supported"`
}

// Metadata returns what the issuer says about itself.
func (i *Issuer) Metadata(ctx context.Context) (*Metadata, error) {
	return i.metadata.get(ctx, func(*Metadata) bool { return true })
}

// readMetadata reads the metadata: where RFC 8414 section 3.1 has them, or OpenID Connect Discovery.
func (i *Issuer) readMetadata(ctx context.Context) (*Metadata, error) {
	issuer, err := url.Parse(i.cfg.Name)
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	origin := issuer.Scheme + "://" + issuer.Host
	addresses := []string{origin + path + "/.well-known/openid-configuration"}
	if !i.cfg.OpenID {
		addresses = append([]string{origin + "/.well-known/oauth-authorization-server" + path}, addresses...)
	}
	var errs []error
	for _, address := range addresses {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		var found Metadata
		if err := i.Do(r, &found); err != nil {
			errs = append(errs, err)
			continue
		}
		// RFC 8414 section 3.3: metadata that are somebody else's are not to be used.
		if found.Issuer != i.cfg.Name {
			errs = append(errs, fmt.Errorf("the metadata at %s are those of %q", address, found.Issuer))
			continue
		}
		return &found, nil
	}
	return nil, errors.Join(errs...)
}

// Endpoint returns an address from the metadata; name is what they call it.
func (i *Issuer) Endpoint(ctx context.Context, name string, of func(*Metadata) string) (string, error) {
	found, err := i.Metadata(ctx)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(of(found))
	if err != nil || u.Host == "" || !Secure(u) {
		return "", fmt.Errorf("the metadata of %s name no usable %s", i.cfg.Name, name)
	}
	return u.String(), nil
}
