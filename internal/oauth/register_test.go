package oauth

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// registerWith posts a registration, as it is.
func (f *fixture) registerWith(body string) *http.Response {
	f.t.Helper()
	r := httptest.NewRequest(http.MethodPost, testIssuer+"/register", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return f.do(r)
}

// What real clients send.
func TestRegistrationsThatAreFine(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		uris       []string
		method     string
		grants     []string
	}{
		{
			"Cursor, three places at once",
			`{"client_name":"Cursor","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
			[]string{"cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback", "http://localhost:8787/callback"}, "none",
			[]string{"authorization_code", "refresh_token"},
		},
		{
			"one of several is acceptable", `{"redirect_uris":["http://192.168.1.5/cb","javascript:alert(1)","http://127.0.0.1/cb","http://127.0.0.1/cb"]}`,
			[]string{"http://127.0.0.1/cb"}, "none", []string{"authorization_code", "refresh_token"},
		},
		{
			"unknown members of all kinds",
			`{"redirect_uris":["http://127.0.0.1/cb"],"application_type":"native","software_id":"x","scope":"","contacts":[],"jwks":{"keys":[]},"logo_uri":null,"policy_uri":7,"nested":{"redirect_uris":5}}`,
			[]string{"http://127.0.0.1/cb"}, "none", []string{"authorization_code", "refresh_token"},
		},
		{
			"nulls", `{"redirect_uris":["http://127.0.0.1/cb"],"client_name":null,"grant_types":null,"response_types":null,"token_endpoint_auth_method":null}`,
			[]string{"http://127.0.0.1/cb"}, "none", []string{"authorization_code", "refresh_token"},
		},
		{
			"a secret by Basic", `{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_basic","grant_types":["authorization_code"]}`,
			[]string{"https://a.example/cb"}, "client_secret_basic", []string{"authorization_code"},
		},
		{
			"a secret by post", `{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"client_secret_post"}`,
			[]string{"https://a.example/cb"}, "client_secret_post", []string{"authorization_code", "refresh_token"},
		},
		{
			"a method that there is not", `{"redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt"}`,
			[]string{"https://a.example/cb"}, "none", []string{"authorization_code", "refresh_token"},
		},
		{
			"grant types that there are not", `{"redirect_uris":["https://a.example/cb"],"grant_types":["implicit","authorization_code","client_credentials"]}`,
			[]string{"https://a.example/cb"}, "none", []string{"authorization_code"},
		},
		{"white space around", "\r\n {\"redirect_uris\":[\"http://127.0.0.1/cb\"]} \n", []string{"http://127.0.0.1/cb"}, "none", []string{"authorization_code", "refresh_token"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, nil)
			res := f.registerWith(tc.body)
			var got map[string]any
			if err := json.NewDecoder(res.Body).Decode(&got); err != nil || res.StatusCode != http.StatusCreated {
				t.Fatalf("%s %v %v", res.Status, got, err)
			}
			for name, value := range got {
				if value == nil {
					t.Errorf("%s is null", name)
				}
			}
			if got["client_id_issued_at"] != float64(f.clock.now().Unix()) {
				t.Errorf("client_id_issued_at is %v", got["client_id_issued_at"])
			}
			secret, has := got["client_secret"].(string)
			if expires, ok := got["client_secret_expires_at"]; has != (tc.method != "none") || ok != has || has && (len(secret) < 43 || expires != float64(0)) {
				t.Errorf("the secret is %v, and expires %v", got["client_secret"], expires)
			}
			c, err := f.server.client(t.Context(), got["client_id"].(string))
			if err != nil {
				t.Fatal(err)
			}
			if got["token_endpoint_auth_method"] != tc.method || c.public() != (tc.method == "none") || !slices.Equal(c.RedirectURIs, tc.uris) || !slices.Equal(c.Grants, tc.grants) {
				t.Errorf("the client is %+v, the answer %v", c, got)
			}
			if has && (!c.proves(secret) || c.proves("") || c.proves(secret+"x")) {
				t.Error("the secret does not prove the client, or another one does")
			}
		})
	}
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	f := newFixture(t, nil)
	for _, tc := range []struct {
		name, body, want string
	}{
		{"nothing", "", codeInvalidClientMetadata},
		{"no JSON", "redirect_uris=http://127.0.0.1/cb", codeInvalidClientMetadata},
		{"an array", `[{"redirect_uris":["http://127.0.0.1/cb"]}]`, codeInvalidClientMetadata},
		{"null", `null`, codeInvalidClientMetadata},
		{"cut short", `{"redirect_uris":["http://127.0.0.1/cb"]`, codeInvalidClientMetadata},
		{"something behind", `{"redirect_uris":["http://127.0.0.1/cb"]}{}`, codeInvalidClientMetadata},
		{"a member twice", `{"redirect_uris":["https://a.example/cb"],"redirect_uris":["http://127.0.0.1/cb"]}`, codeInvalidClientMetadata},
		{"a name in another case", `{"Redirect_URIs":["http://127.0.0.1/cb"]}`, codeInvalidRedirectURI},
		{"bad UTF-8", "{\"client_name\":\"\xff\",\"redirect_uris\":[\"http://127.0.0.1/cb\"]}", codeInvalidClientMetadata},
		{"a URI that is no text", `{"redirect_uris":[5]}`, codeInvalidClientMetadata},
		{"URIs that are no list", `{"redirect_uris":"http://127.0.0.1/cb"}`, codeInvalidClientMetadata},
		{"no URIs", `{}`, codeInvalidRedirectURI},
		{"an empty list", `{"redirect_uris":[]}`, codeInvalidRedirectURI},
		{"javascript", `{"redirect_uris":["javascript:alert(document.cookie)"]}`, codeInvalidRedirectURI},
		{"http elsewhere", `{"redirect_uris":["http://a.example/cb"]}`, codeInvalidRedirectURI},
		{"a fragment", `{"redirect_uris":["https://a.example/cb#x"]}`, codeInvalidRedirectURI},
		{"too many URIs", `{"redirect_uris":[` + strings.Repeat(`"http://127.0.0.1/cb",`, maxRedirectURIs) + `"http://127.0.0.1/cb"]}`, codeInvalidRedirectURI},
		{"only grant types that there are not", `{"redirect_uris":["http://127.0.0.1/cb"],"grant_types":["client_credentials"]}`, codeInvalidClientMetadata},
		{"only response types that there are not", `{"redirect_uris":["http://127.0.0.1/cb"],"response_types":["token"]}`, codeInvalidClientMetadata},
		{"too long", `{"redirect_uris":["http://127.0.0.1/cb"],"x":"` + strings.Repeat("x", maxRegistrationBytes) + `"}`, codeInvalidClientMetadata},
		{"very deep", `{"redirect_uris":["http://127.0.0.1/cb"],"x":` + strings.Repeat("[", 15000) + strings.Repeat("]", 15000) + `}`, codeInvalidClientMetadata},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := f.read(f.registerWith(tc.body))
			if a.Error != tc.want || a.Status/100 != 4 || a.ClientID != "" {
				t.Errorf("got %+v, want %s", a, tc.want)
			}
		})
	}
	t.Run("as a form", func(t *testing.T) {
		if a := f.read(f.post("/register", authorizeQuery("a", "b"))); a.Status != http.StatusUnsupportedMediaType {
			t.Errorf("got %+v", a)
		}
	})
	n := 0
	if err := f.store.List(t.Context(), kindClient, func(string, []byte) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("%d clients were kept, %v", n, err)
	}
}

// What is kept of a registration is what we need of it, whatever else it says.
func TestOnlyWhatIsNeededOfARegistrationIsKept(t *testing.T) {
	f := newFixture(t, nil)
	filler := strings.Repeat("x", maxRegistrationBytes/4)
	a := f.read(f.registerWith(`{"redirect_uris":["http://127.0.0.1/cb"],"client_name":"` + filler + `","scope":"` + filler + `","grant_types":["authorization_code","` + filler + `"]}`))
	value, err := f.store.Get(t.Context(), kindClient, a.ClientID)
	if err != nil || len(value) > 2*maxClientName+400 {
		t.Errorf("%d bytes are kept, %v", len(value), err)
	}
}

func TestClientNames(t *testing.T) {
	for name, want := range map[string]string{
		"Claude Code":               "Claude Code",
		"  two\r\n lines\t ":        "two lines",
		"a\u202egpj.exe\u202c":      "agpj.exe",
		"zero\u200bwidth\u0000":     "zerowidth",
		strings.Repeat("é", 150):    strings.Repeat("é", 100),
		"<script>alert(1)</script>": "<script>alert(1)</script>",
		"":                          "",
	} {
		if got := cleanName(name); got != want {
			t.Errorf("cleanName(%q) = %q, want %q", name, got, want)
		}
	}
}

// A client that never finishes a login is forgotten after a day; one that does stays, as long as it is used.
func TestUnusedClientsExpire(t *testing.T) {
	f := newFixture(t, nil)
	unused := f.register(testRedirect)
	used, a := f.newTokens()
	f.clock.advance(clientUnusedTTL)
	known := func(id string) bool {
		_, err := f.server.client(t.Context(), id)
		return err == nil
	}
	if known(unused) || !known(used) {
		t.Fatalf("after a day, the unused client is known: %v, the used one: %v", known(unused), known(used))
	}
	for range 10 {
		f.clock.advance(28 * 24 * time.Hour)
		a = f.refreshed(used, a.Refresh)
	}
	f.clock.advance(clientUsedTTL)
	if known(used) {
		t.Error("a client is kept forever")
	}
	if v := f.browser().authorize(authorizeQuery(used, testRedirect)); v.Status != http.StatusBadRequest || !strings.Contains(v.Body, "Unknown app") {
		t.Errorf("a forgotten client gets %d", v.Status)
	}
	if got := f.read(f.post("/token", refreshForm(used, a.Refresh))); got.Status != http.StatusUnauthorized || got.Error != codeInvalidClient || got.Description != "Client not found" {
		t.Errorf("a forgotten client gets %+v", got)
	}
}

func TestRegistrationIsLimited(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.RegisterPerMinute = 6 })
	const body = `{"redirect_uris":["http://127.0.0.1/cb"]}`
	from := func(addr string) *http.Response {
		r := httptest.NewRequest(http.MethodPost, testIssuer+"/register", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", randomText(4))
		r.RemoteAddr = addr
		return f.do(r)
	}
	for i := range registerBurst {
		if res := from("[2001:db8::1]:1000"); res.StatusCode != http.StatusCreated {
			t.Fatalf("registration %d: %s", i, res.Status)
		}
	}
	res := from("[2001:db8::2]:1000") // the same subscriber
	if a := f.read(res); a.Status != http.StatusTooManyRequests || a.Error == "" || res.Header.Get("Retry-After") != "10" {
		t.Errorf("got %+v, Retry-After %s", a, res.Header.Get("Retry-After"))
	}
	if res := from("[2001:db8:0:1::1]:1000"); res.StatusCode != http.StatusCreated {
		t.Errorf("somebody else: %s", res.Status)
	}
	f.clock.advance(10 * time.Second)
	if res := from("[2001:db8::1]:1000"); res.StatusCode != http.StatusCreated {
		t.Errorf("later: %s", res.Status)
	}
	if res := from("pipe"); res.StatusCode != http.StatusCreated {
		t.Errorf("without an address: %s", res.Status)
	}
}

func TestTheTableOfAddressesIsBounded(t *testing.T) {
	l := newRegisterLimits(0)
	r := httptest.NewRequest(http.MethodPost, "/register", nil)
	now := time.Now()
	for i := range 3 * maxLimited {
		r.RemoteAddr = "10." + strings.Join([]string{strconv.Itoa(i >> 16), strconv.Itoa(i >> 8 & 255), strconv.Itoa(i & 255)}, ".") + ":1"
		l.wait(r, now)
	}
	if n := len(l.addresses.young) + len(l.addresses.old); n > maxLimited {
		t.Errorf("%d addresses are kept", n)
	}
	if l.wait(r, now) == 0 {
		t.Error("all of them together are not limited")
	}
}

func TestNoRegistrationIfItIsOff(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Dynamic = false })
	if f.server.Handles("/register") {
		t.Error("the path is taken")
	}
	if res := f.registerWith(`{"redirect_uris":["http://127.0.0.1/cb"]}`); res.StatusCode != http.StatusNotFound {
		t.Errorf("got %s", res.Status)
	}
}
