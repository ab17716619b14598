package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
)

// pinning has the Guard judge tools by pins that a store keeps.
func pinning(t *testing.T, kept store.Store, mode catalog.PinMode) func(*Config) {
	return func(cfg *Config) {
		cfg.PinMode = mode
		cfg.Pins = &catalog.Pins{Store: kept, Now: time.Now, Notice: func(catalog.Change) {}, Failed: func(_ string, err error) { t.Error(err) }}
	}
}

// shows lists the tools, and returns the descriptions of those that are shown.
func (g *rig) shows(answer http.HandlerFunc) string {
	g.t.Helper()
	g.answers(answer)
	r := g.post("2025-11-25", "tools/list", `{}`)
	body := r.body
	if i := strings.LastIndex(body, "data: "); i >= 0 {
		body = body[i+len("data: "):]
	}
	var m struct {
		Result struct {
			Tools []struct{ Name, Description string }
		}
		Error *struct{ Message string }
	}
	if err := json.Unmarshal([]byte(strings.TrimSpace(body)), &m); err != nil {
		g.t.Fatalf("%v: %s", err, r.body)
	}
	if m.Error != nil {
		return m.Error.Message
	}
	var all []string
	for _, tool := range m.Result.Tools {
		all = append(all, tool.Name+"="+tool.Description)
	}
	return strings.Join(all, " ")
}

// toolsOf makes a list of tools, each written as name=description.
func toolsOf(tools ...string) string {
	entries := make([]string, len(tools))
	for i, tool := range tools {
		name, text, _ := strings.Cut(tool, "=")
		entries[i] = fmt.Sprintf(`{"name":%q,"description":%q}`, name, text)
	}
	return `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + strings.Join(entries, ", ") + `]}}`
}

// call calls a tool, and returns what is wrong with it, if anything is.
func (g *rig) call(name string) string {
	g.t.Helper()
	before := len(g.received())
	g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
	r := g.post("2025-11-25", "tools/call", `{"name":"`+name+`","arguments":{}}`)
	if strings.Contains(r.body, `"error"`) {
		if len(g.received()) != before {
			g.t.Errorf("%s was called all the same", name)
		}
		_, _, message := r.rpcError(g.t)
		return message
	}
	return ""
}

func TestAToolThatChangesIsKeptBackInListsAndCalls(t *testing.T) {
	for _, sse := range []bool{false, true} {
		g := newRig(t, nil, pinning(t, storetest.NewMemory(time.Now), catalog.PinsFirstUse))
		answer := func(tools ...string) http.HandlerFunc {
			if sse {
				return sseAnswer("data: "+toolsOf(tools...)+"\n\n", 100)
			}
			return jsonAnswer(200, toolsOf(tools...))
		}
		for range 4 { // so that the entries are known
			if got := g.shows(answer("shown_a=1", "shown_b=1", "hidden_c=1")); got != "shown_a=1 shown_b=1" {
				t.Fatalf("shows %q", got)
			}
		}
		if got := g.call("shown_a"); got != "" {
			t.Fatal(got)
		}
		for range 4 {
			if got := g.shows(answer("shown_a=2", "shown_b=1")); got != "shown_b=1" {
				t.Fatalf("shows %q", got)
			}
		}
		if got := g.call("shown_a"); got != "Unknown tool: shown_a" {
			t.Errorf("the call is answered %q", got)
		}
		if out := g.last(); out.Decision != Deny || out.Rule != pinRule {
			t.Errorf("%+v", out)
		}
		if got := g.call("shown_b"); got != "" {
			t.Error(got)
		}
		if _, err := g.guard.cfg.Pins.Approve(t.Context(), "files", "shown_a", catalog.Digest{}); err != nil {
			// It is kept in the background.
			for deadline := time.Now().Add(30 * time.Second); errors.Is(err, catalog.ErrNothingWaits) && time.Now().Before(deadline); {
				_, err = g.guard.cfg.Pins.Approve(t.Context(), "files", "shown_a", catalog.Digest{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := g.call("shown_a"); got != "" {
			t.Error(got)
		}
		if got := g.shows(answer("shown_a=2", "shown_b=1")); got != "shown_a=2 shown_b=1" {
			t.Errorf("shows %q once it is approved", got)
		}
		if got := g.shows(answer("shown_a=1")); got != "" {
			t.Errorf("shows %q, which was approved once and is not any more", got)
		}
	}
}

func TestOfTwoToolsOfOneNameTheFirstIsPinned(t *testing.T) {
	g := newRig(t, nil, pinning(t, storetest.NewMemory(time.Now), catalog.PinsFirstUse))
	for range 4 {
		if got := g.shows(jsonAnswer(200, toolsOf("shown_a=1", "shown_a=2"))); got != "shown_a=1" {
			t.Errorf("shows %q", got)
		}
	}
}

func TestAToolOfTheSameDefinitionInOtherBytesIsTheSame(t *testing.T) {
	g := newRig(t, nil, pinning(t, storetest.NewMemory(time.Now), catalog.PinsFirstUse))
	for _, entry := range []string{`{"name":"echo","description":"a"}`, `{ "description" : "\u0061", "name":"echo" }`, `{"_meta":{},"name":"echo","icons":[],"description":"a"}`} {
		if got := g.shows(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"tools":[`+entry+`]}}`)); got != "echo=a" {
			t.Errorf("%s: shows %q", entry, got)
		}
	}
}

func TestWhatCannotBeReadIsKeptBack(t *testing.T) {
	large := `{"name":"shown_large","description":"` + strings.Repeat("d", 80<<10) + `"}`
	huge := `{"name":"shown_huge","description":"` + strings.Repeat("d", maxEntry/2) + `"}`
	for name, entry := range map[string]string{
		"two readings": `{"name":"shown_a","description":"a","Description":"b"}`, "a member twice": `{"name":"shown_a","inputSchema":{"a":1,"a":2}}`,
		"large": large, "huge": huge,
	} {
		for mode, want := range map[catalog.PinMode]int{catalog.PinsObserve: 2, catalog.PinsFirstUse: 1} {
			g := newRig(t, nil, pinning(t, storetest.NewMemory(time.Now), mode))
			for range 3 {
				got := g.shows(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"tools":[`+entry+`,{"name":"shown_z","description":"z"}]}}`))
				if strings.Count(got, "shown_") != want {
					t.Errorf("%s, mode %d: shows %.200q", name, mode, got)
				}
			}
		}
	}
}

func TestNothingPassesWhileThePinsCannotBeRead(t *testing.T) {
	kept := storetest.NewMemory(time.Now)
	if err := kept.Put(t.Context(), "pin", "files", []byte("no pins"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[catalog.PinMode]string{catalog.PinsObserve: "echo=1", catalog.PinsFirstUse: "The MCP server could not answer (request id req-1)"} {
		g := newRig(t, nil, pinning(t, kept, mode))
		if got := g.shows(jsonAnswer(200, toolsOf("echo=1"))); got != want {
			t.Errorf("mode %d: %q", mode, got)
		}
		if got := g.call("echo"); (got == "") != (mode == catalog.PinsObserve) {
			t.Errorf("mode %d: the call is answered %q", mode, got)
		}
	}
}

func TestACallNeedsNoListBefore(t *testing.T) {
	kept := storetest.NewMemory(time.Now)
	for _, c := range []struct{ tools, want string }{
		{`{"name":"other"}`, "Unknown tool: echo"},
		{`{"name":"echo","description":"1"}`, ""},
		{`{"name":"echo","description":"2"}`, "Unknown tool: echo"},
	} {
		s := &listing{t: t, era: "modern", tools: []string{`{"name":"first"}`, `{"name":"second"}`, c.tools}}
		g := newRig(t, nil, pinning(t, kept, catalog.PinsFirstUse), askedAt(s))
		if got := g.call("echo"); got != c.want {
			t.Errorf("%s: answered %q", c.tools, got)
		}
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
			if pins, err := g.guard.cfg.Pins.List(t.Context(), "files", strings.Split(c.tools, `"`)[3]); err == nil && len(pins) == 1 {
				break
			}
		}
	}
	g := newRig(t, nil, pinning(t, kept, catalog.PinsFirstUse))
	if got := g.call("echo"); !strings.HasPrefix(got, "The MCP server could not answer") || g.last().Status != http.StatusBadGateway {
		t.Errorf("without a way to ask: %q %+v", got, g.last())
	}
}

func TestOffersHaveNothingThatIsKeptBack(t *testing.T) {
	s := &listing{era: "modern", tools: fiveTools()}
	s.t = t
	g := newRig(t, s.ServeHTTP, askedAt(s), pinning(t, storetest.NewMemory(time.Now), catalog.PinsBlock))
	if offers, err := g.guard.Offers(t.Context(), ""); err != nil || len(offers) != 0 {
		t.Errorf("%+v, %v", offers, err)
	}
}

func TestClientsAreToldOfWhatIsApproved(t *testing.T) {
	g := newRig(t, nil, pinning(t, storetest.NewMemory(time.Now), catalog.PinsBlock))
	x := &exchange{g: g.guard, out: new(Outcome), r: &http.Request{}, caller: Caller{Subject: g.subject.Load}}
	before, _ := x.sights()
	g.shows(jsonAnswer(200, toolsOf("echo=1")))
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if _, err = g.guard.cfg.Pins.Approve(t.Context(), "files", "", catalog.Digest{}); err == nil {
			break
		}
	}
	if now, _ := x.sights(); err != nil || before.changed(now) != listOfTools {
		t.Errorf("%v: %v is changed", err, before.changed(now))
	}
}

func TestWhatHasToDoWithAToolIsKeptBackWithIt(t *testing.T) {
	const rev, page = "2025-11-25", "ui://shown/a.html"
	upstream := &taskServer{}
	g := newRig(t, upstream.ServeHTTP, pinning(t, storetest.NewMemory(time.Now), catalog.PinsFirstUse))
	tools := func(text string) {
		g.shows(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"echo","description":"`+text+`","_meta":{"ui":{"resourceUri":"`+page+`"}}}]}}`))
	}
	sees := func() (reads, lists, task bool) {
		g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}`))
		reads = strings.Contains(g.post(rev, "resources/read", `{"uri":"`+page+`"}`).body, "contents")
		g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"`+page+`","name":"p"}]}}`))
		lists = strings.Contains(g.post(rev, "resources/list", `{}`).body, page)
		g.answers(upstream.ServeHTTP)
		return reads, lists, strings.Contains(g.post(rev, "tasks/list", `{}`).body, "taskId")
	}
	tools("1")
	g.answers(upstream.ServeHTTP)
	handle := g.begins(rev)
	if reads, lists, task := sees(); !reads || !lists || !task {
		t.Errorf("of a tool that is what it was: the page is read %v, listed %v; its task is listed %v", reads, lists, task)
	}
	tools("2")
	if reads, lists, task := sees(); reads || lists || task {
		t.Errorf("of a tool that changed: the page is read %v, listed %v; its task is listed %v", reads, lists, task)
	}
	if r := g.post(rev, "tasks/result", `{"taskId":"`+handle+`"}`); !strings.Contains(r.body, "Unknown task") {
		t.Errorf("its task: %s", r.body)
	}
	tools("1")
	if reads, lists, task := sees(); !reads || !lists || !task {
		t.Errorf("of a tool that is again what it was: the page is read %v, listed %v; its task is listed %v", reads, lists, task)
	}
}
