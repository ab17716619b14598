package guard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// conditions is a policy in which more than names decides.
const conditions = `
everyone:
  allow:
    - tools: [merge]
      prompts: [review]
      when: args.owner == "acme"
    - {tools: [office], when: 'user.org == "org_a"'}
    - {tools: [morning], when: 'now.getHours() < 12'}
    - {tools: [reads_*], annotations: {readOnlyHint: true}}
    - {tools: [echo]}
  deny:
    - {tools: [echo], when: 'has(args.force) && args.force'}
`

// conditionalTools are what a server offers under it.
const conditionalTools = `{"name":"merge"},{"name":"office"},{"name":"morning"},{"name":"echo"},` +
	`{"name":"reads_it","annotations":{"readOnlyHint":true}},{"name":"reads_nothing","annotations":{"destructiveHint":true}},{"name":"reads_unsaid"},{"name":"hidden"}`

var morning = time.Date(2026, 7, 28, 9, 0, 0, 0, time.UTC)

// underConditions is a rig with that policy, for a person of org_a in the morning. tick sets the hour.
func underConditions(t *testing.T, answer http.HandlerFunc, edit ...func(*Config)) (g *rig, tick func(hour int)) {
	t.Helper()
	var now atomic.Pointer[time.Time]
	tick = func(hour int) {
		at := morning.Add(time.Duration(hour-morning.Hour()) * time.Hour)
		now.Store(&at)
	}
	tick(9)
	g = newRig(t, answer, append(edit, func(c *Config) { c.Now = func() time.Time { return *now.Load() } })...)
	g.policy.Store(compile(t, conditions))
	g.subject.Store(&policy.Subject{ID: "workos:alice", Org: "org_a"})
	return g, tick
}

// listed returns the names in the answer to a list, joined.
func listed(t *testing.T, r reply) string {
	t.Helper()
	var m struct {
		Result struct{ Tools []struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	var names []string
	for _, tool := range m.Result.Tools {
		names = append(names, tool.Name)
	}
	return strings.Join(names, " ")
}

// What a list shows depends on who asks and when, also when all of it is remembered and the rights are the same.
func TestAListUnderConditionsIsMadeForWhoAsks(t *testing.T) {
	for _, trusted := range []bool{true, false} {
		g, tick := underConditions(t, jsonAnswer(200, tools(conditionalTools)), func(c *Config) { c.TrustAnnotations = trusted })
		reads := ""
		if trusted {
			reads = " reads_it"
		}
		for _, rev := range allRevisions {
			for range 3 { // read, met, and remembered
				for org, office := range map[string]string{"org_a": " office", "org_b": ""} {
					for hour, early := range map[int]string{9: " morning", 15: ""} {
						tick(hour)
						g.subject.Store(&policy.Subject{ID: "workos:" + org, Org: org})
						if got, want := listed(t, g.post(rev, "tools/list", `{}`)), "merge"+office+early+" echo"+reads; got != want {
							t.Fatalf("%s, trusted %v, %s at %d: lists %s, want %s", rev, trusted, org, hour, got, want)
						}
					}
				}
			}
		}
	}
}

// A call that other arguments would be allowed for is told so in a sentence; one of what is hidden is not told that it exists.
func TestACallIsJudgedByItsArguments(t *testing.T) {
	g, tick := underConditions(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
	const (
		passes  = "passes"
		not     = "not with these"
		unknown = "unknown"
	)
	for _, rev := range allRevisions {
		for params, want := range map[string]string{
			`{"name":"merge","arguments":{"owner":"acme"}}`:                   passes,
			`{"name":"merge","arguments":{"owner":"evil"}}`:                   not,
			`{"name":"merge","arguments":{}}`:                                 not,
			`{"name":"merge"}`:                                                not,
			`{"name":"merge","arguments":{"owner":["acme"]}}`:                 not,
			`{"name":"echo"}`:                                                 passes,
			`{"name":"echo","arguments":{"force":false}}`:                     passes,
			`{"name":"echo","arguments":{"force":true}}`:                      not,
			`{"name":"echo","arguments":{"force":"yes"}}`:                     not,
			`{"name":"office"}`:                                               passes,
			`{"name":"morning"}`:                                              passes,
			`{"name":"reads_it"}`:                                             unknown, // nobody is trusted
			`{"name":"hidden","arguments":{"owner":"acme"}}`:                  unknown,
			`{"name":"merge","arguments":{"owner":"acme","big":1e999}}`:       not,
			`{"name":"merge","arguments":{"owner":"acme","n":[[[[1]]]]}}`:     passes,
			`{"name":"merge","arguments":{"owner":"a\u0063me"}}`:              passes,
			`{"name":"merge","arguments":{"\u006fwner":"acme","title":null}}`: passes,
		} {
			before := len(g.received())
			r := g.post(rev, "tools/call", params)
			went, o := len(g.received())-before, g.last()
			switch want {
			case passes:
				if r.status != 200 || went != 1 || o.Decision != Allow {
					t.Errorf("%s %s: %d %s", rev, params, r.status, r.body)
				}
			case not:
				var m struct {
					Result struct {
						ResultType string
						IsError    bool
						Content    []struct{ Type, Text string }
					}
				}
				if err := json.Unmarshal([]byte(r.body), &m); err != nil || r.status != 200 || went != 0 || !m.Result.IsError || len(m.Result.Content) != 1 ||
					!strings.Contains(m.Result.Content[0].Text, "may not be used with these arguments") || (m.Result.ResultType == "complete") != isModern(rev) ||
					o.Decision != Deny || !strings.Contains(o.Reason, "arguments") {
					t.Errorf("%s %s: %d %s, outcome %+v", rev, params, r.status, r.body, o)
				}
			default:
				if _, code, message := r.rpcError(t); r.status != 200 || went != 0 || code != -32602 || !strings.HasPrefix(message, "Unknown tool: ") {
					t.Errorf("%s %s: %d %s", rev, params, r.status, r.body)
				}
			}
		}
		tick(15)
		g.post(rev, "tools/call", `{"name":"morning"}`).wantError(t, 200, -32602)
		tick(9)
	}
}

func TestPromptsAreJudgedByTheirArguments(t *testing.T) {
	g, _ := underConditions(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"messages":[],"completion":{"values":[]}}}`))
	for _, rev := range allRevisions {
		if r := g.post(rev, "prompts/get", `{"name":"review","arguments":{"owner":"acme"}}`); !strings.Contains(r.body, "messages") {
			t.Errorf("%s: %s", rev, r.body)
		}
		before := len(g.received())
		if _, code, message := g.post(rev, "prompts/get", `{"name":"review","arguments":{"owner":"evil"}}`).rpcError(t); code != -32600 || !strings.Contains(message, "the prompt review may not be used with these arguments") {
			t.Errorf("%s: %d %s", rev, code, message)
		}
		g.post(rev, "prompts/get", `{"name":"other","arguments":{"owner":"acme"}}`).wantError(t, 200, -32602)
		if n := len(g.received()) - before; n != 0 {
			t.Errorf("%s: %d went on", rev, n)
		}
		// While its arguments are written, it is seen.
		if r := g.post(rev, "completion/complete", `{"ref":{"type":"ref/prompt","name":"review"},"argument":{"name":"owner","value":"a"}}`); !strings.Contains(r.body, "completion") {
			t.Errorf("%s: completing: %s", rev, r.body)
		}
	}
}

// A member that some servers take for the one that a condition asks for: the call is no clear message (INTERFACE §5).
func TestAttackJudgedArgumentsInAnotherCase(t *testing.T) {
	g, _ := underConditions(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
	for _, rev := range allRevisions {
		for _, args := range []string{
			`{"owner":"acme","Owner":"evil"}`, `{"OWNER":"evil","owner":"acme"}`, `{"Owner":"acme"}`, `{"owner":"acme","own_er":"evil"}`,
			`{"owner":"acme","\u004fwner":"evil"}`, `{"o\uff57ner":"evil","oWner":"acme"}`,
		} {
			for _, observe := range []bool{false, true} {
				text := conditions
				if observe {
					text += "mode: observe\n"
				}
				g.policy.Store(compile(t, text))
				g.post(rev, "tools/call", `{"name":"merge","arguments":`+args+`}`).wantError(t, 400, -32600)
				if o := g.last(); o.Decision != Refuse || o.Name != "merge" {
					t.Errorf("%s %s: outcome %+v", rev, args, o)
				}
			}
		}
		g.post(rev, "tools/call", `{"name":"echo","arguments":{"\u017force":true,"Force":true}}`).wantError(t, 400, -32600)
	}
	r := g.send(http.MethodPost, honestLegacy(), `[`+callEcho+`,{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"merge","arguments":{"Owner":"acme"}}}]`)
	r.wantError(t, 400, -32600)
	if n := len(g.received()); n != 0 {
		t.Errorf("%d went on", n)
	}
}

func TestABatchWithACallThatIsDeniedForItsArguments(t *testing.T) {
	g, _ := underConditions(t, jsonAnswer(200, `[]`))
	r := g.send(http.MethodPost, honestLegacy(), `[`+callEcho+`,{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"merge","arguments":{"owner":"evil"}}}]`)
	for _, want := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Not run: `,
		`{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"Not done: the tool merge may not be used with these arguments`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is missing in %s", want, r.body)
		}
	}
	if n := len(g.received()); n != 0 || r.status != 200 {
		t.Errorf("%d, %d went on", r.status, n)
	}
}

func TestObservingNotesWhatConditionsDeny(t *testing.T) {
	g, _ := underConditions(t, jsonAnswer(200, tools(conditionalTools)), func(c *Config) { c.Observe = true })
	for _, rev := range allRevisions {
		g.post(rev, "tools/call", `{"name":"merge","arguments":{"owner":"evil"}}`)
		if o := g.last(); o.Decision != Observe || o.Rule != policy.NoRule {
			t.Errorf("%s: outcome %+v", rev, o)
		}
		if got := listed(t, g.post(rev, "tools/list", `{}`)); strings.Count(got, " ") != 7 {
			t.Errorf("%s: lists %s", rev, got)
		}
		if o := g.last(); o.Filtered != 4 {
			t.Errorf("%s: outcome %+v", rev, o)
		}
	}
}

// A call is judged by what the server says of the tool; it is asked for that if nobody has listed its tools yet.
func TestACallIsJudgedByItsToolsAnnotations(t *testing.T) {
	for _, rev := range allRevisions {
		s := &listing{era: "modern", tools: strings.Split(strings.ReplaceAll(conditionalTools, "},{", "}\n{"), "\n")}
		s.t = t
		g, _ := underConditions(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`), askedAt(s), func(c *Config) { c.TrustAnnotations = true })
		for tool, want := range map[string]bool{"reads_it": true, "reads_nothing": false, "reads_unsaid": false, "reads_what_is_not": false} {
			before := len(g.received())
			r := g.post(rev, "tools/call", fmt.Sprintf(`{"name":%q}`, tool))
			if got := len(g.received()) > before; got != want {
				t.Errorf("%s %s: %s", rev, tool, r.body)
			}
			if !want {
				r.wantError(t, 200, -32602)
			}
		}
	}
}

// What a person leaves an agent is felt at once, in lists and calls, and its client is told.
func TestWhatIsLeftToAnAgent(t *testing.T) {
	for _, rev := range allRevisions[:3] {
		g := newRig(t, nil, func(c *Config) { c.TrustAnnotations = true })
		g.policy.Store(compile(t, `everyone: {allow: [{tools: ["*"], prompts: ["*"]}]}`))
		leave := func(n *policy.Narrowing) { g.subject.Store(&policy.Subject{ID: "workos:alice", Narrowing: n}) }
		leave(nil)
		handle := g.initialize(t, rev, "upstream-session")
		up := newSaying()
		g.answers(up.ServeHTTP)
		client := g.hear(t, http.MethodGet, withSession(rev, handle), "")
		eventually(t, "the stream is open", func() bool { return g.live.Load() != nil && g.live.Load().ready.Load() })
		list := func() string {
			g.answers(jsonAnswer(200, tools(conditionalTools)))
			return listed(t, g.send(http.MethodPost, withSession(rev, handle), message(rev, "1", "tools/list", `{}`)))
		}
		calls := func(tool string) bool {
			before := len(g.received())
			g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
			g.send(http.MethodPost, withSession(rev, handle), message(rev, "1", "tools/call", fmt.Sprintf(`{"name":%q}`, tool)))
			return len(g.received()) > before
		}
		for _, tt := range []struct {
			left *policy.Narrowing
			list string
		}{
			{&policy.Narrowing{ReadOnly: true}, "reads_it"},
			{&policy.Narrowing{Tools: []string{"echo", "merge"}}, "merge echo"},
			{&policy.Narrowing{Tools: []string{}}, ""},
			{nil, "merge office morning echo reads_it reads_nothing reads_unsaid hidden"},
		} {
			leave(tt.left)
			if !g.tell() || g.tell() {
				t.Errorf("%s: %+v is not told once", rev, tt.left)
			}
			client.wants(toolsChanged)
			for range 3 {
				if got := list(); got != tt.list {
					t.Errorf("%s: %+v lists %s", rev, tt.left, got)
				}
			}
			for _, tool := range []string{"echo", "merge", "reads_it", "reads_nothing"} {
				if got, want := calls(tool), strings.Contains(" "+tt.list+" ", " "+tool+" "); got != want {
					t.Errorf("%s: %+v: %s is called: %v", rev, tt.left, tool, got)
				}
			}
		}
	}
}

// A client is told when a condition that shows or hides something turns.
func TestAClientIsToldWhenAConditionTurns(t *testing.T) {
	const rev = "2025-11-25"
	g, tick := underConditions(t, nil)
	handle := g.initialize(t, rev, "upstream-session")
	g.answers(newSaying().ServeHTTP)
	client := g.hear(t, http.MethodGet, withSession(rev, handle), "")
	eventually(t, "the stream is open", func() bool { return g.live.Load() != nil && g.live.Load().ready.Load() })
	if tick(11); g.tell() {
		t.Error("an hour that changes nothing is told")
	}
	if tick(12); !g.tell() || g.tell() {
		t.Error("noon is not told once")
	}
	client.wants(toolsChanged)
	g.subject.Store(&policy.Subject{ID: "workos:alice", Org: "org_b"})
	if !g.tell() || g.tell() {
		t.Error("another organization is not told once")
	}
	client.wants(toolsChanged)
}

// A task's result is judged by its tool as it may be seen: what it was called with is not known any more.
func TestTasksOfToolsUnderConditions(t *testing.T) {
	for rev, methods := range taskMethods {
		upstream := &taskServer{}
		g := newRig(t, upstream.ServeHTTP)
		g.policy.Store(compile(t, `everyone: {allow: [{tools: [echo], when: 'user.org == "org_a" && !has(args.force)'}]}`))
		g.subject.Store(&policy.Subject{ID: "workos:alice", Org: "org_a"})
		handle := g.begins(rev)
		for _, method := range methods {
			if r := g.asks(rev, method, handle); r.status != 200 || strings.Contains(r.body, "error") {
				t.Errorf("%s: %s", method, r.body)
			}
		}
		g.subject.Store(&policy.Subject{ID: "workos:alice", Org: "org_b"})
		g.asks(rev, methods[0], handle).wantError(t, 200, -32602)
	}
}

// A page of a tool is for who may see the tool, also where a condition says who that is.
func TestPagesOfToolsUnderConditions(t *testing.T) {
	const rev, page = "2025-11-25", "ui://office/a.html"
	g, _ := underConditions(t, nil)
	g.lists(`{"name":"office","_meta":{"ui":{"resourceUri":"` + page + `"}}}`)
	g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"contents":[]}}`))
	for org, want := range map[string]bool{"org_a": true, "org_b": false} {
		g.subject.Store(&policy.Subject{ID: "workos:alice", Org: org})
		if got := strings.Contains(g.post(rev, "resources/read", `{"uri":"`+page+`"}`).body, "contents"); got != want {
			t.Errorf("%s reads the page: %v", org, got)
		}
	}
}

// TestAttackAnObservedPolicyWidensNoNarrowing: what a person did not leave their agent is not the policy's to let pass.
func TestAttackAnObservedPolicyWidensNoNarrowing(t *testing.T) {
	for _, rev := range allRevisions {
		for _, rules := range []string{`everyone: {allow: [{tools: ["*"]}]}`, `everyone: {allow: [{tools: ["*"]}], deny: [{tools: [merge, reads_nothing]}]}`, `roles: {}`} {
			s := &listing{era: "modern", tools: strings.Split(strings.ReplaceAll(conditionalTools, "},{", "}\n{"), "\n")}
			s.t = t
			g := newRig(t, nil, askedAt(s), func(c *Config) { c.TrustAnnotations = true })
			g.policy.Store(compile(t, rules+"\nmode: observe\n"))
			for want, left := range map[string]*policy.Narrowing{"reads_it": {ReadOnly: true}, "merge echo": {Tools: []string{"echo", "merge"}}, "": {Tools: []string{}}} {
				g.subject.Store(&policy.Subject{ID: "workos:alice", Narrowing: left})
				for range 3 { // as it comes, and as it is known
					g.answers(jsonAnswer(200, tools(conditionalTools)))
					if got := listed(t, g.post(rev, "tools/list", `{}`)); got != want {
						t.Errorf("%s, %s: %v lists %s", rev, rules, left, got)
					}
				}
				g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
				for _, tool := range []string{"echo", "merge", "reads_it", "reads_nothing"} {
					before := len(g.received())
					g.post(rev, "tools/call", fmt.Sprintf(`{"name":%q}`, tool))
					if got, want := len(g.received()) > before, strings.Contains(" "+want+" ", " "+tool+" "); got != want {
						t.Errorf("%s, %s: %v: %s is called: %v", rev, rules, left, tool, got)
					}
				}
			}
		}
	}
}
