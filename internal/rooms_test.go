// Package internal_test holds the plan of the house: which rooms there are, and which of them may know which.
// Imports go downwards only:
//
//	caddymodule, cmd                  know Caddy
//	guard, oauth, upstream            the wings, which do not know each other
//	policy and all others             the ground floor, which does not know the wings
package internal_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mcpgateway/caddy-mcp-gateway/"

// rooms are the folders below internal, with those below them. One that is in the plan need not be there yet.
var rooms = map[string][]string{
	"approval": {}, // calls that wait for a person
	"audit":    {"workos"},
	"catalog":  {},
	"fetch":    {},
	"guard":    {},
	"hostile":  {}, // what tests attack with
	"identity": {"local", "oidc", "workos"},
	"issuer":   {}, // what is read from authorization servers and OpenID providers elsewhere
	"jsonrpc":  {},
	"oauth":    {"foreign"},
	"pages":    {},
	"peers":    {}, // the programs that tests run against
	"quota":    {}, // how often something may be done, on all nodes together
	"seal":     {},
	"sse":      {},
	"store":    {"caddystore", "redisstore", "storetest"},
	"upstream": {},
	"wire":     {},
}

// tops are the top-level folders that may hold packages.
var tops = []string{"caddymodule", "cmd", "internal", "policy"}

var (
	wings  = []string{"internal/guard", "internal/oauth", "internal/upstream"}
	ground = []string{
		"policy", "internal/approval", "internal/audit", "internal/catalog", "internal/fetch", "internal/identity", "internal/issuer", "internal/jsonrpc",
		"internal/pages", "internal/quota", "internal/seal", "internal/sse", "internal/store", "internal/wire",
	}
	// testOnly are what tests are made with.
	testOnly = []string{"internal/hostile", "internal/peers", "internal/store/storetest"}
	// libraries are all that these rooms know besides the standard library.
	libraries = map[string][]string{
		"policy":           {"go.yaml.in/yaml/v3", "cel.dev"},
		"internal/jsonrpc": {"github.com/go-json-experiment/json"},
		"internal/sse":     {},
		"internal/wire":    {},
	}
	zapUsers = slices.Concat(wings, []string{"caddymodule", "internal/audit", "internal/identity", "internal/issuer"})
)

// rule is one rule of the plan. broken says whether a package in folder may not import what is called path;
// both are relative to the module if they are in it.
type rule struct {
	says   string
	deps   bool // holds for what is imported indirectly, too
	broken func(folder, path string) bool
}

var rules = []rule{
	{
		says: "only caddymodule and cmd know Caddy; internal/store/caddystore alone may know certmagic besides",
		deps: true,
		broken: func(folder, path string) bool {
			if in(folder, "caddymodule", "cmd") || !in(path, "github.com/caddyserver") {
				return false
			}
			return !in(folder, "internal/store/caddystore") || in(path, "github.com/caddyserver/caddy")
		},
	},
	{
		says: "nothing imports caddymodule but cmd/caddy: commands come with the plugin and reach the gateway through the admin API",
		deps: true,
		broken: func(folder, path string) bool {
			return in(path, "caddymodule") && !in(folder, "caddymodule", "cmd/caddy")
		},
	},
	{
		says: "nothing imports cmd but caddymodule, which brings the commands",
		deps: true,
		broken: func(folder, path string) bool {
			return in(path, "cmd") && !in(folder, "cmd", "caddymodule")
		},
	},
	{
		says: "the wings guard, oauth and upstream do not know each other",
		deps: true,
		broken: func(folder, path string) bool {
			return in(path, wings...) && slices.ContainsFunc(wings, func(wing string) bool {
				return in(folder, wing) && !in(path, wing)
			})
		},
	},
	{
		says: "the ground floor does not know the wings",
		deps: true,
		broken: func(folder, path string) bool {
			return in(folder, ground...) && in(path, wings...)
		},
	},
	{
		says: "policy, jsonrpc, sse and wire know only the standard library and their own libraries",
		broken: func(folder, path string) bool {
			for room, allowed := range libraries {
				if in(folder, room) {
					return !isStandard(path) && !in(path, room) && !in(path, allowed...)
				}
			}
			return false
		},
	},
	{
		says: "zap is for the wings, identity, issuer, audit and caddymodule",
		broken: func(folder, path string) bool {
			return in(path, "go.uber.org/zap") && !in(folder, zapUsers...)
		},
	},
	{
		says: "what tests are made with is for tests",
		deps: true,
		broken: func(folder, path string) bool {
			return in(path, testOnly...) && !in(folder, testOnly...)
		},
	},
}

// in says whether path is one of these or below one.
func in(path string, of ...string) bool {
	return slices.ContainsFunc(of, func(one string) bool { return path == one || strings.HasPrefix(path, one+"/") })
}

// isStandard says whether path is of the standard library: no other begins without a dot in its first part,
// but for this module's made relative.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && !slices.Contains(tops, first)
}

// judge returns what is wrong with a package, a sentence each.
func judge(p pkg) []string {
	folder := strings.TrimPrefix(p.ImportPath, module)
	var wrong []string
	if !in(folder, tops...) {
		wrong = append(wrong, folder+" is a package outside of "+strings.Join(tops, ", ")+": the plan has no other top-level folders")
	}
	if room, below, _ := strings.Cut(strings.TrimPrefix(folder, "internal/"), "/"); in(folder, "internal") && folder != "internal" {
		if sub, known := rooms[room]; !known || below != "" && !slices.Contains(sub, below) {
			wrong = append(wrong, folder+" is not a room in the plan; if it should be, add it there and say what it may know")
		}
	}
	for _, r := range rules {
		for _, path := range p.Imports {
			if r.broken(folder, strings.TrimPrefix(path, module)) {
				wrong = append(wrong, folder+" imports "+path+", but "+r.says)
			}
		}
		for _, path := range p.Deps {
			if r.deps && !slices.Contains(p.Imports, path) && r.broken(folder, strings.TrimPrefix(path, module)) {
				wrong = append(wrong, folder+" imports something that imports "+path+", but "+r.says)
			}
		}
	}
	return wrong
}

func TestImportsGoDownwardsOnly(t *testing.T) {
	packages := list(t)
	if len(packages) < 5 {
		t.Fatalf("go list gave %d packages", len(packages))
	}
	for _, p := range packages {
		for _, sentence := range judge(p) {
			t.Error(sentence)
		}
	}
}

func TestEveryFolderIsInThePlan(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if _, known := rooms[entry.Name()]; entry.IsDir() && !known {
			t.Errorf("internal/%s is not a room in the plan; if it should be, add it there and say what it may know", entry.Name())
		}
	}
}

func TestTheRulesBite(t *testing.T) {
	for _, c := range []struct{ folder, path, want string }{
		{"internal/guard", "github.com/caddyserver/caddy/v2", "know Caddy"},
		{"internal/guard", "github.com/caddyserver/certmagic", "know Caddy"},
		{"internal/store/caddystore", "github.com/caddyserver/caddy/v2/modules/caddyhttp", "know Caddy"},
		{"internal/store", "github.com/caddyserver/certmagic", "know Caddy"},
		{"policy", "github.com/caddyserver/caddy/v2", "know Caddy"},
		{"internal/oauth", module + "caddymodule", "nothing imports caddymodule"},
		{"cmd/mcp", module + "caddymodule", "nothing imports caddymodule"},
		{"internal/peers", module + "cmd/mcp", "nothing imports cmd"},
		{"internal/guard", module + "internal/oauth", "do not know each other"},
		{"internal/oauth", module + "internal/guard", "do not know each other"},
		{"internal/upstream", module + "internal/guard", "do not know each other"},
		{"internal/oauth", module + "internal/upstream", "do not know each other"},
		{"internal/seal", module + "internal/oauth", "ground floor"},
		{"internal/identity/workos", module + "internal/guard", "ground floor"},
		{"policy", module + "internal/upstream", "ground floor"},
		{"policy", "github.com/go-json-experiment/json", "their own libraries"},
		{"policy", module + "internal/jsonrpc", "their own libraries"},
		{"internal/jsonrpc", "go.yaml.in/yaml/v3", "their own libraries"},
		{"internal/jsonrpc", module + "internal/sse", "their own libraries"},
		{"internal/sse", "golang.org/x/net/html", "their own libraries"},
		{"internal/store", "go.uber.org/zap", "zap"},
		{"internal/seal", "go.uber.org/zap/zapcore", "zap"},
		{"internal/oauth", module + "internal/store/storetest", "for tests"},
		{"caddymodule", module + "internal/peers", "for tests"},
		{"internal/util", "fmt", "not a room"},
		{"internal/guard/deep", "fmt", "not a room"},
		{"docs", "fmt", "top-level"},

		{"internal/store/caddystore", "github.com/caddyserver/certmagic", ""},
		{"caddymodule", "github.com/caddyserver/caddy/v2", ""},
		{"caddymodule", module + "cmd/mcp", ""},
		{"caddymodule/bench", module + "caddymodule", ""},
		{"caddymodule", module + "internal/oauth", ""},
		{"cmd/caddy", module + "caddymodule", ""},
		{"cmd/mcp", module + "policy", ""},
		{"internal/guard", module + "internal/jsonrpc", ""},
		{"internal/guard", "go.uber.org/zap", ""},
		{"internal/identity/workos", "go.uber.org/zap", ""},
		{"internal/jsonrpc", "github.com/go-json-experiment/json/jsontext", ""},
		{"internal/jsonrpc", "encoding/json", ""},
		{"internal/store/storetest", "testing", ""},
		{"policy", "go.yaml.in/yaml/v3", ""},
	} {
		wrong := judge(pkg{ImportPath: module + c.folder, Imports: []string{c.path}})
		said := slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, c.want) })
		if c.want == "" && len(wrong) > 0 {
			t.Errorf("%s may import %s: %q", c.folder, c.path, wrong)
		}
		if c.want != "" && !said {
			t.Errorf("%s imports %s: %q, want a sentence that says %q", c.folder, c.path, wrong, c.want)
		}
	}
	indirect := pkg{
		ImportPath: module + "internal/pages",
		Imports:    []string{"example.com/x"},
		Deps:       []string{"example.com/x", "github.com/caddyserver/caddy/v2"},
	}
	if wrong := judge(indirect); len(wrong) != 1 {
		t.Errorf("an indirect import of Caddy: %q, want one sentence", wrong)
	}
}
