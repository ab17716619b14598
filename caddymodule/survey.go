package caddymodule

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// maxNesting bounds how deep the JSON of routes is looked into.
const maxNesting = 64

// finding is one place in the config of the HTTP app where an mcp_gateway handler stands.
type finding struct {
	server *caddyhttp.Server
	hosts  []string // the site's hosts, in lower case; nil: every host
	spot   spot
	trusts bool // the server's annotations count

	gates  []gate   // of the routes around it
	before []answer // what answers earlier
}

// spot is what of a handler's config says where it answers. Handlers of equal spots on one server are interchangeable.
type spot struct {
	Mount    string `json:"mount"`
	Server   string `json:"server"`
	Resource string `json:"resource"`
}

// name is the server's name in the policy.
func (s spot) name() string {
	if s.Server != "" {
		return s.Server
	}
	return strings.TrimPrefix(s.Mount, "/")
}

// find lists where in the HTTP app this module's handlers stand. It is called from the first of them to be provisioned.
// At that time the top-level matchers of all servers are decoded, and no handler is that has one of ours in it, so all
// of them are still to be seen in the JSON of the routes; handlers that are decoded already can only lead to named
// routes. Going by the config, and not by the handlers once they are there, lets `caddy validate` report what is wrong
// with it as a whole.
func find(http *caddyhttp.App) []finding {
	var all []finding
	for _, name := range slices.Sorted(maps.Keys(http.Servers)) {
		server := http.Servers[name]
		finder := finder{server: server, repl: caddy.NewReplacer(), invoked: make(map[string]bool)}
		finder.routes(server.Routes, nil, 0)
		all = append(all, finder.found...)
	}
	return all
}

// finder walks the routes of one server.
type finder struct {
	server  *caddyhttp.Server
	repl    *caddy.Replacer
	invoked map[string]bool // the named routes it is in
	found   []finding
	gates   []gate   // of the routes it is in
	answers []answer // so far
}

// routes walks routes that are reached with these hosts.
func (f *finder) routes(routes caddyhttp.RouteList, hosts []string, depth int) {
	for _, route := range routes {
		reached := narrow(hosts, f.hostsOf(route))
		f.gates = append(f.gates, f.gateOf(route))
		for _, handler := range route.Handlers {
			switch handler := handler.(type) {
			case *caddyhttp.Invoke:
				f.invoke(handler.Name, reached, depth)
			case *caddyhttp.Subroute:
				f.routes(handler.Routes, reached, depth+1)
			default:
				f.noteDecoded(handler)
			}
		}
		for _, raw := range route.HandlersRaw {
			var value any
			if json.Unmarshal(raw, &value) == nil { // what is malformed fails to load by itself
				f.value(value, reached, depth)
			}
		}
		f.gates = f.gates[:len(f.gates)-1]
	}
}

// value walks the JSON of a handler, whatever handler it is: those that hold routes hold them somewhere in it.
func (f *finder) value(value any, hosts []string, depth int) {
	if depth > maxNesting {
		return
	}
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			f.value(element, hosts, depth+1)
		}
	case map[string]any:
		f.object(value, hosts, depth)
	}
}

// object walks a JSON object: a handler, a route, or anything that may hold one.
func (f *finder) object(object map[string]any, hosts []string, depth int) {
	switch object["handler"] {
	case "mcp_gateway":
		mount, _ := object["mount"].(string)
		server, _ := object["server"].(string)
		resource, _ := object["resource"].(string)
		trust, _ := object["trust"].([]any)
		f.found = append(f.found, finding{
			server: f.server, hosts: hosts, spot: spot{mount, server, resource}, trusts: slices.Contains(trust, any("annotations")),
			gates: slices.Clone(f.gates), before: slices.Clone(f.answers),
		})
		return
	case "invoke":
		name, _ := object["name"].(string)
		f.invoke(name, hosts, depth)
		return
	}
	if _, isRoute := object["handle"]; isRoute {
		hosts = narrow(hosts, f.hostsOfSets(object["match"]))
		f.gates = append(f.gates, f.gateOfSets(object["match"]))
		defer func() { f.gates = f.gates[:len(f.gates)-1] }()
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		f.value(object[key], hosts, depth+1)
	}
	if handler, isHandler := object["handler"].(string); isHandler && object["abort"] != true {
		f.note(handler)
	}
}

// invoke walks a named route, but not within itself.
func (f *finder) invoke(name string, hosts []string, depth int) {
	route := f.server.NamedRoutes[name]
	if route == nil || f.invoked[name] {
		return
	}
	f.invoked[name] = true
	f.routes(caddyhttp.RouteList{*route}, hosts, depth+1)
	delete(f.invoked, name)
}

// hostsOf returns the hosts that a route is limited to; nil means that it isn't.
func (f *finder) hostsOf(route caddyhttp.Route) []string {
	if len(route.MatcherSets) == 0 {
		return f.hostsOfRaw(route.MatcherSetsRaw)
	}
	var hosts []string
	for _, set := range route.MatcherSets {
		var limited bool
		for _, matcher := range set {
			switch matcher := matcher.(type) {
			case *caddyhttp.MatchHost:
				limited, hosts = true, append(hosts, f.clean(*matcher)...)
			case caddyhttp.MatchHost:
				limited, hosts = true, append(hosts, f.clean(matcher)...)
			}
		}
		if !limited {
			return nil
		}
	}
	return hosts
}

// hostsOfRaw is hostsOf for a route whose matchers are not decoded yet.
func (f *finder) hostsOfRaw(sets caddyhttp.RawMatcherSets) []string {
	var hosts []string
	for _, set := range sets {
		raw, limited := set["host"]
		var some []string
		if !limited || json.Unmarshal(raw, &some) != nil {
			return nil
		}
		hosts = append(hosts, f.clean(some)...)
	}
	return hosts
}

// hostsOfSets is hostsOf for matcher sets as plain JSON.
func (f *finder) hostsOfSets(sets any) []string {
	list, _ := sets.([]any)
	var hosts []string
	for _, set := range list {
		object, _ := set.(map[string]any)
		some, limited := object["host"].([]any)
		if !limited {
			return nil
		}
		for _, host := range some {
			if host, ok := host.(string); ok {
				hosts = append(hosts, f.clean([]string{host})...)
			}
		}
	}
	return hosts
}

// clean resolves the placeholders of hosts and puts them into lower case.
func (f *finder) clean(hosts []string) []string {
	cleaned := make([]string, len(hosts))
	for i, host := range hosts {
		cleaned[i] = strings.ToLower(f.repl.ReplaceKnown(host, ""))
	}
	return cleaned
}

// narrow returns the hosts that reach a route within another. Nil means every host.
func narrow(outer, inner []string) []string {
	if inner == nil {
		return outer
	}
	if outer == nil {
		return inner
	}
	both := []string{}
	for _, a := range outer {
		for _, b := range inner {
			switch {
			case coversHost(a, b):
				both = append(both, b)
			case coversHost(b, a):
				both = append(both, a)
			}
		}
	}
	return both
}

// coversHost reports whether a host matcher, in which a star stands for one label, matches a host.
func coversHost(pattern, host string) bool {
	if pattern == host {
		return true
	}
	wanted, labels := strings.Split(pattern, "."), strings.Split(host, ".")
	if len(wanted) != len(labels) {
		return false
	}
	for i, label := range wanted {
		if label != "*" && label != labels[i] {
			return false
		}
	}
	return true
}
