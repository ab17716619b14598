package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestWhatRealClientsSend replays what clients that can't be run here are known to send: what they say of themselves, in a document
// or a registration, and the requests of a login, a refresh and an end of it.
func TestWhatRealClientsSend(t *testing.T) {
	v := newVendor(t)
	key := newClientKey(t, "cimd-1")
	keys := v.publish("/oauth/jwks.json", string(jwks(key)))
	const both = `"grant_types":["authorization_code","refresh_token"],"response_types":["code"]`
	for _, tc := range []struct {
		name string
		// document is where its metadata document is, with the members in body besides client_id; "" if it registers with body.
		document, body string
		redirect       string
		authorize      []string // changes of the request
		token          []string
		header         []string // of requests to /register and /token
		key            *clientKey
	}{
		{
			name: "claude.ai", document: "/oauth/mcp-oauth-client-metadata", redirect: "https://claude.ai/api/mcp/auth_callback",
			body:      `"client_name":"Claude","client_uri":"https://claude.ai","redirect_uris":["https://claude.ai/api/mcp/auth_callback","https://claude.com/api/mcp/auth_callback"],` + both + `,"token_endpoint_auth_method":"none"`,
			authorize: []string{"prompt", "consent", "resource", testResource + "/"}, token: []string{"resource", testResource + "/"},
		},
		{
			name: "claude.ai, registered", redirect: "https://claude.ai/api/mcp/auth_callback",
			body:      `{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],` + both + `,"scope":"mcp","token_endpoint_auth_method":"none"}`,
			authorize: []string{"prompt", "consent"},
		},
		{
			name: "Claude Code", document: "/oauth/claude-code-client-metadata", redirect: "http://localhost:51234/callback",
			body: `"client_name":"Claude Code","redirect_uris":["http://localhost/callback","http://127.0.0.1/callback"],` + both + `,"token_endpoint_auth_method":"none"`,
		},
		{
			name: "ChatGPT", document: "/oauth/kDmjx77UnKOM/client.json", redirect: "https://chatgpt.com/connector/oauth/kDmjx77UnKOM", key: key,
			body: `"client_name":"ChatGPT","client_uri":"https://chatgpt.com/","redirect_uris":["https://chatgpt.com/connector/oauth/kDmjx77UnKOM"],` + both +
				`,"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_methods_supported":["none","private_key_jwt"],"token_endpoint_auth_signing_alg":"ES256","jwks_uri":"` + keys + `"`,
		},
		{
			name: "Codex", document: "/codex/client.json", redirect: "http://127.0.0.1:8123/callback/x9",
			body: `"client_name":"Codex","redirect_uris":["http://127.0.0.1/callback/x9"],` + both + `,"token_endpoint_auth_method":"none"`,
		},
		{
			name: "VS Code", document: "/oauth/client-metadata.json", redirect: "http://127.0.0.1:53124/",
			body: `"client_name":"Visual Studio Code","redirect_uris":["http://127.0.0.1:33418/","https://insiders.vscode.dev/redirect","https://vscode.dev/redirect","http://127.0.0.1/"],` + both +
				`,"token_endpoint_auth_method":"none","application_type":"native"`,
		},
		{
			name: "VS Code, registered", redirect: "https://vscode.dev/redirect",
			body: `{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com","grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code"],` +
				`"redirect_uris":["https://insiders.vscode.dev/redirect","https://vscode.dev/redirect","http://127.0.0.1/","http://127.0.0.1:33418/"],"scope":"mcp","token_endpoint_auth_method":"none","application_type":"native"}`,
		},
		{
			name: "Cursor", redirect: "cursor://anysphere.cursor-mcp/oauth/callback",
			body: `{"client_name":"Cursor","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],` + both + `,"token_endpoint_auth_method":"none"}`,
		},
		{
			name: "Zed", redirect: "http://127.0.0.1:41000/callback",
			body: `{"client_name":"Zed","redirect_uris":["http://127.0.0.1:41000/callback"],"grant_types":["authorization_code"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		},
		{
			name: "Gemini CLI", redirect: "http://localhost:7777/oauth/callback",
			body:      `{"client_name":"Gemini CLI MCP Client","redirect_uris":["http://localhost:7777/oauth/callback"],` + both + `,"token_endpoint_auth_method":"none","scope":""}`,
			authorize: []string{"scope", "mcp offline_access"},
		},
		{
			name: "LibreChat", redirect: "https://chat.example/api/mcp/github/oauth/callback",
			body: `{"client_name":"LibreChat MCP Client","redirect_uris":["https://chat.example/api/mcp/github/oauth/callback"],` + both + `,"token_endpoint_auth_method":"client_secret_basic","logo_uri":null,"tos_uri":null}`,
		},
		{
			name: "the Inspector's browser UI", redirect: "http://localhost:6274/oauth/callback", header: []string{"Authorization", "Bearer of-the-person", "Origin", "http://localhost:6274"},
			body: `{"client_name":"MCP Inspector","client_uri":"https://github.com/modelcontextprotocol/inspector","redirect_uris":["http://localhost:6274/oauth/callback"],` + both + `,"token_endpoint_auth_method":"none","scope":""}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newDocumentFixture(t, v, nil)
			id, secret := v.Origin+tc.document, ""
			if tc.document != "" {
				v.publish(tc.document, `{"client_id":"`+id+`",`+tc.body+`}`)
			} else {
				r := httptest.NewRequest(http.MethodPost, testIssuer+"/register", strings.NewReader(tc.body))
				r.Header.Set("Content-Type", "application/json")
				for i := 0; i+1 < len(tc.header); i += 2 {
					r.Header.Set(tc.header[i], tc.header[i+1])
				}
				res := f.do(r)
				var raw map[string]any
				if err := json.NewDecoder(res.Body).Decode(&raw); err != nil || res.StatusCode != http.StatusCreated {
					t.Fatalf("registration answers %s %v", res.Status, raw)
				}
				id = raw["client_id"].(string)
				secret, _ = raw["client_secret"].(string)
			}
			post := func(path string, form url.Values) answer {
				t.Helper()
				header := tc.header
				if secret != "" {
					form.Del("client_id")
					header = []string{"Authorization", basic(id, secret)}
				}
				if tc.key != nil {
					form = proving(form, tc.key.assertion(t, f, id))
				}
				res := f.post(path, form, header...)
				if path == "/revoke" {
					return answer{Status: res.StatusCode}
				}
				return f.read(res)
			}
			b := f.browser()
			code := b.login(authorizeQuery(id, tc.redirect, tc.authorize...)).code(t, tc.redirect)
			a := post("/token", redeem(id, code, append([]string{"redirect_uri", tc.redirect}, tc.token...)...))
			if a.Status != http.StatusOK {
				t.Fatalf("got %+v", a)
			}
			if _, err := f.call(a.Access, testResource); err != nil {
				t.Error(err)
			}
			if refreshes := a.Refresh != ""; refreshes == strings.HasPrefix(tc.name, "Zed") {
				t.Errorf("it gets a refresh token: %v", refreshes)
			} else if refreshes {
				// A lost answer is asked for again.
				f.clock.advance(50 * time.Minute)
				form := func() url.Values { return with(refreshForm(id, a.Refresh), "resource", testResource) }
				for range 3 {
					if got := post("/token", form()); got.Status != http.StatusOK {
						t.Fatalf("a refresh: %+v", got)
					}
				}
			}
			if got := post("/revoke", url.Values{"client_id": {id}, "token": {a.Access}}); got.Status != http.StatusOK {
				t.Errorf("revocation answers %d", got.Status)
			}
			// And all over again.
			if v := b.authorize(authorizeQuery(id, tc.redirect, tc.authorize...)); v.Status >= 400 {
				t.Errorf("once more: %d\n%s", v.Status, v.Body)
			}
		})
	}
}

// A server at the root of its host: clients add a slash to it, or drop it.
func TestAResourceAtTheRoot(t *testing.T) {
	const root = "https://tools.example"
	for _, resource := range []string{root, root + "/"} {
		f := newFixture(t, func(c *Config) {
			c.Resources = func() []Resource { return []Resource{{URL: root, Server: "tools", Mount: "/"}} }
			c.DefaultResource = ""
		})
		id := f.register(testRedirect)
		code := f.browser().login(authorizeQuery(id, testRedirect, "resource", resource)).code(t, testRedirect)
		a := f.read(f.post("/token", redeem(id, code, "resource", root+"/")))
		if a.Status != http.StatusOK {
			t.Fatalf("%s: %+v", resource, a)
		}
		if _, err := f.call(a.Access, root); err != nil {
			t.Errorf("%s: %v", resource, err)
		}
	}
}
