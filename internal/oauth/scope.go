package oauth

import (
	"slices"
	"strings"
)

// The scopes there are. What a person may do is the policy's business: scope only says that a token is for MCP, and
// whether the client wishes to come back without the person.
const (
	scopeMCP     = "mcp"
	scopeOffline = "offline_access"
)

// maxScope bounds the scope parameter, in bytes.
const maxScope = 1024

// parseScope narrows what a client asks for to what there is (RFC 6749 section 3.3 lets a server ignore the rest: clients
// ask for openid, profile, or whatever another server once advertised). Asking for nothing that is known means mcp.
func parseScope(raw string) (string, error) {
	if len(raw) > maxScope || !printable(raw) {
		return "", refuse(codeInvalidScope, "The scope is too long or has characters that no scope has.")
	}
	if slices.Contains(strings.Fields(raw), scopeOffline) {
		return scopeMCP + " " + scopeOffline, nil
	}
	return scopeMCP, nil
}

// narrowScope returns the part of granted that a refresh asks for (RFC 6749 section 6); an empty request means all of it.
func narrowScope(raw, granted string) (string, error) {
	if raw == "" {
		return granted, nil
	}
	if len(raw) > maxScope || !printable(raw) {
		return "", refuse(codeInvalidScope, "The scope is too long or has characters that no scope has.")
	}
	asked := strings.Fields(raw)
	kept := slices.DeleteFunc(strings.Fields(granted), func(s string) bool { return !slices.Contains(asked, s) })
	if !slices.Contains(kept, scopeMCP) {
		return "", refuse(codeInvalidScope, "The scope has to hold mcp.")
	}
	return strings.Join(kept, " "), nil
}
