package caddymodule

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestBadJSONIsRefusedToo holds that what the Caddyfile refuses can't be said in JSON either. Each case changes one value
// of a good config; its error must say what is wanted.
func TestBadJSONIsRefusedToo(t *testing.T) {
	setEnvironment(t)
	const (
		app     = "apps/mcp_gateway/"
		handler = "apps/http/servers/srv0/routes/0/handle/0/routes/0/handle/0/"
	)
	for _, tt := range []struct{ path, value, want string }{
		{app + "issuer", `""`, "issuer is empty"},
		{app + "issuer", `"http://mcp.example.com"`, "must be https"},
		{app + "issuer", `"{env.EMPTY}"`, "env.EMPTY"},
		{app + "isuer", `"x"`, "unknown field"},
		{app + "consent", `"never"`, "once or always"},
		{app + "access_token_ttl", `-1`, "access_token_ttl must be more than 0"},
		{app + "personal_token_ttl", `1000`, "a day or longer"},
		{app + "key_rotation", `1000`, "a key has to sign for 2h0m0s or longer"},
		{app + "identity_max_stale", `1000`, "max_stale"},
		{app + "oauth_path", `"oauth"`, "oauth_path"},
		{app + "origins", `["*"]`, "origins"},
		{app + "contact", `"a\nb"`, "contact has to be one line"},
		{app + "policy", `{"roles":{}}`, "inline or in a file"},
		{app + "policy_file", `""`, "policy is missing"},
		{app + "policy_file", `"nothere.yaml"`, "nothere.yaml"},
		{app + "identities", `[]`, "identity is missing"},
		{app + "identities", `[{"module":"nothere"}]`, "mcp_gateway.identity.nothere"},
		{app + "identities", `[{"module":"local","users":[{"name":"a","hash":"{env.BOB_HASH}","roles":["admn"]}]}]`, "user a: the policy has no role admn; did you mean admin?"},
		{app + "identities", `[{"module":"local","users":[{"name":"a","hash":"{env.BOB_HASH}"}]},{"module":"local","users":[{"name":"a","hash":"{env.BOB_HASH}"}]}]`, "identity local stands twice"},
		{app + "identities", `[{"module":"oidc","issuer":"https://id.example.com","client_id":"x"}]`, "allow is missing"},
		{app + "identities", `[{"module":"oidc","client_id":"x","allow":[{"any":true}]}]`, "identity oidc: issuer is empty"},
		{app + "identities", `[{"module":"oidc","issuer":"https://id.example.com","allow":[{"any":true}]}]`, "identity oidc: client_id is empty"},
		{app + "identities", `[{"module":"oidc","name":"a b","issuer":"https://id.example.com","client_id":"x","allow":[{"any":true}]}]`, "is no name"},
		{app + "identities", `[{"module":"oidc","issuer":"https://id.example.com","client_id":"x","allow":[{"any":true,"groups":["a"]}]}]`, "allow is any, domain"},
		{app + "identities", `[{"module":"oidc","issuer":"https://id.example.com","client_id":"x","session_ttl":-1,"allow":[{"any":true}]}]`, "session_ttl must be more than 0"},
		{app + "identities", `[{"module":"local","name":"oidc","users":[{"name":"a","hash":"{env.BOB_HASH}"}]},{"module":"oidc","issuer":"https://id.example.com","client_id":"x","allow":[{"any":true}]}]`, "identity oidc stands twice"},
		{app + "clients", `{"static":[{"id":"x","public":true}]}`, "needs a redirect_uri"},
		{app + "clients", `{"static":[{"id":"x","secret":"s","grants":["client_credentials"],"permissions":["draw"]}]}`, "client x: the policy has no permission draw"},
		{app + "clients", `{"static":[{"id":"x","secret":"s","introspect":["githab"]}]}`, "client x: introspect: there is no server githab"},
		{app + "store", `{"module":"redis"}`, "mcp_gateway.stores.redis"},
		{app + "store", `{"module":"caddy","prefix":"../x"}`, "folder within the storage"},
		{app + "audit", `[{"module":"workos"}]`, "audit workos needs api_key"},
		{app + "issuer", `"https://mcp.example.com:0"`, "port is 1 to 65535"},
		{app + "clients", `{"static":[{"id":"x","public":true,"redirect_uris":["javascript:alert(1)"]}]}`, "client x: redirect_uri javascript:alert(1)"},
		{app + "default_resource", `"https://mcp.example.com/other"`, "none of the mounts"},
		{handler + "mount", `"/"`, "every path"},
		{handler + "mount", `"/token"`, "/token"},
		{handler + "mount", `"/a b"`, "holds"},
		{handler + "mount", `""`, "without a mount"},
		{handler + "accept_tokens", `[{}]`, "an issuer is missing"},
		{handler + "accept_tokens", `[{"issuer":"http://auth.example.com"}]`, "must be https"},
		{handler + "accept_tokens", `[{"issuer":"{env.EMPTY}"}]`, "env.EMPTY"},
		{handler + "accept_tokens", `[{"issuer":"https://mcp.example.com/"}]`, "that is this gateway"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example"},{"issuer":"https://a.example"}]`, "https://a.example stands twice"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","roles":["admin"]}]`, "say whose tokens are let in"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","roles":["admn"],"allow":[{"any":true}]}]`, "the policy has no role admn; did you mean admin?"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","allow":[{}]}]`, "allow is any"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","allow":[{"claim":"x"}]}]`, "allow is any"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","allow":[{"any":true,"values":["x"]}]}]`, "allow is any"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","introspection":{"client_id":"x","client_secret":"{env.EMPTY}"}}]`, "env.EMPTY"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","roles_from":"nobody"}]`, "there is no identity nobody"},
		{handler + "accept_tokens", `[{"issuer":"https://a.example","introspection":{"client_id":"x","client_secret":"y"}},{"issuer":"https://b.example","introspection":{"client_id":"x","client_secret":"y"}}]`, "only one issuer"},
		{handler + "mode", `"watch"`, "enforce or observe"},
		{handler + "pins", `"first_use"`, "pins can be observe, first-use or block, not first_use; did you mean first-use?"},
		{handler + "trust", `["descriptions"]`, "is not annotations"},
		{handler + "endpoint", `"mcp"`, "endpoint"},
		{handler + "endpoint", `"//evil.example/mcp"`, "endpoint"},
		{handler + "endpoint", `"/{http.request.uri}"`, "endpoint"},
		{handler + "max_body", `-1`, "more than 0"},
		{handler + "resource", `"https://other.example/x"`, "end with the mount"},
		{handler + "resource", `"{env.EMPTY}"`, "env.EMPTY"},
		{handler + "credentials", `{"module":"static","headers":{"Authorization":"{env.EMPTY}"}}`, "env.EMPTY"},
		{handler + "reverse_proxy", `null`, "no upstream"},
		{handler + "reverse_proxy", `{}`, "no upstream"},
		{handler + "reverse_proxy/rewrite", `{"uri":"/x"}`, "rewrite"},
		{handler + "reverse_proxy/rewrite", `{"method":"GET"}`, "rewrite"},
		{handler + "reverse_proxy/handle_response", `[{"routes":[{"handle":[{"handler":"static_response"}]}]}]`, "handle_response"},
		{handler + "reverse_proxy/handle_response", `[{}]`, "handle_response"},
		{handler + "reverse_proxy/headers", `{"request":{"set":{"X":["Bearer {http.request.header.AUTHORIZATION}"]}}}`, "signed in with"},
		{handler + "reverse_proxy/headers", `{"request":{"add":{"X":["{http.request.cookie.sid}"]}}}`, "signed in with"},
		{handler + "reverse_proxy/headers", `{"request":{"replace":{"X":[{"search":"a","replace":"{http.request.header.cookie}"}]}}}`, "signed in with"},
		{handler + "reverse_proxy/trusted_proxies", `["x"]`, "x"},
		{handler + "reverse_proxy/upstreams", `[{"dial":"x.example:80/mcp"}]`, "write http://x.example:80/mcp"},
		{handler + "reverse_proxi", `{}`, "unknown field"},
	} {
		config, err := os.ReadFile("testdata/good/minimal.json")
		if err != nil {
			t.Fatal(err)
		}
		var root any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(config), "/testdata/", "testdata/")), &root); err != nil {
			t.Fatal(err)
		}
		setPath(t, root, strings.Split(tt.path, "/"), tt.value)
		changed, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, changed); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s = %s: got %v, want an error that says %q", tt.path, tt.value, err, tt.want)
		}
	}
}

// setPath sets a value in a JSON document.
func setPath(t *testing.T, root any, path []string, value string) {
	t.Helper()
	for _, step := range path[:len(path)-1] {
		switch node := root.(type) {
		case map[string]any:
			root = node[step]
		case []any:
			root = node[step[0]-'0']
		}
	}
	object, ok := root.(map[string]any)
	if !ok {
		t.Fatalf("there is nothing at %v", path)
	}
	var decoded any
	if err := json.Unmarshal([]byte(value), &decoded); err != nil {
		t.Fatal(err)
	}
	object[path[len(path)-1]] = decoded
}

// TestSitesAreFoundWhereverRoutesAreNested holds the origins that the survey finds in JSON configs of every shape.
func TestSitesAreFoundWhereverRoutesAreNested(t *testing.T) {
	const app = `"mcp_gateway":{"issuer":"https://mcp.example.com","policy":{"roles":{}},"clients":{"static":[{"id":"x","secret":"s","grants":["client_credentials"]}]}}`
	const gateway = `{"handler":"mcp_gateway","mount":"/mcp","reverse_proxy":{"upstreams":[{"dial":"127.0.0.1:9000"}]}}`
	const proxy = `{"handler":"reverse_proxy","upstreams":[{"dial":"127.0.0.1:9000"}]}`
	for _, tt := range []struct{ name, servers, want string }{
		{"no host: the issuer's", `{"s":{"listen":[":8080"],"routes":[{"handle":[` + gateway + `]}]}}`, ""},
		{"the issuer's host behind something that ends TLS", `{"s":{"listen":[":8080"],"routes":[{"match":[{"host":["mcp.example.com"]}],"handle":[` + gateway + `]}]}}`, ""},
		{"a star that covers the issuer", `{"s":{"listen":[":443"],"routes":[{"match":[{"host":["*.example.com"]}],"handle":[` + gateway + `]}]}}`, ""},
		{"hosts narrowed in a subroute", `{"s":{"listen":[":443"],"routes":[{"match":[{"host":["*.example.com"]}],"handle":[{"handler":"subroute","routes":[
			{"match":[{"host":["mcp.example.com"]}],"handle":[` + gateway + `]}]}]}]}}`, ""},
		{"a named route", `{"s":{"listen":[":443"],"named_routes":{"n":{"handle":[` + gateway + `]}},
			"routes":[{"match":[{"host":["mcp.example.com"]}],"handle":[{"handler":"invoke","name":"n"}]}]}}`, ""},
		{"a host in one of two matcher sets", `{"s":{"listen":[":443"],"routes":[{"match":[{"host":["a.example.net"]},{"protocol":"https"}],"handle":[` + gateway + `]}]}}`, ""},
		{"a path around it", `{"s":{"listen":[":443"],"routes":[{"match":[{"path":["/mcp*"]}],"handle":[` + gateway + `]}]}}`, "a path of its own"},
		{"a path around it, in a subroute", `{"s":{"listen":[":443"],"routes":[{"handle":[{"handler":"subroute","routes":[
			{"match":[{"path_regexp":{"pattern":"^/mcp"}}],"handle":[` + gateway + `]}]}]}]}}`, "a path of its own"},
		{"a proxy before it", `{"s":{"listen":[":443"],"routes":[{"handle":[` + proxy + `]},{"handle":[` + gateway + `]}]}}`, "(reverse_proxy) takes requests for /mcp"},
		{"a proxy before it in one route", `{"s":{"listen":[":443"],"routes":[{"handle":[` + proxy + `,` + gateway + `]}]}}`, "(reverse_proxy) takes requests for /mcp"},
		{"a proxy before it for what begins alike", `{"s":{"listen":[":443"],"routes":[{"match":[{"path":["/M*"]}],"handle":[` + proxy + `]},{"handle":[` + gateway + `]}]}}`, "takes requests for /mcp"},
		{"a proxy before it for what is below it", `{"s":{"listen":[":443"],"routes":[{"match":[{"path":["/mcp/x/*"]}],"handle":[` + proxy + `]},{"handle":[` + gateway + `]}]}}`, "takes requests for /mcp"},
		{"a proxy before it in a named route", `{"s":{"listen":[":443"],"named_routes":{"n":{"handle":[` + proxy + `]}},
			"routes":[{"handle":[{"handler":"invoke","name":"n"}]},{"handle":[` + gateway + `]}]}}`, "takes requests for /mcp"},
		{"a proxy before it for an endpoint", `{"s":{"listen":[":443"],"routes":[{"match":[{"path":["/token"]}],"handle":[` + proxy + `]},{"handle":[` + gateway + `]}]}}`, "takes away the OAuth endpoint /token"},
		{"a proxy before it for something else", `{"s":{"listen":[":443"],"routes":[{"match":[{"path":["/mcps","/x*","*.php"]}],"handle":[` + proxy + `]},{"handle":[` + gateway + `]}]}}`, ""},
		{"a proxy before it for another host", `{"s":{"listen":[":443"],"routes":[{"match":[{"host":["www.example.com"]}],"handle":[` + proxy + `]},
			{"match":[{"host":["mcp.example.com"]}],"handle":[` + gateway + `]}]}}`, ""},
		{"a refusal before it", `{"s":{"listen":[":443"],"routes":[{"match":[{"not":[{"remote_ip":{"ranges":["10.0.0.0/8"]}}]}],"handle":[{"handler":"static_response","abort":true}]},
			{"handle":[` + gateway + `]}]}}`, ""},
		{"a proxy behind it", `{"s":{"listen":[":443"],"routes":[{"handle":[` + gateway + `]},{"handle":[` + proxy + `]}]}}`, ""},
		{"a socket", `{"s":{"listen":["unix//run/caddy.sock"],"routes":[{"match":[{"host":["mcp.example.com"]}],"handle":[` + gateway + `]}]}}`, ""},
		{"another host", `{"s":{"listen":[":443"],"routes":[{"match":[{"host":["a.example.net"]}],"handle":[` + gateway + `]}]}}`, "no site answers at the issuer"},
		{"another host at another port", `{"i":{"listen":[":443"],"routes":[{"match":[{"host":["mcp.example.com"]}],"handle":[{"handler":"mcp_gateway"}]}]},
			"s":{"listen":[":8443"],"routes":[{"match":[{"host":["a.example.net"]}],"handle":[` + gateway + `]}]}}`, ""},
		{"a host that nothing can be", `{"s":{"listen":[":443"],"routes":[{"match":[{"host":["a.example.net"]}],"handle":[{"handler":"subroute","routes":[
			{"match":[{"host":["b.example.net"]}],"handle":[` + gateway + `]}]}]}]}}`, "can't be told"},
		{"a named route that invokes itself", `{"s":{"listen":[":443"],"named_routes":{"n":{"handle":[{"handler":"invoke","name":"n"},` + gateway + `]}},
			"routes":[{"handle":[{"handler":"invoke","name":"n"}]}]}}`, ""},
		{"twice on one site", `{"s":{"listen":[":443"],"named_routes":{"n":{"handle":[` + gateway + `]}},
			"routes":[{"handle":[{"handler":"invoke","name":"n"}]},{"handle":[{"handler":"invoke","name":"n"}]}]}}`, "stand on the same site"},
		{"a named route that nobody invokes", `{"s":{"listen":[":443"],"named_routes":{"n":{"handle":[` + gateway + `]}},
			"routes":[{"handle":[{"handler":"mcp_gateway"}]}]}}`, "where requests never come"},
		{"an error route", `{"s":{"listen":[":443"],"errors":{"routes":[{"handle":[` + gateway + `]}]},"routes":[{"handle":[{"handler":"mcp_gateway"}]}]}}`, "where requests never come"},
		{"two servers at one URL", `{"a":{"listen":[":8080"],"routes":[{"handle":[` + gateway + `]}]},
			"b":{"listen":[":8081"],"routes":[{"handle":[` + strings.Replace(gateway, `"/mcp"`, `"/mcp","server":"other"`, 1) + `]}]}}`, "is the URL of two servers"},
	} {
		config := `{"apps":{` + app + `,"http":{"servers":` + tt.servers + `}}}`
		err := validate(t, []byte(config))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want an error that says %q", tt.name, err, tt.want)
		}
	}
}
