package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// answerers are the handlers of Caddy that answer requests themselves, hand them to an upstream, or change what others
// answer.
var answerers = []string{"acme_server", "copy_response", "file_server", "intercept", "metrics", "reverse_proxy", "static_response", "templates"}

// gate is what a request must have to go through a route: one of these sets of matchers. Without any, all go through.
type gate []matcherSet

// byPath reports whether a gate looks at the path.
func (g gate) byPath() bool {
	return slices.ContainsFunc(g, func(set matcherSet) bool { return set.byPath })
}

// matcherSet is a set of matchers that are all met, as far as can be told what they match.
type matcherSet struct {
	hosts, paths []string // nil: not limited
	byPath       bool     // by path in any way
	unclear      bool     // there are matchers whose meaning can't be told here
}

// answer is a handler that answers requests before those of ours.
type answer struct {
	handler string
	gates   []gate
}

// takes reports whether it is clear that the handler takes requests for a host, and for paths whose patterns overlap
// what is asked about.
func (a *answer) takes(host string, overlaps func(pattern string) bool) bool {
	for _, gate := range a.gates {
		opens := func(set matcherSet) bool {
			return !set.unclear && (set.hosts == nil || slices.ContainsFunc(set.hosts, func(pattern string) bool { return coversHost(pattern, host) })) &&
				(set.paths == nil || slices.ContainsFunc(set.paths, overlaps))
		}
		if len(gate) > 0 && !slices.ContainsFunc(gate, opens) {
			return false
		}
	}
	return true
}

// checkBefore refuses what answers requests before the gateway sees them.
func (s *surveyor) checkBefore(found finding, at *seat) {
	for _, earlier := range found.before {
		if at.spot.Mount != "" && earlier.takes(at.host, overlapsMount(at.spot.Mount)) {
			s.failAt(found.spot, fmt.Errorf("mount %s: a route before it (%s) takes requests for %s, which would then be unguarded; "+
				"put it behind the gateway. A site with a path is such a route: write its directives in the site without one",
				at.spot.Mount, earlier.handler, at.spot.Mount))
			return
		}
		if !at.isIssuer {
			continue
		}
		for _, endpoint := range s.app.oauth.Paths() {
			if earlier.takes(at.host, func(pattern string) bool { return pathMatches(strings.ToLower(pattern), endpoint) }) {
				s.failAt(found.spot, fmt.Errorf("a route before mcp_gateway (%s) takes away the OAuth endpoint %s; put it behind the gateway", earlier.handler, endpoint))
				return
			}
		}
	}
}

// overlapsMount returns a test whether a path matcher takes requests for a mount, or for what is below it.
func overlapsMount(mount string) func(pattern string) bool {
	mount = strings.ToLower(mount)
	return func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		if pathMatches(pattern, mount) || pathMatches(pattern, mount+"/") {
			return true
		}
		return within(strings.TrimSuffix(pattern, "*"), mount)
	}
}

// pathMatches reports whether a pattern of Caddy's path matcher matches a path, both in lower case. What is more than a
// star at either end can't be told.
func pathMatches(pattern, path string) bool {
	inner, open := strings.CutSuffix(pattern, "*")
	rest, begins := strings.CutPrefix(inner, "*")
	switch {
	case strings.ContainsAny(rest, "*{%"):
		return false
	case begins && open:
		return strings.Contains(path, rest)
	case begins:
		return pattern == "*" || strings.HasSuffix(path, rest)
	case open:
		return strings.HasPrefix(path, inner)
	}
	return path == pattern
}

// note remembers a handler that answers.
func (f *finder) note(handler string) {
	if slices.Contains(answerers, handler) {
		f.answers = append(f.answers, answer{handler, slices.Clone(f.gates)})
	}
}

// noteDecoded is note for a handler that is decoded already.
func (f *finder) noteDecoded(handler caddyhttp.MiddlewareHandler) {
	if static, ok := handler.(*caddyhttp.StaticResponse); ok && static.Abort {
		return
	}
	if module, ok := handler.(caddy.Module); ok {
		f.note(module.CaddyModule().ID.Name())
	}
}

// gateOf returns the gate of a route.
func (f *finder) gateOf(route caddyhttp.Route) gate {
	if len(route.MatcherSets) == 0 {
		raw, err := json.Marshal(route.MatcherSetsRaw)
		var sets any
		if err != nil || json.Unmarshal(raw, &sets) != nil {
			return nil
		}
		return f.gateOfSets(sets)
	}
	all := make(gate, 0, len(route.MatcherSets))
	for _, matchers := range route.MatcherSets {
		var set matcherSet
		for _, matcher := range matchers {
			switch matcher := matcher.(type) {
			case *caddyhttp.MatchHost:
				set.hosts = f.clean(*matcher)
			case caddyhttp.MatchHost:
				set.hosts = f.clean(matcher)
			case *caddyhttp.MatchPath:
				set.paths, set.byPath = *matcher, true
			case caddyhttp.MatchPath:
				set.paths, set.byPath = matcher, true
			case *caddyhttp.MatchPathRE, caddyhttp.MatchPathRE:
				set.byPath, set.unclear = true, true
			default:
				set.unclear = true
			}
		}
		all = append(all, set)
	}
	return all
}

// gateOfSets is gateOf for matcher sets as plain JSON.
func (f *finder) gateOfSets(sets any) gate {
	list, _ := sets.([]any)
	all := make(gate, 0, len(list))
	for _, one := range list {
		var set matcherSet
		object, _ := one.(map[string]any)
		for name, value := range object {
			switch name {
			case "host":
				set.hosts = f.clean(texts(value))
			case "path":
				set.paths, set.byPath = texts(value), true
			case "path_regexp":
				set.byPath, set.unclear = true, true
			default:
				set.unclear = true
			}
		}
		all = append(all, set)
	}
	return all
}

// texts returns the strings of a JSON array.
func texts(value any) []string {
	list, _ := value.([]any)
	all := make([]string, 0, len(list))
	for _, element := range list {
		if text, ok := element.(string); ok {
			all = append(all, text)
		}
	}
	return all
}
