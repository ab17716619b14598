package oauth

import (
	"net/http"
	"slices"
	"strings"
)

// maxRequestedHeaders bounds what a preflight may ask for, in bytes.
const maxRequestedHeaders = 1024

// allowAnyOrigin lets pages of any origin read the answer: clients run in browsers too. No credentials are allowed, so that a
// page can do here what any program can, and nothing in the person's name.
func allowAnyOrigin(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
	if r.Method != http.MethodOptions {
		return
	}
	h.Add("Vary", "Access-Control-Request-Headers")
	h.Set("Access-Control-Max-Age", "7200")
	// Named one by one, since * does not cover Authorization.
	if asked := strings.Join(r.Header.Values("Access-Control-Request-Headers"), ","); asked != "" && validHeaderList(asked) {
		h.Set("Access-Control-Allow-Headers", asked)
	}
}

// validHeaderList reports whether s is a list of header names.
func validHeaderList(s string) bool {
	if len(s) > maxRequestedHeaders {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~, ", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// allowMethods reports whether the request's method is one of methods. If it is not, it has been answered: OPTIONS with what
// there is, as a preflight or otherwise, and anything else with 405.
func allowMethods(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	all := strings.Join(append(methods[:len(methods):len(methods)], http.MethodOptions), ", ")
	h := w.Header()
	h.Set("Allow", all)
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodOptions {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return false
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Methods", all)
	}
	w.WriteHeader(http.StatusNoContent)
	return false
}
