package policy

import (
	"slices"
	"strings"
)

// CheckServers reports every rule whose server is none of known, with a suggestion. A rule for every server ("*") always
// passes. Errors are joined, each an [*Error].
func (p *Policy) CheckServers(known []string) error {
	var m mistakes
	for _, b := range p.blocks {
		if b == nil {
			continue
		}
		for _, r := range b.rules {
			if r.server == "*" || slices.ContainsFunc(known, r.servers.match) {
				continue
			}
			m.add(r.at, "%s", noServer(r, known))
		}
	}
	return m.err()
}

func noServer(r *rule, known []string) string {
	if !r.servers.literal() {
		return "no server matches " + r.server + "; there are: " + strings.Join(known, ", ")
	}
	return "no server named " + r.server + didYouMean(r.server, known, "; there are: "+strings.Join(known, ", "))
}
