package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// admin asks the admin API, without a listener.
func admin(t *testing.T, method, path string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	return adminPost(t, method, path, "")
}

// adminPost is admin with a body.
func adminPost(t *testing.T, method, path, body string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	mux := http.NewServeMux()
	var failed error
	for _, route := range (adminAPI{}).Routes() {
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) { failed = route.Handler.ServeHTTP(w, r) })
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w, failed
}

func TestAdminShowsThePolicyInForce(t *testing.T) {
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t), "server weather")})
	hashes := make(map[string]bool)
	for _, policy := range []string{"role member {\n allow weather tools get_*\n}", "role member {\n allow weather tools list_*\n}\nmode observe"} {
		g.config.Policy = policy
		if err := g.load(); err != nil {
			t.Fatal(err)
		}
		w, err := admin(t, http.MethodGet, "/mcp_gateway/policy")
		if err != nil {
			t.Fatal(err)
		}
		var answer adminPolicy
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Hash == "" || !slices.Equal(answer.Roles, []string{"member"}) || !slices.Equal(answer.Servers, []string{"weather"}) {
			t.Errorf("%s", w.Body)
		}
		hashes[answer.Hash+answer.Mode] = true
	}
	if len(hashes) != 2 {
		t.Errorf("two policies have the hashes %v", hashes)
	}
}

func TestAdminAnswersWithoutAGateway(t *testing.T) {
	var refused caddy.APIError
	if _, err := admin(t, http.MethodGet, "/mcp_gateway/policy"); !errors.As(err, &refused) || refused.HTTPStatus != http.StatusNotFound {
		t.Errorf("got %v", err)
	}
}

func TestAdminListsAndRevokesGrants(t *testing.T) {
	startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t))})
	w, err := admin(t, http.MethodGet, "/mcp_gateway/grants")
	if err != nil || w.Body.String() != "[]\n" {
		t.Errorf("%v %s", err, w.Body)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		var refused caddy.APIError
		if _, err := admin(t, method, "/mcp_gateway/grants/nothere"); !errors.As(err, &refused) || refused.HTTPStatus != http.StatusNotFound {
			t.Errorf("%s: got %v", method, err)
		}
	}
	if w, _ := admin(t, http.MethodPost, "/mcp_gateway/grants"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestAdminRotatesTheKeys(t *testing.T) {
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t))})
	token := g.token("/mcp")
	for _, tt := range []struct {
		body string
		keys int
	}{{"", 2}, {`{"compromised":false}`, 2}, {`{"compromised":true}`, 1}} {
		w, err := adminPost(t, http.MethodPost, "/mcp_gateway/keys/rotate", tt.body)
		var keys []adminKey
		if err != nil || json.Unmarshal(w.Body.Bytes(), &keys) != nil || len(keys) != tt.keys || keys[0].ID == "" || keys[0].From.IsZero() {
			t.Fatalf("%s: %v %s", tt.body, err, w.Body)
		}
		if res, _ := g.call("/mcp", "tools/list", "{}"); (res.StatusCode == http.StatusOK) != (tt.keys == 2) {
			t.Errorf("%s: a token from before is answered with %s", tt.body, res.Status)
		}
	}
	if res, _ := g.call("/mcp", "tools/list", "{}"); res.StatusCode != http.StatusUnauthorized || token == "" {
		t.Error(res.Status)
	}
	for _, body := range []string{"[]", `{"compromise":true}`, `{"compromised":"yes"}`, "x"} {
		var refused caddy.APIError
		if _, err := adminPost(t, http.MethodPost, "/mcp_gateway/keys/rotate", body); !errors.As(err, &refused) || refused.HTTPStatus != http.StatusBadRequest {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestAdminExplainsThePolicyInForce(t *testing.T) {
	startGateway(t, gatewayConfig{
		Site:   mount("/mcp", newUpstream(t), "server weather"),
		Policy: "role member {\n allow weather tools get_* when `args.city == \"Berlin\"`\n}\npermission more {\n allow weather tools list_*\n}",
	})
	const path = "/mcp_gateway/policy/explain"
	for body, want := range map[string]string{
		`{"as":{"roles":["member"]},"server":"weather","tool":"get_weather","args":{"city":"Berlin"}}`: `"decision":"allow"`,
		`{"as":{"roles":["member"]},"server":"weather","tool":"get_weather","args":{"city":"Rome"}}`:   `args.city == \"Berlin\" is false`,
		`{"as":{"roles":["member"]},"server":"weather","tool":"list_files"}`:                           `"rule":"no rule allows it"`,
		`{"as":{"permissions":["more"]},"server":"weather","tool":"list_files"}`:                       `"decision":"allow"`,
		`{"grant":"client:bot","server":"weather","tool":"get_weather","args":{"city":"Berlin"}}`:      `"decision":"allow"`,
	} {
		w, err := adminPost(t, http.MethodPost, path, body)
		if err != nil || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %v %s", body, err, w.Body)
		}
	}
	for body, c := range map[string]struct {
		status int
		says   string
	}{
		``:   {http.StatusBadRequest, "JSON object"},
		`[]`: {http.StatusBadRequest, "JSON object"},
		`{"server":"weather","server":"weather","tool":"t"}`:               {http.StatusBadRequest, "JSON object"},
		`{"server":"wether","tool":"t"}`:                                   {http.StatusBadRequest, "no server named wether; did you mean weather?"},
		`{"server":"weather","tol":"t"}`:                                   {http.StatusBadRequest, "did you mean tool?"},
		`{"grant":"nothere","server":"weather","tool":"t"}`:                {http.StatusNotFound, "no such grant"},
		`{"grant":"client:nobody","server":"weather","tool":"t"}`:          {http.StatusNotFound, "no such grant"},
		`{"grant":"client:bot","tool":"t"}`:                                {http.StatusBadRequest, "needs a server"},
		`{"grant":"client:bot","as":{},"server":"weather","tool":"t"}`:     {http.StatusBadRequest, "in place of as"},
		`{"grant":7,"server":"weather","tool":"t"}`:                        {http.StatusBadRequest, "in place of as"},
		`{"server":"weather","tool":"` + strings.Repeat("x", 2<<20) + `"}`: {http.StatusRequestEntityTooLarge, "at most"},
	} {
		var refused caddy.APIError
		if w, err := adminPost(t, http.MethodPost, path, body); !errors.As(err, &refused) || refused.HTTPStatus != c.status || !strings.Contains(refused.Err.Error(), c.says) {
			t.Errorf("%.80s: %v %s", body, err, w.Body)
		}
	}
}

func TestAdminListsAndEndsClients(t *testing.T) {
	startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t))})
	var clients []adminClient
	w, err := admin(t, http.MethodGet, "/mcp_gateway/clients")
	if err != nil || json.Unmarshal(w.Body.Bytes(), &clients) != nil || len(clients) != 1 || clients[0].ID != "bot" || clients[0].Origin != "static" {
		t.Fatalf("%v %s", err, w.Body)
	}
	if w, err := admin(t, http.MethodGet, "/mcp_gateway/clients/bot"); err != nil || !strings.Contains(w.Body.String(), `"id":"bot"`) {
		t.Errorf("%v %s", err, w.Body)
	}
	if w, err := admin(t, http.MethodDelete, "/mcp_gateway/clients/bot"); err != nil || w.Body.String() != `{"grants":0}`+"\n" {
		t.Errorf("%v %s", err, w.Body)
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		var refused caddy.APIError
		if _, err := admin(t, method, "/mcp_gateway/clients/https%3A%2F%2Fa.example%2Fb"); !errors.As(err, &refused) || refused.HTTPStatus != http.StatusNotFound {
			t.Errorf("%s: got %v", method, err)
		}
	}
}

func TestAdminExplainsByWhatATrustedServerSaid(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"look","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}]}}`))
	}
	g := startGateway(t, gatewayConfig{
		Site:   mount("/mcp", upstream, "trust annotations"),
		Policy: "role member {\n allow mcp tools * annotations readOnlyHint true\n}",
	})
	if _, list := g.call("/mcp", "tools/list", "{}"); !strings.Contains(list, `"look"`) {
		t.Fatal(list)
	}
	for tool, want := range map[string]string{"look": `"decision":"allow"`, "change": "nothing is known of the tool's annotations"} {
		w, err := adminPost(t, http.MethodPost, "/mcp_gateway/policy/explain", `{"grant":"client:bot","server":"mcp","tool":"`+tool+`"}`)
		if err != nil || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %v %s", tool, err, w.Body)
		}
	}
}
