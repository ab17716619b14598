package caddymodule

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// tokens are what an agent got for a person.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// login registers an agent and has a person sign in and allow it.
func (g *gateway) login(mount, user, password string) (clientID string, got tokens) {
	g.t.Helper()
	const redirect = "http://127.0.0.1:9/callback"
	var registered struct {
		ID string `json:"client_id"`
	}
	g.post("/register", "application/json", fmt.Sprintf(`{"client_name":"Test agent","redirect_uris":[%q],"token_endpoint_auth_method":"none"}`, redirect), &registered)

	verifier := strings.Repeat("verifier-", 6)
	challenge := sha256.Sum256([]byte(verifier))
	ask := url.Values{
		"response_type": {"code"}, "client_id": {registered.ID}, "redirect_uri": {redirect}, "state": {"the state"}, "scope": {"mcp offline_access"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}, "resource": {g.url(mount)},
	}
	browser := peers.NewBrowser(map[string]string{"username": user, "password": password, "decision": "allow"})
	page, err := browser.Open(g.t.Context(), g.url("/authorize?"+ask.Encode()), func(u *url.URL) bool { return u.Port() == "9" })
	if err != nil {
		g.t.Fatal(err)
	}
	code := page.URL.Query().Get("code")
	if code == "" {
		g.t.Fatalf("signing in ended at %s: %s", page.URL, page.Text)
	}
	g.post("/token", "application/x-www-form-urlencoded", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {registered.ID}, "redirect_uri": {redirect}, "code_verifier": {verifier},
		"resource": {g.url(mount)},
	}.Encode(), &got)
	return registered.ID, got
}

// post posts to an OAuth endpoint and reads the answer.
func (g *gateway) post(path, kind, body string, answer any) {
	g.t.Helper()
	r, err := http.NewRequest(http.MethodPost, g.url(path), strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	res, text := g.do(r)
	if res.StatusCode >= 400 {
		g.t.Fatalf("%s: %s %s", path, res.Status, text)
	}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		g.t.Fatalf("%s: %v %s", path, err, text)
	}
}

func TestAPersonsAgentIsLetInRefreshedAndEndedWithItsGrant(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream), Policy: "role member {\n allow * tools get_* list_*\n}\neveryone {\n allow * tools list_*\n}"})
	client, got := g.login("/mcp", "alice", "wonderland")
	g.tokens[g.url("/mcp")] = got.Access
	if _, list := g.call("/mcp", "tools/list", "{}"); !strings.Contains(list, "list_files") || strings.Contains(list, "get_weather") || strings.Contains(list, "delete") {
		t.Errorf("alice sees %s", list)
	}
	if _, answer := g.call("/mcp", "tools/call", `{"name":"get_weather","arguments":{}}`); !strings.Contains(answer, "Unknown tool") {
		t.Errorf("a call that isn't hers: %s", answer)
	}
	var refreshed tokens
	g.post("/token", "application/x-www-form-urlencoded", url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}, "client_id": {client}, "resource": {g.url("/mcp")},
	}.Encode(), &refreshed)
	g.tokens[g.url("/mcp")] = refreshed.Access

	// A grant, and what was granted, outlives a reload; streams are opened anew.
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	lines := g.stream("/mcp")
	waitFor(t, lines, "data: {")

	w, err := admin(t, http.MethodGet, "/mcp_gateway/grants")
	if err != nil {
		t.Fatal(err)
	}
	var grants []adminGrant
	if err := json.Unmarshal(w.Body.Bytes(), &grants); err != nil || len(grants) != 1 || grants[0].UserID != "local:alice" || grants[0].ClientID != client {
		t.Fatalf("%v %s", err, w.Body)
	}
	for _, secret := range []string{got.Access, got.Refresh, refreshed.Refresh} {
		if strings.Contains(w.Body.String(), secret) {
			t.Error("the list of grants holds a token")
		}
	}
	if w, err = admin(t, http.MethodGet, "/mcp_gateway/grants/"+grants[0].ID); err != nil || !strings.Contains(w.Body.String(), grants[0].ID) {
		t.Errorf("%v %s", err, w.Body)
	}
	for body, want := range map[string]string{
		`{"grant":"` + grants[0].ID + `","tool":"list_files"}`:  `"decision":"allow"`,
		`{"grant":"` + grants[0].ID + `","tool":"get_weather"}`: `"decision":"deny"`,
	} {
		if w, err = adminPost(t, http.MethodPost, "/mcp_gateway/policy/explain", body); err != nil || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %v %s", body, err, w.Body)
		}
	}
	if w, err = admin(t, http.MethodDelete, "/mcp_gateway/grants/"+grants[0].ID); err != nil || w.Code != http.StatusNoContent {
		t.Fatalf("%v %d", err, w.Code)
	}
	waitForEnd(t, lines)
	if res, _ := g.call("/mcp", "tools/list", "{}"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("the token of a revoked grant: %s", res.Status)
	}
}
