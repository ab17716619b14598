// Package hostile is what the gateway is attacked with in tests: requests of a client that tries to have a hidden tool,
// prompt or resource used, answers of an MCP server that tries to name one, the readers that a server behind the gateway
// may have, and a server that answers with whatever bytes it is given. Each case is named for its attack.
//
// It uses nothing of the gateway's, so that a mistake there is not made here again. What is in it is immutable and safe
// for concurrent use, but for [Server], which says so itself.
package hostile

import "strings"

// Revisions are those of the Model Context Protocol that the gateway knows, oldest first.
var Revisions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

// Modern is the revision without sessions and with headers that repeat what the body says.
const Modern = "2026-07-28"

// Marker is in the name of everything that is hidden, and in nothing that a client may see.
const Marker = "hidden"

// Policy allows what the corpus calls shown, and nothing that has [Marker] in its name.
const Policy = `
roles:
  member:
    allow:
      - server: files
        tools: [shown_*, echo]
        prompts: [shown_*]
        resources: ["docs://shown/**"]
        templates: ["docs://shown/**"]
`

// isHidden reports whether a name, as some server may take it, is one of what is hidden: it has the marker in it, and is not
// one that the policy allows.
func isHidden(name string) bool {
	if strings.HasPrefix(name, "shown_") || strings.HasPrefix(name, "docs://shown/") && !leaves(name) {
		return false
	}
	return strings.Contains(strings.ToLower(name), Marker)
}

// leaves reports whether some server may take a URI for one in another place than it is written below: by a dot segment,
// also one with parameters, or once it has decoded or turned what it has in it.
func leaves(uri string) bool {
	if strings.ContainsAny(uri, `%\`) {
		return true
	}
	for segment := range strings.SplitSeq(uri, "/") {
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// metaOf is the member of params that a revision asks for, with a comma behind it.
func metaOf(rev string) string {
	if rev != Modern {
		return ""
	}
	return `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + rev + `","io.modelcontextprotocol/clientCapabilities":{}},`
}
