package oauth

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Error codes of RFC 6749 (sections 4.1.2.1 and 5.2), RFC 7009 (section 2.2.1), RFC 7591 (section 3.2.2), RFC 8707 (section 2) and OpenID Connect
// Core (section 3.1.2.6).
const (
	codeAccessDenied            = "access_denied"
	codeInvalidClient           = "invalid_client"
	codeInvalidClientMetadata   = "invalid_client_metadata"
	codeInvalidGrant            = "invalid_grant"
	codeInvalidRedirectURI      = "invalid_redirect_uri"
	codeInvalidRequest          = "invalid_request"
	codeInvalidScope            = "invalid_scope"
	codeInvalidTarget           = "invalid_target"
	codeInvalidToken            = "invalid_token"
	codeLoginRequired           = "login_required"
	codeRequestNotSupported     = "request_not_supported"
	codeRequestURINotSupported  = "request_uri_not_supported"
	codeServerError             = "server_error"
	codeTemporarilyUnavailable  = "temporarily_unavailable"
	codeUnauthorizedClient      = "unauthorized_client"
	codeUnsupportedGrantType    = "unsupported_grant_type"
	codeUnsupportedResponseType = "unsupported_response_type"
	codeUnsupportedTokenType    = "unsupported_token_type"
)

// protocolError is an error that a client is told about in the words of OAuth.
type protocolError struct {
	code string
	// description is one of our own sentences; it never repeats what was sent, and holds only characters that RFC 6749
	// section 5.2 allows there.
	description string
	// status is the HTTP status of a direct answer. Zero means 400.
	status int
	// challenge asks for a WWW-Authenticate header, since the client tried Basic (RFC 6749 section 5.2).
	challenge bool
	// retryAfter is when trying again may help. Zero: not said.
	retryAfter time.Duration
	// reason is for the log and the audit record. It may be nil.
	reason error
}

// Error implements error.
func (e *protocolError) Error() string {
	if e.reason != nil {
		return e.code + ": " + e.description + ": " + e.reason.Error()
	}
	return e.code + ": " + e.description
}

// Unwrap returns the reason.
func (e *protocolError) Unwrap() error { return e.reason }

// refuse makes a protocolError with status 400.
func refuse(code, description string) *protocolError {
	return &protocolError{code: code, description: description}
}

// unavailable makes the answer for trouble of our own: of the store, the keys, the identity provider. A bare 500 makes
// clients throw their credentials away; this makes them come back.
func unavailable(reason error) *protocolError {
	return &protocolError{
		code: codeTemporarilyUnavailable, description: "The authorization server can't answer right now. Try again shortly.",
		status: http.StatusServiceUnavailable, retryAfter: 5 * time.Second, reason: reason,
	}
}

// asProtocolError turns any error into one that can be answered with.
func asProtocolError(err error) *protocolError {
	if e, ok := errors.AsType[*protocolError](err); ok {
		return e
	}
	return unavailable(err)
}

// writeError answers with the JSON of RFC 6749 section 5.2.
func writeError(w http.ResponseWriter, e *protocolError) {
	status := e.status
	if status == 0 {
		status = http.StatusBadRequest
	}
	if e.challenge {
		w.Header().Set("WWW-Authenticate", `Basic realm="token endpoint", charset="UTF-8"`)
	}
	setRetryAfter(w, e.retryAfter)
	writeJSON(w, status, struct {
		Code        string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{e.code, e.description})
}

// setRetryAfter says in whole seconds when to come back, if d is not zero.
func setRetryAfter(w http.ResponseWriter, d time.Duration) {
	if d > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	}
}

// writeJSON answers with a document that nobody may keep (RFC 6749 section 5.1).
func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	writeDocument(w, status, v)
}

// writeDocument answers with JSON; the caller has said how long it may be kept.
func writeDocument(w http.ResponseWriter, status int, v any) {
	// All that is written here are our own types, which always have a JSON form.
	body, _ := json.Marshal(v)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
