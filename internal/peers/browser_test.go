package peers

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// login is a site with a consent page, a sign-in page that wants a cookie, and a redirect to an agent elsewhere.
func login(t *testing.T, agent string) *httptest.Server {
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write([]byte("<!doctype html><title>x</title>" + body))
	}
	mux.HandleFunc("GET /start", func(w http.ResponseWriter, r *http.Request) {
		page(w, `<form method=post action=ask><input type=hidden name=id value=7><button name=decision value=cancel>No<button name=decision value=allow>Yes</form>`)
	})
	mux.HandleFunc("POST /ask", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("decision") != "allow" || r.FormValue("id") != "7" || r.Header.Get("Origin") != "null" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /signin", func(w http.ResponseWriter, r *http.Request) {
		page(w, `Who are you?<form method=post><input name=username required><input type=password name=password required><button>Go</form>`)
	})
	mux.HandleFunc("POST /signin", func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("seen"); err != nil || cookie.Value != "1" {
			http.Error(w, "no cookie", http.StatusForbidden)
			return
		}
		if r.FormValue("password") != "right" {
			http.Redirect(w, r, "/signin", http.StatusSeeOther)
			return
		}
		http.Redirect(w, r, agent+"?code=c&state=s", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /done", func(w http.ResponseWriter, r *http.Request) { page(w, "<p>All <b>done</b>.") })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func atAgent(u *url.URL) bool { return u.Host == "agent.invalid" }

func TestBrowserWalksThroughFormsToTheAgent(t *testing.T) {
	site := login(t, "http://agent.invalid/callback")
	browser := NewBrowser(map[string]string{"decision": "allow", "username": "alice", "password": "right"})
	page, err := browser.Open(t.Context(), site.URL+"/start", atAgent)
	if err != nil {
		t.Fatal(err)
	}
	if got := page.URL.Query().Get("code"); got != "c" {
		t.Errorf("ended at %s", page.URL)
	}
}

func TestBrowserSaysWhereItIsStuck(t *testing.T) {
	site := login(t, "http://agent.invalid/callback")
	for _, c := range []struct {
		name    string
		answers map[string]string
		want    string
	}{
		{"wrong password", map[string]string{"decision": "allow", "username": "alice", "password": "wrong"}, "asks the same thing again: x Who are you? Go"},
		{"cancelled", map[string]string{"decision": "cancel"}, "403 Forbidden: no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := NewBrowser(c.answers).Open(t.Context(), site.URL+"/start", atAgent)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s", err, c.want)
			}
		})
	}
	_, err := NewBrowser(map[string]string{"decision": "allow"}).Open(t.Context(), site.URL+"/start", atAgent)
	if !errors.Is(err, ErrUnanswered) {
		t.Errorf("without a name: %v", err)
	}
}

func TestBrowserEndsAtAPageWithoutAForm(t *testing.T) {
	page, err := NewBrowser(nil).Open(t.Context(), login(t, "").URL+"/done", nil)
	if err != nil || page.Text != "x All done ." {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestDesktopHandsOutWhatProgramsOpen(t *testing.T) {
	desktop, err := NewDesktop(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"http://localhost/a?b=c&d=e%20f", "http://localhost/second"} {
		command := exec.CommandContext(t.Context(), "sh", "-c", `xdg-open "$0"`, want)
		command.Env = desktop.Env()
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := <-desktop.URLs; got != want {
			t.Errorf("opened %q, want %q", got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(desktop.dir, "xdg-open")); err != nil {
		t.Error(err)
	}
	if err := desktop.Close(); err != nil {
		t.Error(err)
	}
	if _, open := <-desktop.URLs; open {
		t.Error("addresses go on after Close")
	}
}
