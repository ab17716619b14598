package oauth

import (
	"net/url"
	"strings"
)

// maxResource bounds the resource parameter, in bytes.
const maxResource = 1024

// canonicalResource brings a resource identifier into the form in which two of them are compared: scheme and host in lower
// case, no default port, no trailing slash. MCP allows capitals in scheme and host, and clients add a slash or drop it.
// Path and host are otherwise compared as they are written.
func canonicalResource(raw string) (string, bool) {
	if raw == "" || len(raw) > maxResource || !printable(raw) || strings.ContainsAny(raw, "#?\\ ") {
		return "", false
	}
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" {
		return "", false
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme { // url.Parse has made it lower case
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	return u.Scheme + "://" + host + strings.TrimSuffix(u.EscapedPath(), "/"), true
}

// resource finds the mount that a resource parameter names (RFC 8707 section 2). Without the parameter it is the only mount
// there is, or else the default one.
func (s *Server) resource(raw string) (Resource, error) {
	all := s.cfg.Resources()
	if raw == "" {
		if len(all) == 1 {
			return canonical(all[0]), nil
		}
		if raw = s.cfg.DefaultResource; raw == "" {
			return Resource{}, refuse(codeInvalidTarget, "There are several servers here: the resource parameter has to name one.")
		}
	}
	if want, ok := canonicalResource(raw); ok {
		for _, res := range all {
			if res = canonical(res); res.URL == want {
				return res, nil
			}
		}
	}
	return Resource{}, refuse(codeInvalidTarget, "The resource parameter names no server here.")
}

// canonical returns res with its URL in the form that tokens carry.
func canonical(res Resource) Resource {
	if c, ok := canonicalResource(res.URL); ok {
		res.URL = c
	}
	return res
}
