package oauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
)

// Bounds of a registration.
const (
	maxRegistrationBytes = 32 << 10
	maxRedirectURIs      = 16
	maxClientName        = 200
)

// registration is what a client may say about itself (RFC 7591 section 2). Everything else is ignored, as section 3.1 of
// the RFC has it: application_type, software_id, jwks, contacts, scope, and whatever comes next.
type registration struct {
	RedirectURIs  []string `json:"redirect_uris"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	Name          string   `json:"client_name"`
}

// registered is the answer (RFC 7591 section 3.2.1). Clients parse it strictly: times are integers, and nothing is null.
type registered struct {
	ID            string   `json:"client_id"`
	IssuedAt      int64    `json:"client_id_issued_at"`
	Secret        string   `json:"client_secret,omitempty"`
	SecretExpires *int64   `json:"client_secret_expires_at,omitempty"`
	RedirectURIs  []string `json:"redirect_uris"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	Name          string   `json:"client_name,omitempty"`
	Scope         string   `json:"scope"`
}

// serveRegister is dynamic client registration (RFC 7591).
func (s *Server) serveRegister(w http.ResponseWriter, r *http.Request) {
	answer, err := s.register(r)
	if err != nil {
		s.answerError(w, r, "register", nil, err)
		return
	}
	s.record(&event{name: "register", decision: decisionAllow, clientID: answer.ID, clientName: answer.Name, status: http.StatusCreated})
	writeJSON(w, http.StatusCreated, answer)
}

// register checks and keeps a client.
func (s *Server) register(r *http.Request) (*registered, error) {
	if wait := s.limits.wait(r, s.now()); wait > 0 {
		return nil, &protocolError{
			code: codeTemporarilyUnavailable, description: "Too many registrations. Try again later.",
			status: http.StatusTooManyRequests, retryAfter: wait,
		}
	}
	reg, err := readRegistration(r)
	if err != nil {
		return nil, err
	}
	rec := clientRecord{Name: cleanName(reg.Name), AuthMethod: reg.AuthMethod, Created: s.now().UTC()}
	if rec.RedirectURIs, err = acceptableRedirects(reg.RedirectURIs); err != nil {
		return nil, err
	}
	if rec.Grants, err = acceptableGrants(reg.GrantTypes); err != nil {
		return nil, err
	}
	if len(reg.ResponseTypes) > 0 && !slices.Contains(reg.ResponseTypes, "code") {
		return nil, refuse(codeInvalidClientMetadata, "The only response type here is code.")
	}
	answer := &registered{
		ID: "mcp-" + randomText(16), IssuedAt: rec.Created.Unix(), RedirectURIs: rec.RedirectURIs, GrantTypes: rec.Grants,
		ResponseTypes: []string{"code"}, Name: rec.Name, Scope: scopeMCP + " " + scopeOffline,
	}
	// A client that asks for a method that there is not, or for none, gets none: PKCE protects it, and RFC 7591 section
	// 3.2.1 lets a server replace what it does not like.
	if rec.AuthMethod == authBasic || rec.AuthMethod == authPost {
		answer.Secret, answer.SecretExpires = randomText(32), new(int64)
		sum := sha256.Sum256([]byte(answer.Secret))
		rec.Secret = sum[:]
	} else {
		rec.AuthMethod = authNone
	}
	answer.AuthMethod = rec.AuthMethod
	rec.Expires = rec.Created.Add(clientUnusedTTL)
	value, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Store.Put(r.Context(), kindClient, answer.ID, value, rec.Expires); err != nil {
		return nil, unavailable(err)
	}
	return answer, nil
}

// readRegistration reads the body: one JSON object, its names compared exactly and none of them twice.
func readRegistration(r *http.Request) (*registration, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || r.Header.Get("Content-Encoding") != "" {
		return nil, &protocolError{
			code: codeInvalidClientMetadata, description: "The body has to be application/json.", status: http.StatusUnsupportedMediaType,
		}
	}
	body, err := readBody(r, maxRegistrationBytes)
	if err != nil {
		e := asProtocolError(err)
		e.code = codeInvalidClientMetadata
		return nil, e
	}
	body = bytes.TrimLeft(body, " \t\r\n")
	if len(body) == 0 || body[0] != '{' {
		return nil, refuse(codeInvalidClientMetadata, "The body has to be a JSON object.")
	}
	var reg registration
	if err := jsonv2.Unmarshal(body, &reg); err != nil {
		return nil, refuse(codeInvalidClientMetadata, "The body is not valid JSON, or a member has the wrong type.")
	}
	return &reg, nil
}

// acceptableRedirects keeps those URIs that are acceptable, in their order: one client registers an app's scheme, a web page
// and a loopback port at once, and refusing all three because of one breaks it.
func acceptableRedirects(uris []string) ([]string, error) {
	if len(uris) == 0 {
		return nil, refuse(codeInvalidRedirectURI, "At least one redirect URI is needed.")
	}
	if len(uris) > maxRedirectURIs {
		return nil, refuse(codeInvalidRedirectURI, "There are too many redirect URIs.")
	}
	var kept []string
	var first error
	for _, uri := range uris {
		if _, err := parseRedirect(uri); err != nil {
			if first == nil {
				first = err
			}
		} else if !slices.Contains(kept, uri) {
			kept = append(kept, uri)
		}
	}
	if len(kept) == 0 {
		return nil, &protocolError{code: codeInvalidRedirectURI, description: sentence(first.Error()), reason: first}
	}
	return kept, nil
}

// acceptableGrants keeps those grant types that a client may register for. Without any it gets both, as clients that leave
// them out still expect a refresh token.
func acceptableGrants(asked []string) ([]string, error) {
	both := []string{grantAuthorizationCode, grantRefreshToken}
	if len(asked) == 0 {
		return both, nil
	}
	kept := slices.DeleteFunc(both, func(g string) bool { return !slices.Contains(asked, g) })
	if !slices.Contains(kept, grantAuthorizationCode) {
		return nil, refuse(codeInvalidClientMetadata, "The only grant types to register for are authorization_code and refresh_token.")
	}
	return kept, nil
}

// cleanName makes a client's name fit to be shown: one line, of bounded length, without what would turn or hide the text
// around it.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if len(name) <= maxClientName {
		return name
	}
	cut := maxClientName
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut]
}

// sentence makes an error's text one.
func sentence(s string) string {
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
