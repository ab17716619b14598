package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
)

// answeredBy has a Guard answer tools/list with what an upstream writes.
func answeredBy(g *Guard, c Caller, next func(w http.ResponseWriter) error) (out Outcome, w *httptest.ResponseRecorder, err error) {
	r := httptest.NewRequest(http.MethodPost, "/files", strings.NewReader(message("2025-11-25", "7", "tools/list", "{}")))
	r.Header = headersFor("2025-11-25", "tools/list", "{}")
	w = httptest.NewRecorder()
	err = g.Serve(&out, w, r, c, func(w http.ResponseWriter, _ *http.Request) error { return next(w) })
	return out, w, err
}

// written writes an answer as a proxy copies it.
func written(kind, text string) func(w http.ResponseWriter) error {
	return func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", kind)
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{strings.NewReader(text)}, make([]byte, 32<<10))
		return err
	}
}

func TestALargeAnswerIsFilteredAsItArrives(t *testing.T) {
	g, c := fuzzGuard(t)
	g.cfg.MaxAnswer = 1 << 24
	list := toolList(5000)
	most := 0
	out, w, err := answeredBy(g, c, func(to http.ResponseWriter) error {
		to.Header().Set("Content-Type", typeJSON)
		to.Header().Set("Content-Length", strconv.Itoa(len(list)))
		rec := to.(*answerWriter).x.w.(*httptest.ResponseRecorder)
		for at := 0; at < len(list); at += 32 << 10 {
			if _, err := to.Write(list[at:min(len(list), at+32<<10)]); err != nil {
				return err
			}
			most = max(most, at-rec.Body.Len()*3/2)
		}
		return nil
	})
	if err != nil || w.Code != 200 || out.Decision != Allow || out.Filtered != 1666 {
		t.Fatalf("%v, %d, %+v", err, w.Code, out)
	}
	want, _, err := flowFilter(t).message(list)
	if err != nil {
		t.Fatal(err)
	}
	if want = bytes.Replace(want, []byte(`,"cacheScope":"private"`), nil, 1); !bytes.Equal(w.Body.Bytes(), want) {
		t.Errorf("got %.200s…", w.Body)
	}
	if h := w.Header(); h.Get("Content-Type") != typeJSON || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Length") != "" {
		t.Errorf("headers %v", h)
	}
	if most > holdAnswer+maxEntry {
		t.Errorf("%d bytes are held", most)
	}
}

func TestALargeAnswerThatFailsBeforeAnyOfItWentOnIsA502(t *testing.T) {
	g, c := fuzzGuard(t)
	list := string(toolList(600))
	for name, text := range map[string]string{
		"not JSON":                       "<" + list,
		"a fault near its beginning":     strings.Replace(list, "[", "[[],", 1)[:200] + "\x00" + list,
		"an answer to another request":   strings.Replace(list, `"id":7`, `"id":8`, 1),
		"a batch that was not asked for": "[" + list + "]",
		"a method and a result":          strings.Replace(list, `"id":7`, `"id":7,"method":"x"`, 1),
	} {
		out, w, err := answeredBy(g, c, written(typeJSON, text))
		if err != nil || w.Code != 502 || !json.Valid(w.Body.Bytes()) || out.Decision != Failed || strings.Contains(w.Body.String(), "_1") {
			t.Errorf("%s: %v, %d %.200s, %+v", name, err, w.Code, w.Body, out)
		}
	}
}

func TestALargeAnswerThatFailsLaterIsCutOff(t *testing.T) {
	list := string(toolList(600))
	end := strings.LastIndex(list, "]}}")
	after := func(rest string) string { return list[:end] + rest }
	for name, text := range map[string]string{
		"cut off":                      list[:len(list)-1],
		"cut off in an entry":          list[:end-200],
		"bad UTF-8":                    after(",{\"name\":\"shown_a\",\"x\":\"\xff\"}]}}"),
		"two lists":                    after(`],"tools":[{"name":"hidden_vault"}]}}`),
		"another spelling":             after(`],"Tools":[{"name":"hidden_vault"}]}}`),
		"a method as well":             after(`]},"method":"hidden_vault"}`),
		"another result":               after(`]},"result":{"tools":[{"name":"hidden_vault"}]}}`),
		"a member of no meaning":       after(`]},"hidden_vault":1}`),
		"something behind it":          list + `{"name":"hidden_vault"}`,
		"another request's":            strings.Replace(list, `"id":7,`, "", 1)[:end-len(`"id":7,`)] + `]},"id":8}`,
		"without an id":                strings.Replace(list, `"id":7,`, "", 1),
		"a cursor that is none":        after(`],"nextCursor":{"after":"hidden_vault"}}}`),
		"a request within the result":  after(`],"inputRequests":{"a":{"params":{"x":"hidden_vault"},"method":"hidden_vault"}}}}`),
		"more than max_answer":         strings.Repeat(" ", 1<<20-len(list)) + list + " ",
		"space that would not be held": after(strings.Repeat(" ", 2*maxEntry) + `]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			g, c := fuzzGuard(t)
			if len(text) > 1<<20+1 {
				g.cfg.MaxAnswer = 4 << 20
			}
			out, w, err := answeredBy(g, c, written(typeJSON, text))
			if name == "more than max_answer" {
				err = errors.Join(err, errUnwanted)
			}
			if err == nil || json.Valid(w.Body.Bytes()) && w.Code == 200 || out.Decision != Failed || out.Reason == "" {
				t.Errorf("%v, %d …%s, %+v", err, w.Code, w.Body.String()[max(0, w.Body.Len()-100):], out)
			}
			if strings.Contains(w.Body.String(), "hidden") {
				t.Error("a hidden name reached the client")
			}
		})
	}
}

func TestAnUpstreamThatLeavesALargeAnswerCutsItOff(t *testing.T) {
	g, c := fuzzGuard(t)
	for _, size := range []int{300 << 10, 100 << 10} {
		for name, leave := range map[string]func() error{
			"error": func() error { return io.ErrUnexpectedEOF },
			"panic": func() error { panic(http.ErrAbortHandler) },
		} {
			var out Outcome
			var w *httptest.ResponseRecorder
			cut := func() (cut bool) {
				defer func() { cut = recover() != nil || cut }()
				r := httptest.NewRequest(http.MethodPost, "/files", strings.NewReader(message("2025-11-25", "7", "tools/list", "{}")))
				r.Header = headersFor("2025-11-25", "tools/list", "{}")
				w = httptest.NewRecorder()
				return g.Serve(&out, w, r, c, func(w http.ResponseWriter, _ *http.Request) error {
					if err := written(typeJSON, string(toolList(600))[:size])(w); err != nil {
						return err
					}
					return leave()
				}) != nil
			}()
			if began := size > holdAnswer; cut != began || out.Decision != Failed || (w.Code == 200) != began {
				t.Errorf("%s after %d bytes: cut off %v, %d, %+v", name, size, cut, w.Code, out)
			}
		}
	}
}

// TestNoLargeAnswerNamesWhatIsHidden sends every hostile message as one of which all goes on as soon as it can.
func TestNoLargeAnswerNamesWhatIsHidden(t *testing.T) {
	g, c := fuzzGuard(t)
	g.hold = 1
	sent := 0
	for _, rev := range hostile.Revisions {
		for _, l := range hostile.Leaks {
			if l.Free || l.Large {
				continue
			}
			for _, size := range []int{1, 5, 1 << 20} {
				sent++
				y := way{name: "large", method: "POST", body: asksForTools, size: size}
				kind, text := asJSON(l.Message)
				w := y.answered(g, c, rev, kind, text)
				if what := hostile.Reveals(w.Body.Bytes()); what != "" {
					t.Errorf("%s: %s: a hidden name reached the client: %s", rev, l.Name, what)
				}
				if l.Shown != "" && !strings.Contains(w.Body.String(), l.Shown) {
					t.Errorf("%s: %s: %s did not arrive: %s", rev, l.Name, l.Shown, w.Body)
				}
			}
		}
	}
	t.Logf("%d answers", sent)
}
