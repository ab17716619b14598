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
