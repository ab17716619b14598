package oauth

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var backLink = regexp.MustCompile(`<a class="button" href="([^"]*)">`)

// Whoever signs in and may not come in reads why, and has a way back by which the client stops waiting.
func TestWhoMayNotComeInCanGoBack(t *testing.T) {
	for _, tc := range []struct {
		name, redirect, provider, code string // of the provider
		status                         int
		want, to                       string
	}{
		{"signed in here", webRedirect, "local", "", http.StatusForbidden, codeAccessDenied, "agent.example"},
		{"signed in elsewhere", webRedirect, "hosted", "outsider", http.StatusForbidden, codeAccessDenied, "agent.example"},
		{"a program", testRedirect, "hosted", "outsider", http.StatusForbidden, codeAccessDenied, "your app"},
		{"an app", "cursor://anysphere.cursor-mcp/oauth/callback", "hosted", "outsider", http.StatusForbidden, codeAccessDenied, "your app"},
		{"no usable answer", webRedirect, "hosted", "", http.StatusBadRequest, codeServerError, "agent.example"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, nil)
			b := f.browser()
			const state = `a"b<c>&d=1`
			v := b.authorize(authorizeQuery(f.register(tc.redirect), tc.redirect, "state", state))
			v = b.answer(v, "/consent", "decision", "allow", "provider", tc.provider)
			if tc.provider == "local" {
				v = b.answer(v, "/signin", "username", "outsider", "password", "secret")
			} else {
				v = b.open(testIssuer + "/callback?" + url.Values{"state": {v.Away.Query().Get("state")}, "code": {tc.code}}.Encode())
			}
			if v.Status != tc.status {
				t.Fatalf("got %d\n%s", v.Status, v.Body)
			}
			links := backLink.FindAllStringSubmatch(v.Body, -1)
			if len(links) != 1 || !strings.Contains(v.Body, "Go back to "+tc.to) && !strings.Contains(v.Body, "Go back to <bdi>"+tc.to+"</bdi>") {
				t.Fatalf("the links are %q\n%s", links, v.Body)
			}
			address := html.UnescapeString(links[0][1])
			u, err := url.Parse(address)
			if err != nil || !strings.HasPrefix(address, tc.redirect+"?") {
				t.Fatalf("the link is %s, %v", address, err)
			}
			if q := u.Query(); q.Get("error") != tc.want || q.Get("iss") != testIssuer || q.Get("state") != state || q.Has("code") {
				t.Errorf("the client would hear %v", q)
			}
		})
	}
}
