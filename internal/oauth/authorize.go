package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/fetch"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
)

// Bounds of an authorization request.
const (
	maxState     = 1024
	maxLoginHint = 128
)

// authorizeParams are the parameters that mean something at the authorization endpoint. Others are ignored.
var authorizeParams = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "resource", "prompt",
	"login_hint", "request", "request_uri",
}

// authorizeError is a refusal at the authorization endpoint. Without to it is for the person alone, since there is nobody who could
// safely be told; with it, the client can be told as well.
type authorizeError struct {
	*protocolError
	client *client
	to     *redirect
	state  string
}

// serveAuthorize is the authorization endpoint (OAuth 2.1 section 4.1.1). Everything is checked before anybody is sent
// anywhere, and nothing changes here by asking, however often.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	p, err := s.authorizeRequestParams(r)
	if err != nil {
		s.refuseAuthorization(w, r, &authorizeError{protocolError: asProtocolError(err)})
		return
	}
	req, c, to, refusal := s.checkAuthorization(r, p)
	if refusal != nil {
		s.refuseAuthorization(w, r, refusal)
		return
	}
	if r.Method == http.MethodPost {
		// On from a post of another site by GET, with which our cookies travel.
		query := make(url.Values)
		for _, name := range authorizeParams {
			if v := p.get(name); v != "" {
				query.Set(name, v)
			}
		}
		s.seeOther(w, r, s.endpoint("authorize")+"?"+query.Encode())
		return
	}
	s.ask(w, r, req, c, to)
}

// authorizeRequestParams reads the query of a GET or the body of a POST.
func (s *Server) authorizeRequestParams(r *http.Request) (params, error) {
	if r.Method == http.MethodPost {
		return readForm(r, maxAuthorizeBytes)
	}
	return parseParams(r.URL.RawQuery, maxAuthorizeBytes)
}

// checkAuthorization checks a request completely: first who would be answered and where, then all the rest.
func (s *Server) checkAuthorization(r *http.Request, p params) (*authRequest, *client, redirect, *authorizeError) {
	local := func(err error) (*authRequest, *client, redirect, *authorizeError) {
		return nil, nil, redirect{}, &authorizeError{protocolError: asProtocolError(err)}
	}
	if name := p.repeated("client_id", "redirect_uri"); name != "" {
		return local(refuse(codeInvalidRequest, "The parameter "+name+" is there more than once."))
	}
	if p.get("client_id") == "" {
		return local(refuse(codeInvalidRequest, "The request names no client."))
	}
	c, err := s.client(r.Context(), p.get("client_id"))
	if errors.Is(err, errUnknownClient) {
		// These very words make some clients register anew.
		return local(refuse(codeInvalidClient, "Client not found"))
	}
	if err != nil {
		e := *asProtocolError(err)
		if e.code == codeInvalidClient {
			e.status = http.StatusBadRequest
		}
		return local(&e)
	}
	uri := p.get("redirect_uri")
	if uri == "" && len(c.RedirectURIs) == 1 {
		uri = c.RedirectURIs[0]
	}
	to, err := matchRedirect(c.RedirectURIs, uri)
	if err != nil {
		return local(&protocolError{code: codeInvalidRequest, description: sentence(err.Error()), reason: err})
	}
	req, err := s.checkParams(p, c)
	if err == nil {
		if req.Client, req.Redirect = c.ID, to.raw; !req.fits() {
			err = refuse(codeInvalidRequest, "The request is too long.")
		}
	}
	if err != nil {
		refusal := &authorizeError{protocolError: asProtocolError(err), client: c, to: &to}
		if state := p.get("state"); len(state) <= maxState && printable(state) && p.repeated("state") == "" {
			refusal.state = state
		}
		return nil, nil, redirect{}, refusal
	}
	return req, c, to, nil
}

// checkParams checks what may be told to the client if it is wrong.
func (s *Server) checkParams(p params, c *client) (*authRequest, error) {
	if name := p.repeated(authorizeParams...); name == "resource" {
		return nil, refuse(codeInvalidTarget, "A token is for one resource only.")
	} else if name != "" {
		return nil, refuse(codeInvalidRequest, "The parameter "+name+" is there more than once.")
	}
	state := p.get("state")
	if len(state) > maxState || !printable(state) {
		return nil, refuse(codeInvalidRequest, "The state is too long, or has characters that it can't have.")
	}
	if p.get("request") != "" {
		return nil, refuse(codeRequestNotSupported, "Request objects are not supported.")
	}
	if p.get("request_uri") != "" {
		return nil, refuse(codeRequestURINotSupported, "Request objects are not supported.")
	}
	switch p.get("response_type") {
	case "code":
	case "":
		return nil, refuse(codeInvalidRequest, "The response_type is missing.")
	default:
		return nil, refuse(codeUnsupportedResponseType, "The only response type here is code.")
	}
	if mode := p.get("response_mode"); mode != "" && mode != "query" {
		return nil, refuse(codeInvalidRequest, "The only response mode here is query.")
	}
	if !c.may(grantAuthorizationCode) {
		return nil, refuse(codeUnauthorizedClient, "This client may not ask for codes.")
	}
	// RFC 7636 section 4.3: no method would mean plain, which protects nothing.
	if p.get("code_challenge") == "" || p.get("code_challenge_method") != "S256" {
		return nil, refuse(codeInvalidRequest, "PKCE is required: a code_challenge with code_challenge_method S256.")
	}
	if !validChallenge(p.get("code_challenge")) {
		return nil, refuse(codeInvalidRequest, "The code_challenge is not one of S256.")
	}
	scope, err := parseScope(p.get("scope"))
	if err != nil {
		return nil, err
	}
	res, err := s.resource(p.get("resource"))
	if err != nil {
		return nil, err
	}
	ask, anew, err := parsePrompt(p.get("prompt"))
	if err != nil {
		return nil, err
	}
	req := &authRequest{State: state, Challenge: p.get("code_challenge"), Resource: res.URL, Scope: scope, Ask: ask, Anew: anew}
	if hint := p.get("login_hint"); len(hint) <= maxLoginHint && printable(hint) {
		req.Hint = hint
	}
	return req, nil
}

// parsePrompt reads the prompt parameter (OpenID Connect Core section 3.1.2.1): whether a person has to be asked whatever
// they answered before, and has to sign in anew. That nobody may be asked can't be promised here, since it is the identity provider who decides.
func parsePrompt(raw string) (ask, anew bool, err error) {
	prompts := strings.Fields(raw)
	if slices.Contains(prompts, "none") {
		if len(prompts) > 1 {
			return false, false, refuse(codeInvalidRequest, "The prompt none stands alone.")
		}
		return false, false, refuse(codeLoginRequired, "Nobody can be signed in here without seeing a page.")
	}
	return len(prompts) > 0, slices.Contains(prompts, "login"), nil
}

// refuseAuthorization tells whoever may be told. The person's browser is only sent on by itself to where it can do no harm: to a
// client that the operator set up, to a program on the same computer, or to a place this browser has allowed before. To send
// it anywhere else would lend our name to whoever registers a client (RFC 9700 section 4.11.2).
func (s *Server) refuseAuthorization(w http.ResponseWriter, r *http.Request, e *authorizeError) {
	ev := &event{name: "authorize", decision: decisionRefuse, reason: e.Error(), status: e.status}
	if e.client != nil {
		ev.clientID, ev.clientName = e.client.ID, e.client.Name
	}
	s.record(ev)
	if e.to != nil && s.trusts(r, e.client, *e.to) {
		s.answerClient(w, r, *e.to, e.state, url.Values{"error": {e.code}, "error_description": {e.description}})
		return
	}
	if accepts(r, "application/json") && !accepts(r, "text/html") {
		// A client that looks before it opens a browser.
		writeError(w, e.protocolError)
		return
	}
	status := e.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	setRetryAfter(w, e.retryAfter)
	m := pages.Message{
		Status: status, Title: "This request can't be answered", Text: e.description,
		Hint: "The app that sent you here has to ask differently. Go back to it and connect again.",
	}
	if e.code == codeInvalidClient {
		m.Title = "Unknown app"
		m.Hint = "The app that sent you here is not registered, or its registration has expired. Go back to it, remove this server and add it again."
		if _, refused := errors.AsType[*fetch.Refusal](e.reason); refused {
			m.Title, m.Hint = "This app can't be let in", "Whoever makes it has to put that right."
		}
	}
	if status >= http.StatusInternalServerError {
		m.Title, m.Hint = "Not right now", ""
	}
	s.pages.Message(w, m)
}

// trusts reports whether a browser may be sent to a redirect URI before the person has said anything.
func (s *Server) trusts(r *http.Request, c *client, to redirect) bool {
	return c.Static != nil || to.kind == redirectLoopback || s.rememberedHost(r, c, to)
}

// answerClient sends the browser back to the client.
func (s *Server) answerClient(w http.ResponseWriter, r *http.Request, to redirect, state string, query url.Values) {
	s.seeOther(w, r, s.clientAnswer(to, state, query))
}

// clientAnswer is the address that takes an answer to the client, with iss whatever the answer is (RFC 9207 section 2).
func (s *Server) clientAnswer(to redirect, state string, query url.Values) string {
	if state != "" {
		query.Set("state", state)
	}
	query.Set("iss", s.cfg.Issuer)
	return to.with(query)
}

// seeOther redirects with 303, after which every browser asks by GET. The body stays empty, so that nothing is reflected.
func (s *Server) seeOther(w http.ResponseWriter, _ *http.Request, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// accepts reports whether the Accept header names a media type.
func accepts(r *http.Request, kind string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		name, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), kind) {
			return true
		}
	}
	return false
}
