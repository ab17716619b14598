package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A client that is only a document goes the whole way, and its people see where the document comes from.
func TestAClientThatIsADocument(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, nil)
	id := v.document("/agents/one.json")
	page := f.browser().authorize(authorizeQuery(id, testRedirect))
	domain := strings.TrimPrefix(v.Origin, "https://")
	for _, want := range []string{"Allow <bdi>" + domain + "</bdi> to use", "Agent of a Vendor", "The name comes from", "can say it is"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("page 1 does not say %q:\n%s", want, page.Body)
		}
	}
	code := f.browser().login(authorizeQuery(id, testRedirect)).code(t, testRedirect)
	a := f.read(f.post("/token", redeem(id, code)))
	if a.Status != http.StatusOK || a.Refresh == "" {
		t.Fatalf("got %+v", a)
	}
	if _, err := f.call(a.Access, testResource); err != nil {
		t.Error(err)
	}
	if a = f.refreshed(id, a.Refresh); a.Status != http.StatusOK {
		t.Errorf("got %+v", a)
	}
	// There is no registration to prolong.
	if c, err := f.server.client(t.Context(), id); err != nil || f.server.touch(t.Context(), c) != nil {
		t.Errorf("got %+v, %v", c, err)
	}
	if n := v.asked.Load(); n != 1 {
		t.Errorf("all of this asked for the document %d times", n)
	}
	rec := f.audit.find("consent", decisionAllow)
	if len(rec) == 0 || rec[0].ClientID != id || rec[0].ClientName != "Agent of a Vendor" {
		t.Errorf("the record is %+v", rec)
	}
}

// Many people share the id of such a client: what one of them ends is that one's alone.
func TestWhatOneInstallationDoesIsItsOwn(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, nil)
	id := v.document("/one.json")
	newGrant := func() (code string, a answer) {
		code = f.browser().login(authorizeQuery(id, testRedirect)).code(t, testRedirect)
		return code, f.read(f.post("/token", redeem(id, code)))
	}
	stolen, first := newGrant()
	_, second := newGrant()
	if a := f.read(f.post("/token", redeem(id, stolen))); a.Error != codeInvalidGrant {
		t.Errorf("a code for the second time: %+v", a)
	}
	if _, err := f.call(first.Access, testResource); err == nil {
		t.Error("what came of the stolen code goes on")
	}
	if res := f.post("/revoke", url.Values{"client_id": {id}, "token": {first.Refresh}}); res.StatusCode != http.StatusOK {
		t.Errorf("revocation answers %s", res.Status)
	}
	if _, err := f.call(second.Access, testResource); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
}

func TestDocumentsThatAreNoGood(t *testing.T) {
	v := newVendor(t)
	elsewhere := newVendor(t)
	good := json.RawMessage(`["http://127.0.0.1/callback"]`)
	many := make([]string, maxRedirectURIs+1)
	for i := range many {
		many[i] = fmt.Sprintf("https://a.example/%d", i)
	}
	key := newClientKey(t, "a")
	for _, tc := range []struct {
		name string
		id   string
		want string
	}{
		{"nothing there", v.Origin + "/nothing.json", "it is not there"},
		{"another's document", v.document("/copy.json", "client_id", elsewhere.Origin+"/one.json"), "another client_id"},
		{"an id that only looks the same", v.document("/same.json", "client_id", v.Origin+"/%73ame.json"), "another client_id"},
		{"an id with a slash more", v.document("/slash.json", "client_id", v.Origin+"/slash.json/"), "another client_id"},
		{"no id", v.document("/no-id.json", "client_id", nil), "another client_id"},
		{"an id that is no text", v.document("/number.json", "client_id", 5), "not a valid JSON object"},
		{"no name", v.document("/no-name.json", "client_name", nil), "no client_name"},
		{"a name that can't be seen", v.document("/hidden.json", "client_name", "\u200b\u202e"), "no client_name"},
		{"no redirect URIs", v.document("/no-uris.json", "redirect_uris", nil), "no redirect_uris"},
		{"javascript", v.document("/javascript.json", "redirect_uris", []string{"javascript:alert(1)"}), "no redirect_uris"},
		{"http elsewhere", v.document("/http.json", "redirect_uris", []string{"http://a.example/cb"}), "no redirect_uris"},
		{"too many redirect URIs", v.document("/many.json", "redirect_uris", many), "no redirect_uris"},
		{"a secret", v.document("/secret.json", "client_secret", "x"), "has a client_secret"},
		{"when a secret expires", v.document("/expires.json", "client_secret_expires_at", 0), "has a client_secret"},
		{"a way to prove itself by a secret", v.document("/post.json", "token_endpoint_auth_method", "client_secret_post"), "other than none and private_key_jwt"},
		{"keys that are not there", v.document("/no-keys.json", "token_endpoint_auth_method", authKey), "neither jwks nor jwks_uri"},
		{"keys in two places", v.document("/two.json", "jwks", jwks(key), "jwks_uri", v.Origin+"/jwks"), "both jwks and jwks_uri"},
		{"keys without TLS", v.document("/plain.json", "jwks_uri", "http://a.example/jwks"), "keys are not fetched from"},
		{"keys of the cloud", v.document("/cloud.json", "jwks_uri", "https://169.254.169.254/jwks"), "keys are not fetched from"},
		{"no keys among the keys", v.document("/empty.json", "jwks", json.RawMessage(`{"keys":[]}`)), "no key that can be used"},
		{"a secret among the keys", v.document("/oct.json", "jwks", json.RawMessage(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)), "no key that can be used"},
		{"an algorithm with a secret", v.document("/hs.json", "jwks", jwks(key), "token_endpoint_auth_signing_alg", "HS256"), "signing_alg that there is not"},
		{"only other grant types", v.document("/grants.json", "grant_types", []string{"client_credentials"}), "no grant type"},
		{"only other response types", v.document("/types.json", "response_types", []string{"token"}), "response type code"},
		{"a member twice", v.publish("/twice.json", `{"client_id":"`+v.Origin+`/twice.json","client_name":"a","redirect_uris":`+string(good)+`,"redirect_uris":["https://evil.example/"]}`), "not a valid JSON object"},
		{"names in another case", v.publish("/case.json", `{"Client_ID":"`+v.Origin+`/case.json","client_name":"a","redirect_uris":`+string(good)+`}`), "another client_id"},
		{"an array", v.publish("/array.json", `[]`), "not a valid JSON object"},
		{"null", v.publish("/null.json", `null`), "another client_id"},
		{"something behind", v.publish("/behind.json", `{} {}`), "not a valid JSON object"},
		{"bad UTF-8", v.publish("/utf8.json", "{\"client_name\":\"\xff\"}"), "not a valid JSON object"},
		{"too long", v.document("/long.json", "x", strings.Repeat("x", maxDocument)), "is too long"},
		{"very deep", v.publish("/deep.json", `{"x":`+strings.Repeat("[", 8000)+strings.Repeat("]", 8000)+`}`), "another client_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newDocumentFixture(t, v, nil)
			page := f.browser().authorize(authorizeQuery(tc.id, testRedirect))
			if page.Away != nil || page.Status != http.StatusBadRequest || !strings.Contains(page.Body, tc.want) || !strings.Contains(page.Body, "Whoever makes it") {
				t.Errorf("at /authorize: %d %v\n%s", page.Status, page.Away, page.Body)
			}
			a := f.read(f.post("/token", refreshForm(tc.id, "x")))
			if a.Status != http.StatusUnauthorized || a.Error != codeInvalidClient || !strings.Contains(a.Description, tc.want) {
				t.Errorf("at /token: %+v", a)
			}
		})
	}
}

// What can't be the address of a document is an unknown client, and nobody is asked.
func TestAddressesThatAreNoClient(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, nil)
	v.document("/a/one.json")
	for _, id := range []string{
		v.Origin, v.Origin + "/", "http" + v.Origin[5:] + "/a/one.json", v.Origin + "/a/./one.json", v.Origin + "/b/../a/one.json", v.Origin + "/b/%2e%2e/a/one.json",
		v.Origin + "/a/one.json#", v.Origin + "/a/%2E/one.json", "https://user@" + v.Origin[8:] + "/a/one.json", "https://127.0.0.1" + v.Origin[17:] + "/a/one.json",
		"https://LOCALHOST" + v.Origin[17:] + "/a/one.json", v.Origin + "/a/one.json?" + strings.Repeat("x", maxClientID), "https://localhost:22/a/one.json", "HTTPS" + v.Origin[5:] + "/a/one.json",
	} {
		page := f.browser().authorize(authorizeQuery(id, testRedirect))
		if page.Away != nil || page.Status != http.StatusBadRequest || !strings.Contains(page.Body, "Client not found") {
			t.Errorf("%s: %d %v\n%s", id, page.Status, page.Away, page.Body)
		}
	}
	if v.asked.Load() != 0 {
		t.Errorf("the site was asked %d times", v.asked.Load())
	}
}

// A site that can't be asked, because it is down or because it is at an address of the inside: the same to whoever looks.
func TestSitesThatCanNotBeAsked(t *testing.T) {
	v := newVendor(t)
	id := v.document("/one.json")
	down := newDocumentFixture(t, v, nil)
	v.fail(true)
	inside := newDocumentFixture(t, v, func(c *Config) { c.Documents = publicOnly(v) })
	var said []string
	for name, f := range map[string]*fixture{"down": down, "inside": inside} {
		asked := v.asked.Load()
		page := f.browser().authorize(authorizeQuery(id, testRedirect))
		if page.Away != nil || page.Status != http.StatusServiceUnavailable || page.Header.Get("Retry-After") == "" || !strings.Contains(page.Body, "does not answer") {
			t.Errorf("%s, at /authorize: %d %v\n%s", name, page.Status, page.Away, page.Body)
		}
		a := f.read(f.post("/token", refreshForm(id, "x")))
		if a.Status != http.StatusServiceUnavailable || a.Error != codeTemporarilyUnavailable {
			t.Errorf("%s, at /token: %+v", name, a)
		}
		if got := v.asked.Load() - asked; (got > 0) != (name == "down") {
			t.Errorf("%s: the site was asked %d times", name, got)
		}
		said = append(said, a.Description+page.Body)
		if rec := f.audit.find("authorize", decisionRefuse); len(rec) != 1 || (name == "inside") != strings.Contains(rec[0].Reason, "prohibited IP") {
			t.Errorf("%s: the record is %+v", name, rec)
		}
	}
	if said[0] != said[1] {
		t.Errorf("they can be told apart:\n%s\n%s", said[0], said[1])
	}
}

// While its site is down, a client that was good stays so for a day: people go on, and can sign in.
func TestAClientOutlivesTroubleOfItsSite(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, func(c *Config) { c.IdentityRefresh = 30 * 24 * time.Hour })
	id := v.document("/one.json")
	code := f.browser().login(authorizeQuery(id, testRedirect)).code(t, testRedirect)
	a := f.read(f.post("/token", redeem(id, code)))
	v.fail(true)
	f.clock.advance(12 * time.Hour)
	a = f.refreshed(id, a.Refresh)
	f.browser().login(authorizeQuery(id, testRedirect)).code(t, testRedirect)
	f.clock.advance(13 * time.Hour)
	if got := f.read(f.post("/token", refreshForm(id, a.Refresh))); got.Error != codeTemporarilyUnavailable {
		t.Errorf("after more than a day: %+v", got)
	}
	v.fail(false)
	f.refreshed(id, a.Refresh)
}

// A redirect URI that is taken out of a document is one no longer.
func TestADocumentThatChanges(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, nil)
	id := v.document("/one.json")
	f.browser().login(authorizeQuery(id, webRedirect)).code(t, webRedirect)
	v.document("/one.json", "redirect_uris", []string{"https://new.example/cb"})
	f.clock.advance(10 * time.Minute)
	if page := f.browser().authorize(authorizeQuery(id, webRedirect)); page.Away != nil || page.Status != http.StatusBadRequest {
		t.Errorf("got %d %v", page.Status, page.Away)
	}
	f.browser().login(authorizeQuery(id, "https://new.example/cb")).code(t, "https://new.example/cb")
}

func TestDomainsThatAreAllowed(t *testing.T) {
	v := newVendor(t)
	id := v.document("/one.json")
	for name, tc := range map[string]struct {
		allow []string
		want  bool
	}{
		"all":                 {nil, true},
		"that one":            {[]string{"claude.ai", "localhost"}, true},
		"another":             {[]string{"claude.ai"}, false},
		"all below that one":  {[]string{"*.localhost"}, false},
		"one that ends alike": {[]string{"calhost", "*.calhost"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newDocumentFixture(t, v, func(c *Config) { c.Documents.Allow = tc.allow })
			asked := v.asked.Load()
			page := f.browser().authorize(authorizeQuery(id, testRedirect))
			if (page.Status == http.StatusOK) != tc.want || (v.asked.Load() > asked) != tc.want {
				t.Errorf("got %d", page.Status)
			}
		})
	}
	d := &documents{allow: []string{"*.example.com"}}
	for host, want := range map[string]bool{"a.example.com": true, "a.b.example.com": true, "example.com": false, "badexample.com": false, "a.example.com.evil.test": false} {
		if d.allowed(host) != want {
			t.Errorf("%s is allowed: %v", host, !want)
		}
	}
	for _, bad := range []string{"", "*", "*.", "a.*.example", "https://a.example", "a.example/x", "A.example", "a.example:443", "10.0.0.1"} {
		if CheckDomain(bad) == nil {
			t.Errorf("%q is a domain", bad)
		}
		if _, err := New(Config{
			Issuer: testIssuer, Resources: func() []Resource { return nil }, Store: newFixture(t, nil).store, Sealer: newFixture(t, nil).server.cfg.Sealer,
			Documents: &Documents{Allow: []string{bad}},
		}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// The page that asks for a login must not be a way to have us knock at other people's doors.
func TestDocumentsAreNotFetchedWithoutLimit(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, nil)
	known := v.document("/known.json")
	from := func(addr, id string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, testIssuer+"/authorize?"+authorizeQuery(id, testRedirect).Encode(), nil)
		r.RemoteAddr = addr
		r.Header.Set("X-Forwarded-For", randomText(4))
		return f.do(r)
	}
	const one, other = "[2001:db8::1]:1000", "[2001:db8:1::1]:1000"
	if res := from(one, known); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	for i := range documentBurst - 1 {
		if res := from("[2001:db8::2]:1000", fmt.Sprintf("%s/no%d.json", v.Origin, i)); res.StatusCode != http.StatusBadRequest {
			t.Fatalf("document %d: %s", i, res.Status)
		}
	}
	asked := v.asked.Load()
	if res := from(one, v.Origin+"/new.json"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the same subscriber: %s", res.Status)
	}
	if v.asked.Load() != asked {
		t.Error("the site was asked")
	}
	// Nobody can use up what others may ask of a site.
	if res := from(other, v.document("/later.json")); res.StatusCode != http.StatusOK {
		t.Errorf("somebody else, about the same site: %s", res.Status)
	}
	f.clock.advance(10 * time.Minute)
	for range 5 * documentBurst {
		if res := from(one, known); res.StatusCode != http.StatusOK {
			t.Fatalf("a document that is known: %s", res.Status)
		}
	}
	if res := from(one, v.Origin+"/new.json"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("later: %s", res.Status)
	}
}

func TestDocumentLimitsAreBounded(t *testing.T) {
	l, now := newDocumentLimits([]string{"claude.ai"}), time.Now()
	from := func(i int) netip.Prefix {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)
		return remotePrefix(r)
	}
	refused := false
	for i := range 3 * maxLimited {
		refused = l.wait(from(i), "", now) > 0
	}
	if len(l.from.young)+len(l.from.old) > maxLimited {
		t.Error("the table grows")
	}
	if !refused {
		t.Error("all of them together are not limited")
	}
	if l.wait(from(3*maxLimited), "claude.ai", now) > 0 {
		t.Error("a listed domain has no share of its own")
	}
}

// Whoever names documents without end, from however many addresses, keeps out neither the clients of another domain that is listed nor
// one of the same that was here before, even if its document may not be kept.
func TestAttackAllClientsKeptOutByMadeUpDocuments(t *testing.T) {
	v := newVendor(t)
	f := newDocumentFixture(t, v, func(c *Config) { c.Documents.Allow = []string{"other.example", "localhost"} })
	known := v.document("/known.json")
	if page := f.browser().authorize(authorizeQuery(known, testRedirect)); page.Status != http.StatusOK {
		t.Fatal(page.Status)
	}
	f.clock.advance(48 * time.Hour) // nothing that was kept may be used any more
	u, _ := documentURL(known)
	share, ok := f.server.documents.listed(u.Hostname())
	if !ok {
		t.Fatalf("%s is not listed", u.Hostname())
	}
	for i := range documentAllBurst {
		from := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		if f.server.documents.limits.wait(from, share, f.clock.now()) > 0 {
			t.Fatalf("request %d is refused", i)
		}
	}
	for address, want := range map[string]int{v.Origin + "/made-up.json": http.StatusTooManyRequests, known: http.StatusOK} {
		if page := f.browser().authorize(authorizeQuery(address, testRedirect)); page.Status != want {
			t.Errorf("%s answers %d", address, page.Status)
		}
	}
	if f.server.documents.limits.wait(netip.Prefix{}, "other.example", f.clock.now()) > 0 {
		t.Error("another domain that is listed has no share left")
	}
}

func TestDocumentsThatAreOff(t *testing.T) {
	f := newFixture(t, nil)
	if page := f.browser().authorize(authorizeQuery("https://claude.ai/oauth/claude-code-client-metadata", testRedirect)); page.Status != http.StatusBadRequest || !strings.Contains(page.Body, "Client not found") {
		t.Errorf("got %d", page.Status)
	}
	on := newDocumentFixture(t, newVendor(t), nil)
	if on.document(testIssuer + wellKnownServer)["client_id_metadata_document_supported"] != true {
		t.Error("they are not announced where they are on")
	}
}

// An operator may set up a client whose id is the address of a document; then what the operator says counts.
func TestAnAddressThatTheOperatorHasSetUp(t *testing.T) {
	v := newVendor(t)
	id := v.document("/one.json")
	f := newDocumentFixture(t, v, func(c *Config) {
		c.Static = append(c.Static, StaticClient{ID: id, Name: "Set Up", Public: true, RedirectURIs: []string{"https://set.up.example/cb"}})
	})
	if page := f.browser().authorize(authorizeQuery(id, "https://set.up.example/cb")); page.Status != http.StatusOK || !strings.Contains(page.Body, "Set Up") || v.asked.Load() > 0 {
		t.Errorf("got %d", page.Status)
	}
}

func FuzzDocument(f *testing.F) {
	const address = "https://a.example/one.json"
	for _, seed := range []string{
		`{"client_id":"` + address + `","client_name":"a","redirect_uris":["http://127.0.0.1/cb"]}`,
		`{"client_id":"` + address + `","client_name":"a","redirect_uris":["https://a.example/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://a.example/jwks"}`,
		`{"client_id":"` + address + `","client_name":"a","redirect_uris":["cursor://a/b"],"jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}}`,
		`{"client_id":null,"redirect_uris":[{}]}`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := parseDocument(address, body)
		if err != nil {
			if e := asProtocolError(documentError("document", err)); e.code != codeInvalidClient || !printable(e.description) {
				t.Errorf("%v", e)
			}
			return
		}
		if c.ID != address || c.Domain != "a.example" || c.Name == "" || len(c.RedirectURIs) == 0 || c.Secret != nil || c.KeyOnly && c.Keys == nil {
			t.Errorf("%+v", c)
		}
		for _, uri := range c.RedirectURIs {
			if _, err := parseRedirect(uri); err != nil {
				t.Errorf("%s: %v", uri, err)
			}
		}
	})
}
