package issuer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestTextsOfClaims(t *testing.T) {
	var claims Claims
	if err := json.Unmarshal([]byte(`{"role":"admin","roles":["a","b",7,""],"scope":"read write","scp":["x"],"empty":"","number":1,
		"realm_access":{"roles":["deep"]},"https://acme.example/roles":["named"],"a.b":"exact","a":{"b":"nested"}}`), &claims); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"role": {"admin"}, "roles": {"a", "b"}, "scope": {"read", "write"}, "scp": {"x"}, "realm_access.roles": {"deep"}, "a.b": {"exact"},
		"https://acme.example/roles": {"named"}, "empty": nil, "number": nil, "missing": nil, "role.x": nil, "realm_access": nil, "": nil,
	} {
		if got := claims.Texts(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// Names with dots are found within a path as well, as those of Keycloak's clients are; the longest name that is there counts.
func TestNamesWithDotsWithinAPath(t *testing.T) {
	var claims Claims
	if err := json.Unmarshal([]byte(`{"resource_access":{"app.example.com":{"roles":["of the app"]},"app":{"roles":"short"}},
		"a":{"b.c":{"d":"long"},"b":{"c":{"d":"short"}}},"x":{"y":"stop"},"x.y":{}}`), &claims); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"resource_access.app.example.com.roles": "of the app", "resource_access.app.roles": "short", "a.b.c.d": "long", "x.y": "", "x..y": "", ".": "", "x.": "",
	} {
		if got := strings.Join(claims.Texts(path), " "); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestSubjectsThatCanBeSomebody(t *testing.T) {
	for sub, fine := range map[any]bool{
		"alice": true, "auth0|5f7c8": true, "名": true, strings.Repeat("a", MaxSubject): true,
		"": false, "a\nb": false, "a\x00": false, "\xff": false, strings.Repeat("a", MaxSubject+1): false, nil: false, 7.0: false, true: false,
	} {
		if _, ok := (Claims{"sub": sub}).Subject(); ok != fine {
			t.Errorf("%.20q: %v", sub, ok)
		}
	}
}

func TestOnlyVerifiedAddressesCount(t *testing.T) {
	for verified, want := range map[any]string{true: "a@example.com", "true": "a@example.com", false: "", "false": "", nil: "", 1.0: "", "yes": ""} {
		if got := (Claims{"email": "a@example.com", "email_verified": verified}).VerifiedEmail(); got != want {
			t.Errorf("%v: %q", verified, got)
		}
	}
	for email, in := range map[string]bool{
		"a@example.com": true, "a@EXAMPLE.com": true, "a@b@example.com": true, "a@example.com.evil": false, "a@sub.example.com": false, "@example.com": false,
		"example.com": false, "": false, "a@": false, "a@evil.com?@example.co": false,
	} {
		if got := InDomain(email, []string{"example.com"}); got != in {
			t.Errorf("%s: %v", email, got)
		}
	}
}

// FuzzClaims holds that no claims make trouble, whatever they are and wherever they are looked for.
func FuzzClaims(f *testing.F) {
	for _, seed := range []struct{ claims, path string }{
		{`{"roles":["a"]}`, "roles"}, {`{"a":{"b":{"c":["x",1,null]}}}`, "a.b.c"}, {`{"https://a.b/c":"x"}`, "https://a.b/c"}, {`{"a.b":{"a.b":"x"}}`, "a.b.a.b"},
		{`{"":{"":"x"}}`, "."}, {`null`, "a"}, {`{"scope":"a  b"}`, "scope"}, {`{"a":[["x"]]}`, "a.0"},
	} {
		f.Add(seed.claims, seed.path)
	}
	f.Fuzz(func(t *testing.T, document, path string) {
		var claims Claims
		if json.Unmarshal([]byte(document), &claims) != nil {
			return
		}
		texts := claims.AllTexts([]string{path, path})
		if len(texts) > maxTexts || slices.Contains(texts, "") {
			t.Errorf("%d texts", len(texts))
		}
		if text := claims.Text(path); text != "" && path != "scope" && path != "scp" && !slices.Equal(texts, []string{text}) {
			t.Errorf("%q and %q", text, texts)
		}
		if value, has := claims[path]; has && path != "" {
			if text, ok := value.(string); ok && claims.Text(path) != text {
				t.Errorf("a literal name gives %q", claims.Text(path))
			}
		}
	})
}
