package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// How a client may prove itself at the token endpoint (RFC 6749 section 2.3, RFC 7591 section 2).
const (
	authNone  = "none"
	authBasic = "client_secret_basic"
	authPost  = "client_secret_post"
)

// authMethods are all of them, as they are advertised.
var authMethods = []string{authNone, authBasic, authPost, authKey}

// authenticateClient finds out which client is asking, and that it is that one.
//
// An Authorization header of another scheme than Basic is ignored: there are clients that send the person's bearer token to
// every endpoint.
func (s *Server) authenticateClient(r *http.Request, form params) (*client, error) {
	if name := form.repeated("client_id", "client_secret", "client_assertion", "client_assertion_type"); name != "" {
		return nil, refuse(codeInvalidRequest, "The parameter "+name+" is there more than once.")
	}
	if form.get("client_assertion") != "" || form.get("client_assertion_type") != "" {
		return s.authenticateAssertion(r, form)
	}
	id, secret := form.get("client_id"), form.get("client_secret")
	basic, candidates, err := basicCredentials(r)
	if err != nil {
		return nil, err
	}
	if !basic {
		candidates = []credentials{{id, secret}}
	} else if secret != "" {
		return nil, refuse(codeInvalidRequest, "The client authenticates in two ways at once.")
	}
	var found error = invalidClient("The request names no client.", basic)
	var named, proved *client
	for _, cand := range candidates {
		if basic && id != "" && cand.id != id {
			found = refuse(codeInvalidRequest, "The client_id is not the one of the Authorization header.")
			continue
		}
		if cand.id == "" {
			continue
		}
		c, err := s.client(r.Context(), cand.id)
		if errors.Is(err, errUnknownClient) {
			found = invalidClient("Client not found", basic)
			continue
		}
		if err != nil {
			return nil, asProtocolError(err)
		}
		named = c
		if c.proves(cand.secret) {
			proved = c
			break
		}
		if found = invalidClient("The client's credentials are wrong.", basic); c.KeyOnly {
			found = invalidClient("This client has to prove itself with a client_assertion.", basic)
		}
	}
	// Both readings of one header are one attempt.
	if named != nil && named.Static != nil && named.Secret != nil {
		if wait := s.secrets.wait(r, named.ID, proved != nil, s.now()); wait > 0 {
			return nil, &protocolError{
				code: codeTemporarilyUnavailable, description: "Too many attempts with wrong credentials. Try again later.",
				status: http.StatusTooManyRequests, retryAfter: wait,
			}
		}
	}
	if proved != nil {
		return proved, nil
	}
	return nil, found
}

// proves reports whether secret is the client's; a public client has none, and must not send one.
func (c *client) proves(secret string) bool {
	if c.Secret == nil {
		return c.public() && secret == ""
	}
	sum := sha256.Sum256([]byte(secret))
	return secret != "" && subtle.ConstantTimeCompare(sum[:], c.Secret) == 1
}

// credentials are what a client says it is.
type credentials struct{ id, secret string }

// basicCredentials reads an Authorization header of the scheme Basic. RFC 6749 section 2.3.1 has both halves form-encoded,
// which half of all clients forget: so where it makes a difference, there are two readings of one header.
func basicCredentials(r *http.Request) (present bool, readings []credentials, err error) {
	headers := r.Header.Values("Authorization")
	for _, h := range headers {
		if scheme, _, _ := strings.Cut(h, " "); strings.EqualFold(scheme, "Basic") {
			present = true
		}
	}
	if !present {
		return false, nil, nil
	}
	if len(headers) != 1 {
		return true, nil, refuse(codeInvalidRequest, "There is more than one Authorization header.")
	}
	_, encoded, _ := strings.Cut(headers[0], " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || len(raw) > maxFormBytes {
		return true, nil, invalidClient("The Authorization header can't be read.", true)
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	if !ok {
		return true, nil, invalidClient("The Authorization header can't be read.", true)
	}
	readings = []credentials{{id, secret}}
	decodedID, errID := url.QueryUnescape(id)
	decodedSecret, errSecret := url.QueryUnescape(secret)
	if errID == nil && errSecret == nil && (decodedID != id || decodedSecret != secret) {
		readings = []credentials{{decodedID, decodedSecret}, {id, secret}}
	}
	return true, readings, nil
}

// invalidClient refuses a client (RFC 6749 section 5.2). The 401 makes clients register anew where they are unknown.
func invalidClient(description string, challenge bool) *protocolError {
	return &protocolError{code: codeInvalidClient, description: description, status: http.StatusUnauthorized, challenge: challenge}
}
