package guard

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestALargeEventIsFilteredAsItArrives(t *testing.T) {
	list := toolList(3000)
	want, _, err := flowFilter(t).message(list)
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.Replace(want, []byte(`,"cacheScope":"private"`), nil, 1)
	lines := "data: " + strings.ReplaceAll(string(list), `,"title"`, ",\ndata:\"title\"")
	for name, c := range map[string]struct{ in, fields string }{
		"one line":           {"event: message\ndata: " + string(list) + "\n\n", "event: message\n"},
		"lines":              {lines + "\n\n", ""},
		"CRLF":               {strings.ReplaceAll(lines, "\n", "\r\n") + "\r\n\r\n", ""},
		"between others":     {": a\n\ndata: " + progress + "\n\ndata: " + string(list) + "\n\n: b\n\n", ""},
		"a retry behind it":  {"retry: 7\ndata: " + string(list) + "\nretry: 8\nevent: message\n\n", "retry: 7\n"},
		"a comment within":   {":\n" + lines + "\n: x\n\n", ":\n"},
		"fields nobody know": {"x: hidden_vault\n" + lines + "\ny: hidden_vault\n\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, c1 := fuzzGuard(t)
			g.cfg.MaxAnswer = 1 << 23
			out, w, err := answeredBy(g, c1, written(typeStream, c.in))
			if err != nil || out.Decision != Allow || out.Filtered != 1000 {
				t.Fatalf("%v, %+v", err, out)
			}
			var got string
			for _, data := range events(w.Body.String()) {
				if strings.Contains(data, "tools") {
					got = data
				}
			}
			if strings.ReplaceAll(got, "\n", "") != string(want) {
				t.Errorf("got %.300s… of %d bytes, not %d", got, len(got), len(want))
			}
			if !strings.Contains(w.Body.String(), c.fields+"data: {\"jsonrpc\":\"2.0\",\"id\":7") || strings.Contains(w.Body.String(), "hidden") {
				t.Errorf("got %.300s…", w.Body)
			}
			if name == "between others" && (len(events(w.Body.String())) != 2 || !strings.HasSuffix(w.Body.String(), "\n\n:\n\n")) {
				t.Errorf("the others are lost: %.200s", w.Body)
			}
			if name == "a retry behind it" && !strings.HasSuffix(w.Body.String(), "\nretry: 8\n\n") {
				t.Errorf("ends with %s", w.Body.String()[w.Body.Len()-20:])
			}
		})
	}
}

func TestALargeEventThatFailsBeforeAnyOfItWentOnIsAnError(t *testing.T) {
	list := string(toolList(600))
	for name, c := range map[string]struct {
		in    string
		clear bool // it can't have been the answer
	}{
		"not JSON":               {"data: <" + list + "\n\n", false},
		"an early fault":         {"data: " + list[:100] + "\x00" + list + "\n\n", false},
		"another name":           {"event: response\ndata: " + list + "\n\n", false},
		"another name behind it": {"data: " + strings.Repeat(" ", 100<<10) + "\nevent: response\ndata: " + list + "\n\n", false},
		"another request":        {"data: " + strings.Replace(list, `"id":7`, `"id":8`, 1) + "\n\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			g, c1 := fuzzGuard(t)
			_, w, err := answeredBy(g, c1, written(typeStream, c.in+"data: "+progress+"\n\n"))
			got := events(w.Body.String())
			if err != nil || strings.Contains(w.Body.String(), "tool") {
				t.Fatalf("%v, %.300s", err, w.Body)
			}
			failed := strings.Contains(strings.Join(got, ""), `"id":7,"error"`)
			if failed == c.clear || !strings.Contains(strings.Join(got, ""), progress) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestALargeEventThatFailsLaterIsNeverWhole(t *testing.T) {
	list := string(toolList(600))
	end := strings.LastIndex(list, "]}}")
	for name, in := range map[string]string{
		"bad JSON":                 "data: " + list[:end] + "]]}\n\n",
		"another list":             "data: " + list[:end] + `],"Tools":[{"name":"hidden_vault"}]}}` + "\n\n",
		"something behind it":      "data: " + list + "\ndata: {\"name\":\"hidden_vault\"}\n\n",
		"another's id":             "data: " + strings.Replace(list, `"id":7,`, "", 1)[:end-len(`"id":7,`)] + `]},"id":8}` + "\n\n",
		"it turns into an other":   "data: " + list + "\nevent: hidden_vault\n\n",
		"it is not completed":      "data: " + list + "\n",
		"a line that has no end":   "data: " + list + "\n: " + strings.Repeat("x", 200<<10),
		"more than max_answer":     "data: " + list[:end] + strings.Repeat(" ", 1<<20) + list[end:] + "\n\n",
		"and another one behind":   "data: " + list[:end] + "]]}\n\ndata: " + progress + "\n\n",
		"the grant ends meanwhile": "data: " + list + "\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			g, c := fuzzGuard(t)
			subject := c.Subject()
			c.Subject = func() *policy.Subject { return subject }
			_, w, err := answeredBy(g, c, func(w http.ResponseWriter) error {
				if err := written(typeStream, in[:len(list)-1000])(w); err != nil {
					return err
				}
				if name == "the grant ends meanwhile" {
					subject = nil
				}
				return written(typeStream, in[len(list)-1000:])(w)
			})
			body := w.Body.String()
			if err == nil || len(events(complete(body))) > 0 || strings.HasSuffix(body, "\n\n") {
				t.Errorf("%v …%q", err, body[max(0, len(body)-100):])
			}
			if strings.Contains(body, "hidden") || strings.Contains(body, "error") || !strings.Contains(body, "shown_1") {
				t.Errorf("got %.200s…%s", body, body[max(0, len(body)-100):])
			}
		})
	}
}

// complete returns a stream up to the end of its last complete event.
func complete(stream string) string {
	end := strings.LastIndex(stream, "\n\n")
	return stream[:end+1]
}

// TestNoLargeEventNamesWhatIsHidden sends every hostile message as one of which all goes on as soon as it can.
func TestNoLargeEventNamesWhatIsHidden(t *testing.T) {
	g, c := fuzzGuard(t)
	g.hold, g.part = 1, 16
	sent, arrived := 0, 0
	for _, rev := range hostile.Revisions {
		for _, y := range ways {
			if y.only != nil && !y.only(rev) || y.write == nil {
				continue
			}
			for _, l := range hostile.Leaks {
				kind, text := y.write(l.Message)
				if l.Free || l.Large || kind != typeStream {
					continue
				}
				sent++
				w := y.answered(g, c, rev, kind, text)
				if what := hostile.Reveals(w.Body.Bytes()); what != "" {
					t.Errorf("%s, %s: %s: a hidden name reached the client: %s in %s", rev, y.name, l.Name, what, w.Body)
				}
				for _, data := range events(complete(w.Body.String())) {
					if !json.Valid([]byte(data)) && !strings.HasPrefix(data, "/") {
						t.Errorf("%s, %s: %s: a client gets %q", rev, y.name, l.Name, data)
					}
				}
				if got := strings.ReplaceAll(strings.Join(events(w.Body.String()), ""), "\n", ""); l.Shown != "" && strings.Contains(got, l.Shown) {
					arrived++
				}
			}
		}
	}
	if t.Logf("%d events, %d arrived", sent, arrived); arrived < sent/10 {
		t.Error("too few arrive")
	}
}

// gateWriter counts how much of a body is written at once.
type gateWriter struct {
	*httptest.ResponseRecorder
	most int
}

func (w *gateWriter) Write(p []byte) (int, error) {
	w.most = max(w.most, len(p))
	return w.ResponseRecorder.Write(p)
}

func TestALargeEventIsNeverHeldWhole(t *testing.T) {
	g, c := fuzzGuard(t)
	g.cfg.MaxAnswer = 1 << 24
	w := &gateWriter{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodGet, "/files", nil)
	r.Header = http.Header{"Accept": {typeStream}}
	text := `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"image","data":"` + strings.Repeat("A", 8<<20) + `"}]}}`
	_, err := g.ServeHTTP(w, r, c, func(w http.ResponseWriter, _ *http.Request) error {
		return written(typeStream, "data: "+text+"\n\n")(w)
	})
	if err != nil || strings.Join(events(w.Body.String()), "") != text {
		t.Fatalf("%v, %.100s", err, w.Body)
	}
	if w.most > 2*holdAnswer {
		t.Errorf("%d bytes were held", w.most)
	}
}
