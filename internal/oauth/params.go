package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// Bounds of what is read from the network.
const (
	maxFormBytes      = 64 << 10
	maxAuthorizeBytes = 8 << 10
	// maxChoiceBytes is room for as many tools as can be ticked on a page, each with as long a name as is listed.
	maxChoiceBytes = 256 << 10
)

// params are the parameters of a request. RFC 6749 section 3.1 asks for two things that url.Values does not do: a
// parameter without a value counts as left out, and none may be there twice.
type params struct{ values url.Values }

// get returns the parameter's first value, or "".
func (p params) get(name string) string { return p.values.Get(name) }

// repeated returns the first of names that is there more than once, or "".
func (p params) repeated(names ...string) string {
	for _, name := range names {
		if len(p.values[name]) > 1 {
			return name
		}
	}
	return ""
}

// parseParams reads a query or form of at most limit bytes.
func parseParams(raw string, limit int) (params, error) {
	if len(raw) > limit {
		return params{}, &protocolError{code: codeInvalidRequest, description: "The request is too long.", status: http.StatusRequestEntityTooLarge}
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		// The error repeats what was sent, so it stays here.
		return params{}, refuse(codeInvalidRequest, "The parameters are not properly encoded.")
	}
	return params{values}, nil
}

// readForm reads the parameters of a POST from its body and from nowhere else: parameters in the URL of the token
// endpoint end up in logs, so RFC 6749 section 2.3.1 forbids them.
func readForm(r *http.Request, limit int) (params, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" || r.Header.Get("Content-Encoding") != "" {
		return params{}, &protocolError{
			code: codeInvalidRequest, description: "The body has to be application/x-www-form-urlencoded.", status: http.StatusUnsupportedMediaType,
		}
	}
	body, err := readBody(r, limit)
	if err != nil {
		return params{}, err
	}
	return parseParams(string(body), limit)
}

// errBody says that the body could not be read, which is the client's doing: it hung up, or its framing is broken.
var errBody = errors.New("oauth: request body could not be read")

// readBody reads a body of at most limit bytes.
func readBody(r *http.Request, limit int) ([]byte, error) {
	tooLong := &protocolError{code: codeInvalidRequest, description: "The request is too long.", status: http.StatusRequestEntityTooLarge}
	if r.ContentLength > int64(limit) {
		return nil, tooLong
	}
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	if err != nil {
		return nil, &protocolError{code: codeInvalidRequest, description: "The request ended early.", reason: errBody}
	}
	if len(body) > limit {
		return nil, tooLong
	}
	return body, nil
}

// printable reports whether s holds only the characters from space to tilde (VSCHAR of RFC 6749 appendix A).
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
