package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestMountIsOnePlainPath(t *testing.T) {
	for mount, want := range map[string]string{
		"/github":              "",
		"/a/b_c/d.e~f-9":       "",
		"":                     "missing",
		"/":                    "every path",
		"github":               "begin with a slash",
		"/github*":             `write "/github"`,
		"/github/*":            `write "/github"`,
		"/github/":             "without the slash",
		"//github":             `as "/github"`,
		"/a/../github":         `as "/github"`,
		"/a/./b":               `as "/a/b"`,
		"/git hub":             "letters",
		"/git%68ub":            "letters",
		"/gith\u00fcb":         "letters",
		"/{env.MOUNT}":         "letters",
		"/.well-known/x":       "metadata",
		"/.WELL-known":         "metadata",
		"/.well-knownish":      "",
		"/github;jsessionid=1": "letters",
	} {
		err := checkMount(mount)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", mount, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got %v, want an error that says %q", mount, err, want)
		}
	}
}

func TestMountMayNotHideOAuthEndpoints(t *testing.T) {
	for _, tt := range []struct{ mount, prefix, want string }{
		{"/token", "/", "/token"},
		{"/Token", "/", "/token"},
		{"/webhooks", "/", "/webhooks/workos"},
		{"/oauth", "/oauth", "/oauth"},
		{"/OAuth/token", "/oauth", "/oauth"},
		{"/a", "/a/b", "/a/b/authorize"},
		{"/oauth/mcp", "/oauth", "/oauth"},
		{"/token", "/oauth", ""},
		{"/tokens", "/", ""},
		{"/token/mcp", "/", ""},
		{"/mcp", "/", ""},
	} {
		prefix := strings.TrimSuffix(tt.prefix, "/")
		if got := oauthCollision(tt.mount, tt.prefix, []string{prefix + "/token", prefix + "/authorize"}); got != tt.want {
			t.Errorf("mount %s with oauth_path %s: got %q, want %q", tt.mount, tt.prefix, got, tt.want)
		}
	}
}

func TestPathIsReadAsItWasSent(t *testing.T) {
	for uri, want := range map[string]string{
		"/github":                            "/github",
		"/github?x=/y":                       "/github",
		"/%67ithub/../x":                     "/%67ithub/../x",
		"//github":                           "//github",
		"http://h.example/github":            "/github",
		"http://h.example":                   "/",
		"http://h.example?x":                 "",
		"/x?next=http://h.example/github":    "/x",
		"/redirect/http://h.example/github?": "/redirect/http://h.example/github",
	} {
		r := httptest.NewRequest(http.MethodPost, "/rewritten", nil)
		r.RequestURI = "/rewritten"
		r = r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, http.Request{RequestURI: uri}))
		if got := sentPath(r); got != want {
			t.Errorf("%q: got %q, want %q", uri, got, want)
		}
	}
}

func TestFoldSeesThroughEveryDisguiseOfAMount(t *testing.T) {
	for _, disguise := range []string{
		"/github", "/github/", "/GITHUB", "/%67ithub", "/%2567ithub", "/%252567ithub", "//github", "/./github",
		"/x/../github", "/x/..%2fgithub", "/x/%2e%2e/github", `/x\..\github`, "/%5cgithub", "/github;a=b", "/;x/github",
		"/github%00", "/github%20", "/git%0ahub", "/../github", "/github/.", "/github/x/..",
	} {
		if got := fold(disguise); got != "/github" {
			t.Errorf("%q folds to %q", disguise, got)
		}
	}
	for _, other := range []string{"/", "", "/githubs", "/x/github", "/git", "/%zzgithub", "/githu%", "/githu%6"} {
		if got := fold(other); within(got, "/github") {
			t.Errorf("%q folds to %q", other, got)
		}
	}
}

func TestAHandleOfOneSiteOpensAtNoOther(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", "made-up-for-the-other")
		answerRPC(w, r)
	}
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	own := "localhost:" + g.config.Port
	other := "other." + own
	g.config.Rest = "http://" + other + " {\n" + mount("/mcp", upstream) + "}\n"
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	list := func(host, session string) *http.Response {
		r := g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		r.Host = host
		if host == other {
			r.Header.Set("Authorization", "Bearer "+g.tokenFor("http://"+other+"/mcp"))
		}
		if session != "" {
			r.Header.Set("Mcp-Session-Id", session)
		}
		res, _ := g.do(r)
		return res
	}
	session := list(own, "").Header.Get("Mcp-Session-Id")
	if res := list(own, session); session == "" || res.StatusCode != http.StatusOK {
		t.Errorf("where it is from: %s", res.Status)
	}
	if res := list(other, session); res.StatusCode != http.StatusNotFound {
		t.Errorf("on another site: %s", res.Status)
	}
}

func FuzzFold(f *testing.F) {
	for _, seed := range []string{"/github", "/%2567ithub", `/a\..\b;c`, "", "%", "/%00%zz//../.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		folded := fold(sent)
		if !strings.HasPrefix(folded, "/") {
			t.Fatalf("%q folds to %q, which is no path", sent, folded)
		}
		if strings.Contains(folded, "//") || strings.Contains(folded, `\`) || strings.Contains(folded, "/../") {
			t.Fatalf("%q folds to %q", sent, folded)
		}
	})
}
