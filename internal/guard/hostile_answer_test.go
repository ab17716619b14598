package guard

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// leak is a way to have the name of a hidden entry reach the client. The message
// answers the request with id 1.
type leak struct {
	name    string
	message string
	shown   string // what must reach the client all the same; empty if the message may be refused
}

const shownTool = `{"name":"shown_lamp","description":"d"}`

// tools makes the answer to tools/list, given its entries.
func tools(entries string) string {
	return `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + entries + `]}}`
}

var leaks = []leak{
	{"a hidden tool", tools(shownTool + `,{"name":"hidden_vault"}`), shownTool},
	{"a hidden tool alone", tools(`{"name":"hidden_vault"}`), `"tools":[]`},
	{"hidden tools around one", tools(`{"name":"hidden_vault"}, ` + shownTool + ` ,{"name":"hidden_vault"},{"name":"hidden_vault2"}`), shownTool},
	{"a hidden prompt", `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"shown_a"},{"name":"hidden_vault"}]}}`, `{"name":"shown_a"}`},
	{"a hidden resource", `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"docs://shown/a","name":"a"},{"uri":"docs://hidden_vault/a","name":"b"}]}}`, `docs://shown/a`},
	{"a resource that borrows a shown name", `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"name":"shown_a","uri":"docs://hidden_vault/a"}]}}`, `"resources":[]`},
	{"a hidden template", `{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"docs://shown/{a}","name":"a"},{"uriTemplate":"docs://hidden_vault/{a}","name":"b"}]}}`, `docs://shown/{a}`},
	{"four lists at once", `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"hidden_vault"}],"resources":[{"uri":"docs://hidden_vault/a"}],"resourceTemplates":[{"uriTemplate":"docs://hidden_vault/{a}"}],"tools":[` + shownTool + `,{"name":"hidden_vault"}]}}`, shownTool},
	{"a list where the result has more", `{"jsonrpc":"2.0","id":1,"result":{"content":[],"tools":[{"name":"hidden_vault"}],"isError":false}}`, `"content":[]`},
	{"the result before the rest", `{"result":{"tools":[{"name":"hidden_vault"},` + shownTool + `]},"id":1,"jsonrpc":"2.0"}`, shownTool},
	{"an escaped name", tools(`{"name":"hidden\u005fvault"},` + shownTool), shownTool},
	{"an escaped member", tools(`{"n\u0061me":"hidden_vault"},` + shownTool), shownTool},
	{"an escaped list", `{"jsonrpc":"2.0","id":1,"result":{"t\u006fols":[{"name":"hidden_vault"},` + shownTool + `]}}`, shownTool},
	{"white space everywhere", "{ \"jsonrpc\" : \"2.0\" ,\r\n\t\"id\" : 1 , \"result\" : { \"tools\" : [ { \"name\" : \"hidden_vault\" } , " + shownTool + " ] } }", shownTool},
	{"two names, the first shown", tools(`{"name":"shown_a","name":"hidden_vault"},` + shownTool), shownTool},
	{"two names, the first hidden", tools(`{"name":"hidden_vault","name":"shown_a"},` + shownTool), shownTool},
	{"two names, one escaped", tools(`{"name":"shown_a","nam\u0065":"hidden_vault"},` + shownTool), shownTool},
	{"a name in another case", tools(`{"name":"shown_a","Name":"hidden_vault"},` + shownTool), shownTool},
	{"a member twice in an entry", tools(`{"name":"shown_a","title":"a","title":"hidden_vault"},` + shownTool), shownTool},
	{"no name but a title", tools(`{"title":"hidden_vault"},` + shownTool), shownTool},
	{"a name that is a number", tools(`{"name":7,"title":"hidden_vault"},` + shownTool), shownTool},
	{"a name that is an object", tools(`{"name":{"name":"hidden_vault"}},` + shownTool), shownTool},
	{"a name that is a list", tools(`{"name":["hidden_vault"]},` + shownTool), shownTool},
	{"an empty name", tools(`{"name":"","title":"hidden_vault"},` + shownTool), shownTool},
	{"a NUL after a shown name", tools(`{"name":"shown_a\u0000hidden_vault"},` + shownTool), shownTool},
	{"an entry that is a string", tools(`"hidden_vault",` + shownTool), shownTool},
	{"an entry that is a list", tools(`[{"name":"hidden_vault"}],` + shownTool), shownTool},
	{"an entry that is null", tools(`null,{"name":"hidden_vault"},` + shownTool), shownTool},
	{"a list that is an object", `{"jsonrpc":"2.0","id":1,"result":{"tools":{"hidden_vault":{}}}}`, ""},
	{"a list that is a string", `{"jsonrpc":"2.0","id":1,"result":{"tools":"hidden_vault"}}`, ""},
	{"a list twice", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in another case", `{"jsonrpc":"2.0","id":1,"result":{"Tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list with a long s", `{"jsonrpc":"2.0","id":1,"result":{"toolſ":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in snake case", `{"jsonrpc":"2.0","id":1,"result":{"resource_templates":[{"uriTemplate":"docs://hidden_vault/{a}"}]}}`, ""},
	{"two results", `{"jsonrpc":"2.0","id":1,"result":{},"result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a result in another case", `{"jsonrpc":"2.0","id":1,"result":{},"Result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a method and a result", `{"jsonrpc":"2.0","id":1,"method":"ping","result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a notification with a result", `{"jsonrpc":"2.0","method":"notifications/message","result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a result and an error", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"},"result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"params beside a result", `{"jsonrpc":"2.0","id":1,"result":{},"params":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in a notification", `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":{"tools":[{"name":"hidden_vault"}]}}}`, ""},
	{"a list beside the result", `{"jsonrpc":"2.0","id":1,"result":{},"tools":[{"name":"hidden_vault"}]}`, ""},
	{"a result that is a list", `{"jsonrpc":"2.0","id":1,"result":[{"tools":[{"name":"hidden_vault"}]}]}`, ""},
	{"a result that is a string", `{"jsonrpc":"2.0","id":1,"result":"hidden_vault"}`, ""},
	{"an array of messages", `[` + tools(`{"name":"hidden_vault"}`) + `]`, ""},
	{"two messages", tools(shownTool) + tools(`{"name":"hidden_vault"}`), ""},
	{"a byte order mark", "\ufeff" + tools(`{"name":"hidden_vault"}`), ""},
	{"bad UTF-8", tools("{\"name\":\"shown_a\",\"description\":\"\xff\"},{\"name\":\"hidden_vault\"}"), ""},
	{"half a surrogate pair in a name", tools(`{"name":"\ud800hidden_vault"}`), ""},
	{"a control character", tools("{\"name\":\"hidden_vault\n\"}"), ""},
	{"a comment", tools(`/*{"name":"hidden_vault"}*/`), ""},
	{"single quotes", tools(`{'name':'hidden_vault'}`), ""},
	{"a comma too many", tools(`{"name":"hidden_vault"},`), ""},
	{"cut off", strings.TrimSuffix(tools(`{"name":"hidden_vault"}`), "]}}"), ""},
	{"not JSON", `hidden_vault`, ""},
	{"HTML", `<p>hidden_vault</p>`, ""},
	{"a response to another request", strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":2`, 1), ""},
	{"a response to nobody", strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":null`, 1), ""},
	{"a cursor that holds a name", `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + shownTool + `],"nextCursor":"after:hidden_vault"}}`, shownTool},
	{"a cursor that is no string", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":{"after":"hidden_vault"}}}`, ""},
	{"a cursor in another case", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"NextCursor":"hidden_vault"}}`, ""},
	{"request state that holds a name", `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"hidden_vault"}}`, `input_required`},
	{"an update of a hidden resource", `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://hidden_vault/a"}}`, ""},
	{"an update with two uris", `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a","uri":"docs://hidden_vault/a"}}`, ""},
	{"an update with a uri in another case", `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a","URI":"docs://hidden_vault/a"}}`, ""},
	{"a notification nobody knows", `{"jsonrpc":"2.0","method":"notifications/hidden_vault","params":{}}`, ""},
	{"a request nobody knows", `{"jsonrpc":"2.0","id":9,"method":"hidden_vault","params":{}}`, ""},
	{"a task's state", `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"hidden_vault"}}`, ""},
}

// noLeak checks that nothing hidden reached the client.
func noLeak(t *testing.T, r reply) {
	t.Helper()
	all := r.body
	for k, values := range r.header {
		all += "\n" + k + ": " + strings.Join(values, ",")
	}
	all = strings.ReplaceAll(all, `\u005f`, "_")
	if i := strings.Index(strings.ToLower(all), "hidden"); i >= 0 {
		t.Fatalf("a hidden name reached the client: …%s", all[max(0, i-80):min(len(all), i+80)])
	}
}

// wantShown checks that what may be seen arrived.
func wantShown(t *testing.T, r reply, want string) {
	t.Helper()
	if want != "" && (r.status != 200 || !strings.Contains(r.body, want)) {
		t.Fatalf("%s did not arrive: %d %s", want, r.status, r.body)
	}
}

func TestNoAnswerNamesWhatIsHidden(t *testing.T) {
	g := newRig(t, nil)
	cases := 0
	for _, rev := range allRevisions {
		for _, l := range leaks {
			t.Run(rev+"/JSON/"+l.name, func(t *testing.T) {
				cases++
				g.answers(jsonAnswer(200, l.message))
				r := g.post(rev, "tools/list", `{}`)
				noLeak(t, r)
				wantShown(t, r, l.shown)
				if l.shown == "" {
					r.wantError(t, 502, -32603)
				}
			})
			// On a stream, whole and cut at every byte, alone and after another event.
			for _, size := range []int{1 << 20, 1} {
				t.Run(rev+"/SSE/"+l.name, func(t *testing.T) {
					cases++
					g.answers(sseAnswer(": hello\n\nevent: message\n"+dataLines(l.message)+"\n", size))
					r := g.post(rev, "tools/list", `{}`)
					noLeak(t, r)
					wantShown(t, r, l.shown)
				})
			}
			if !isModern(rev) {
				t.Run(rev+"/GET/"+l.name, func(t *testing.T) {
					cases++
					g.answers(sseAnswer("id: 7\n"+dataLines(l.message)+"\n", 1<<20))
					r := g.send(http.MethodGet, http.Header{"Accept": {"text/event-stream"}}, "")
					noLeak(t, r)
					wantShown(t, r, l.shown)
				})
			}
		}
	}
	t.Logf("%d answers × revisions × transports: 0 leaks", cases)
}

// dataLines writes text as the data of an event.
func dataLines(text string) string {
	return "data: " + strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == '\r' }), "\ndata: ") + "\n"
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
		{"switching protocols", func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhidden_vault")
			_ = rw.Flush()
		}, 502, ""},
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
