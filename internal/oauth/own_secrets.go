package oauth

import "strings"

// What we hand out as a text that only we can read begins with ownPrefix: secret scanners find it, and none of it is shown to an issuer
// whose opaque tokens a mount accepts, whatever a client puts where an access token should be. Refresh tokens and codes of before had no
// prefix, and are good without it.
const (
	ownPrefix      = "mcpgw_"
	personalPrefix = ownPrefix + "pat_"
	refreshPrefix  = ownPrefix + "rt_"
	codePrefix     = ownPrefix + "ac_"
)

// isOwn reports whether a text looks like one of ours.
func isOwn(text string) bool { return strings.HasPrefix(text, ownPrefix) }

// isBearerToken reports whether a text has the syntax of a bearer token (RFC 6750 section 2.1): what has not, such as one of ours behind a
// tab, is nobody's.
func isBearerToken(text string) bool {
	text = strings.TrimRight(text, "=")
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return text != ""
}
