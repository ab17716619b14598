package guard

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
)

// noLeak checks that nothing hidden reached the client.
func noLeak(t *testing.T, r reply) {
	t.Helper()
	all := r.body
	for k, values := range r.header {
		all += "\n" + k + ": " + strings.Join(values, ",")
	}
	if what := hostile.Reveals([]byte(all)); what != "" {
		t.Fatalf("a hidden name reached the client: %s", what)
	}
}

// wantShown checks that what may be seen arrived.
func wantShown(t *testing.T, r reply, want string) {
	t.Helper()
	if want != "" && (r.status != 200 || !strings.Contains(r.body, want)) {
		t.Fatalf("%s did not arrive: %d %s", want, r.status, r.body)
	}
}

const shownTool = `{"name":"shown_lamp","description":"d"}`

// tools makes the answer to tools/list, given its entries.
func tools(entries string) string {
	return `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + entries + `]}}`
}

func TestNoStreamNamesWhatIsHidden(t *testing.T) {
	list := tools(`{"name":"hidden_vault"},` + shownTool)
	g := newRig(t, nil)
	for name, stream := range map[string]string{
		"CR alone":                          "data: " + list + "\r\r",
		"CRLF":                              "event: message\r\ndata: " + list + "\r\n\r\n",
		"mixed line ends":                   "event: message\rdata: " + list + "\n\r\n",
		"a byte order mark":                 "\ufeffdata: " + list + "\n\n",
		"data without a space":              "data:" + list + "\n\n",
		"split data lines":                  "data: " + strings.Replace(list, "[", "[\ndata: ", 1) + "\n\n",
		"split data lines with a comment":   "data: " + strings.Replace(list, "[", "[\n: hidden_vault\ndata: ", 1) + "\n\n",
		"a broken event before it":          "data: {hidden_vault\n\ndata: " + list + "\n\n",
		"a notification before it":          `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}` + "\n\ndata: " + list + "\n\n",
		"a field nobody knows":              "tools: hidden_vault\ndata: " + list + "\n\n",
		"a comment that names it":           ": hidden_vault\n\ndata: " + list + "\n\n",
		"an event name that names it":       "event: hidden_vault\ndata: x\n\ndata: " + list + "\n\n",
		"an event id that names it":         "id: hidden_vault\ndata: " + list + "\n\n",
		"a retry that names it":             "retry: hidden_vault\ndata: " + list + "\n\n",
		"an event without its blank line":   "data: " + list + "\n\ndata: " + tools(`{"name":"hidden_vault"}`),
		"a ping with the list":              "event: ping\ndata: " + tools(`{"name":"hidden_vault"}`) + "\n\ndata: " + list + "\n\n",
		"the list twice, the second hidden": "data: " + list + "\n\ndata: " + tools(`{"name":"hidden_vault"}`) + "\n\n",
	} {
		for _, size := range []int{1 << 20, 1, 7} {
			t.Run(name, func(t *testing.T) {
				g.answers(sseAnswer(stream, size))
				r := g.post("2025-11-25", "tools/list", `{}`)
				noLeak(t, r)
				wantShown(t, r, shownTool)
			})
		}
	}
}

func TestNoOtherAnswerOfTheUpstreamPasses(t *testing.T) {
	list := tools(`{"name":"hidden_vault"},` + shownTool)
	g := newRig(t, nil)
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		shown  string
	}{
		{"status 201", jsonAnswer(201, list), 200, shownTool},
		{"status 203", jsonAnswer(203, list), 200, shownTool},
		{"status 206", jsonAnswer(206, list), 200, shownTool},
		{"status 202 with a body", answerAs("text/plain", 202, list), 202, ""},
		{"status 204", answerAs("", 204, ""), 202, ""},
		{"status 300", jsonAnswer(300, list), 502, ""},
		{"a redirect", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/hidden_vault")
			w.WriteHeader(302)
		}, 502, ""},
		{"status 304", answerAs("", 304, ""), 502, ""},
		{"status 401", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", "Bearer realm=hidden_vault")
			w.WriteHeader(401)
		}, 502, ""},
		{"status 401 with JSON-RPC", jsonAnswer(401, `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"hidden_vault"}}`), 502, ""},
		{"status 403", answerAs("text/html", 403, "hidden_vault"), 502, ""},
		{"status 407", answerAs("text/html", 407, "hidden_vault"), 502, ""},
		{"status 500", answerAs("text/html", 500, "hidden_vault"), 502, ""},
		{"status 500 with the list", jsonAnswer(500, list), 502, ""},
		{"status 400 with text", answerAs("text/plain", 400, "hidden_vault"), 400, ""},
		{"status 400 with the list", jsonAnswer(400, list), 400, ""},
		{"status 404 with text", answerAs("text/plain", 404, "hidden_vault"), 404, ""},
		{"status 405 with text", answerAs("text/plain", 405, "hidden_vault"), 405, ""},
		{"status 429 with text", answerAs("text/plain", 429, "hidden_vault"), 429, ""},
		{"a type in capitals", answerAs("Application/JSON", 200, list), 200, shownTool},
		{"a type with spaces", answerAs(" application/json ; charset=UTF-8", 200, list), 200, shownTool},
		{"a stream's type in capitals", answerAs("Text/Event-Stream;charset=utf-8", 200, "data: "+list+"\n\n"), 200, shownTool},
		{"a type with another charset", answerAs("application/json; charset=utf-16", 200, list), 502, ""},
		{"a type of its own", answerAs("application/mcp+json", 200, list), 502, ""},
		{"no type", answerAs("", 200, list), 502, ""},
		{"text", answerAs("text/plain", 200, list), 502, ""},
		{"HTML", answerAs("text/html", 200, "<p>hidden_vault"), 502, ""},
		{"two types", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = []string{"application/json", "text/html"}
			_, _ = io.WriteString(w, list)
		}, 502, ""},
		{"gzip", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, list)
			_ = z.Close()
		}, 502, ""},
		{"a coding it only claims", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "x-hidden_vault")
			_, _ = io.WriteString(w, list)
		}, 502, ""},
		{"a flush before the first byte", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, list)
		}, 200, shownTool},
		{"one byte at a time", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for i := range len(list) {
				_, _ = io.WriteString(w, list[i:i+1])
				w.(http.Flusher).Flush()
			}
		}, 200, shownTool},
		{"switching protocols", rawAnswer("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhidden_vault"), 502, ""},
		{"a status that is none", rawAnswer("HTTP/1.1 099 hidden_vault\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), 502, ""},
		{"another status that is none", rawAnswer("HTTP/1.1 999 hidden_vault\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull"), 502, ""},
		{"early hints", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</hidden_vault>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, list)
		}, 200, shownTool},
		{"a broken answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, list)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, 502, ""},
		{"nothing", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, ""},
		{"headers and trailers of its own", func(w http.ResponseWriter, _ *http.Request) {
			for _, k := range []string{"Set-Cookie", "Location", "Refresh", "Clear-Site-Data", "Content-Location", "Link", "X-Tools", "ETag", "Content-Disposition", "Access-Control-Allow-Origin", "Strict-Transport-Security", "Server-Timing", "Server"} {
				w.Header().Set(k, "hidden_vault")
			}
			w.Header().Set("Cache-Control", "public, max-age=1000")
			w.Header().Set("Trailer", "X-Trailer")
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, list)
			w.Header().Set("X-Trailer", "hidden_vault")
		}, 200, shownTool},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.answers(c.answer)
			r := g.post("2025-11-25", "tools/list", `{}`)
			noLeak(t, r)
			wantShown(t, r, c.shown)
			if r.status != c.status {
				t.Fatalf("answered %d %s, want %d", r.status, r.body, c.status)
			}
			if !strings.HasPrefix(r.header.Get("Cache-Control"), "no-store") || r.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", r.header)
			}
			if c.status >= 400 {
				if id, _, _ := r.rpcError(t); string(id) != "1" {
					t.Errorf("answered id %s", id)
				}
			}
			if c.status == 502 {
				if _, code, message := r.rpcError(t); code != -32603 || !strings.Contains(message, "req-1") {
					t.Errorf("answered %d %s", code, message)
				}
				if o := g.last(); o.Decision != Failed || o.Reason == "" || o.Status != 502 {
					t.Errorf("outcome %+v", o)
				}
			}
		})
	}
}

// answerAs answers with a body of some type, or none.
func answerAs(kind string, status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// rawAnswer answers with bytes of its own.
func rawAnswer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString(text)
		_ = rw.Flush()
	}
}

func TestErrorsOfTheUpstreamPassWhereClientsDependOnThem(t *testing.T) {
	g := newRig(t, nil)
	for _, status := range []int{400, 404, 405, 429, 500, 503} {
		for _, id := range []string{"1", "null"} {
			body := `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32022,"message":"no","data":{"supported":["2026-07-28"]}}}`
			g.answers(jsonAnswer(status, body))
			if r := g.post("2026-07-28", "server/discover", `{}`); r.status != status || r.body != body {
				t.Errorf("%d: answered %d %s", status, r.status, r.body)
			}
		}
	}
	g.answers(jsonAnswer(400, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"no"}}`))
	if r := g.post("2026-07-28", "server/discover", `{}`); r.status != 400 || !strings.Contains(r.body, "-32600") {
		t.Errorf("without an id: %d %s", r.status, r.body)
	}
	g.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "POST, DELETE")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(405)
	})
	r := g.send(http.MethodGet, http.Header{"Accept": {"text/event-stream"}}, "")
	if r.status != 405 || r.header.Get("Allow") != "POST, DELETE" || r.header.Get("Retry-After") != "7" {
		t.Errorf("GET: %d %v", r.status, r.header)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	g := newRig(t, nil, func(c *Config) { c.MaxAnswer = 1000 })
	fits := `{"jsonrpc":"2.0","id":1,"result":{"a":"` + strings.Repeat("a", 1000) + `"}}`
	fits = strings.Replace(fits, strings.Repeat("a", len(fits)-1000), "", 1)
	g.answers(jsonAnswer(200, fits))
	if r := g.post("2025-11-25", "ping", `{}`); r.status != 200 || r.body != fits {
		t.Fatalf("answered %d %s", r.status, r.body)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"just too large": jsonAnswer(200, fits+" "),
		"endless": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, fits); err != nil {
					return
				}
			}
		},
		"endless and refused": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, fits); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g.answers(answer)
			g.post("2025-11-25", "ping", `{}`).wantError(t, 502, -32603)
		})
	}
	t.Run("an event", func(t *testing.T) {
		g.answers(sseAnswer("data: "+fits+" \n\n", 100))
		r := g.post("2025-11-25", "ping", `{}`)
		if got := events(r.body); len(got) != 1 || !strings.Contains(got[0], `"id":1,"error":{"code":-32603`) {
			t.Errorf("got %s", r.body)
		}
	})
}

func TestAnswersInThePlaceOfTheUpstreamsDoNotWaitForIt(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		body   string
		status int
	}{
		"HTML that never ends":              {answerAs("text/html", 200, "hidden_vault"), `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 502},
		"a refusal that never ends":         {answerAs("text/html", 400, "hidden_vault"), `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 400},
		"a stream to answer a notification": {answerAs("text/event-stream", 200, ": hello\n\n"), `{"jsonrpc":"2.0","method":"notifications/initialized"}`, 202},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
				c.answer(w, r)
				w.(http.Flusher).Flush()
				<-r.Context().Done()
			})
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			res := g.open(ctx, http.MethodPost, honestLegacy(), c.body)
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != c.status || !res.Close || strings.Contains(string(body), "hidden") {
				t.Errorf("%d %s, %v, close %v", res.StatusCode, body, err, res.Close)
			}
		})
	}
}

func TestAnUpstreamThatIsDownIsA502(t *testing.T) {
	g := newRig(t, nil)
	g.upstream.Close()
	for _, rev := range allRevisions {
		g.post(rev, "tools/list", `{}`).wantError(t, 502, -32603)
	}
	if o := g.last(); o.Decision != Failed || o.UpstreamStatus != 0 || !strings.Contains(o.Reason, "refused") {
		t.Errorf("outcome %+v", o)
	}
}

func TestAClientThatLeavesIsNotAnUpstreamThatFailed(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	g := newRig(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-asked
		cancel()
	}()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, g.front.URL, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	req.Header = honestLegacy()
	if res, err := g.front.Client().Do(req); err == nil {
		res.Body.Close()
		t.Fatal("there was an answer")
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Fatal("the upstream was not told")
	}
	g.front.Close() // waits for the handler
	if o := g.last(); o.Decision != Allow || o.Status != 499 {
		t.Errorf("outcome %+v", o)
	}
}

func TestAnAllowHeaderNamesOnlyMethodsOfTheTransport(t *testing.T) {
	for value, want := range map[string]string{
		"POST, DELETE": "POST, DELETE", "GET,POST": "GET, POST", "HIDDEN, POST, post, PUT": "POST", "HIDDEN_VAULT": "", "": "",
	} {
		if got := allowed([]string{value}); got != want {
			t.Errorf("%q is passed on as %q, want %q", value, got, want)
		}
	}
}
