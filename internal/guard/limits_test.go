package guard

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/quota"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store/storetest"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// newLimited is a rig with a policy that has limits, and a clock.
func newLimited(t *testing.T, text string, edit ...func(*Config)) (*rig, *storetest.Clock) {
	clock := storetest.NewClock()
	g := newRig(t, jsonAnswer(200, echoed), append([]func(*Config){func(c *Config) {
		c.Limits = quota.New(storetest.NewMemory(clock.Now), clock.Now)
	}}, edit...)...)
	g.policy.Store(compile(t, text))
	return g, clock
}

const twoAMinute = `everyone: {allow: [{tools: [echo], limit: 2/m}, {prompts: [letter], limit: 1/h per client}, {resources: ["docs://**"], limit: 1/d per tool}]}`

func TestACallOverItsLimitIsToldWhenToComeBack(t *testing.T) {
	for _, rev := range allRevisions {
		g, clock := newLimited(t, twoAMinute)
		for range 2 {
			if r := g.post(rev, "tools/call", `{"name":"echo"}`); r.body != echoed {
				t.Fatalf("%s: %d %s", rev, r.status, r.body)
			}
		}
		r := g.post(rev, "tools/call", `{"name":"echo"}`)
		got := r.sentence(t)
		if !strings.HasPrefix(got, "Not done: the tool echo may be used 2 times a minute by one person, and it was. Try again in 6") ||
			!strings.HasSuffix(got, " seconds; trying before then will not help.") || r.status != 200 || isModern(rev) != strings.Contains(r.body, `"resultType":"complete"`) {
			t.Errorf("%s: %d %s", rev, r.status, r.body)
		}
		if o := g.last(); o.Decision != Deny || o.Reason != "limit: 2 in 1m0s" || !strings.Contains(o.Rule, "allow") || len(g.received()) != 2 {
			t.Errorf("%s: %+v", rev, o)
		}
		clock.Advance(64e9)
		if r := g.post(rev, "tools/call", `{"name":"echo"}`); r.body != echoed {
			t.Errorf("%s: when the time has come: %s", rev, r.body)
		}
	}
}

func TestPromptsAndResourcesHaveLimitsToo(t *testing.T) {
	g, _ := newLimited(t, twoAMinute)
	for _, c := range []struct{ method, params, want string }{
		{"prompts/get", `{"name":"letter"}`, "Not done: the prompt letter may be used once an hour by one agent of a person, and it was."},
		{"resources/read", `{"uri":"docs://a"}`, "Not done: the resource docs://a may be used once a day by everybody together, and it was."},
	} {
		g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
		g.post("2025-06-18", c.method, c.params)
		r := g.post("2025-06-18", c.method, c.params)
		r.wantError(t, 200, -32600)
		if !strings.HasPrefix(r.sentence(t), c.want) {
			t.Errorf("%s", r.body)
		}
	}
	// Another resource has a limit of its own, and a subscription is no use.
	for _, params := range []string{`{"uri":"docs://b"}`} {
		if r := g.post("2025-06-18", "resources/read", params); strings.Contains(r.body, "Not done") {
			t.Errorf("%s", r.body)
		}
		if r := g.post("2025-06-18", "resources/subscribe", params); strings.Contains(r.body, "Not done") {
			t.Errorf("%s", r.body)
		}
	}
}

// TestALimitIsCountedForWhomItSays changes the person and the agent.
func TestALimitIsCountedForWhomItSays(t *testing.T) {
	for by, want := range map[string][3]bool{"user": {false, true, false}, "client": {true, true, true}, "tool": {false, false, false}} {
		g, _ := newLimited(t, `everyone: {allow: [{tools: [echo], limit: 1/m per `+by+`}]}`)
		through := func() bool { return g.post("2025-06-18", "tools/call", `{"name":"echo"}`).body == echoed }
		if !through() || through() {
			t.Errorf("%s: the first", by)
		}
		g.client = "client-b"
		another := through()
		g.subject.Store(&policy.Subject{ID: "workos:bob"})
		bob := through()
		g.client = "client-a"
		if got := [3]bool{another, bob, through()}; got != want {
			t.Errorf("%s: another agent, another person, their other agent: %v, want %v", by, got, want)
		}
	}
}

func TestABatchIsStoppedByALimit(t *testing.T) {
	g, _ := newLimited(t, twoAMinute)
	three := `[` + callEcho + `,` + strings.Replace(callEcho, `"id":1`, `"id":2`, 1) + `,` + strings.Replace(callEcho, `"id":1`, `"id":3`, 1) + `]`
	r := g.send(http.MethodPost, honestLegacy(), three)
	if r.status != 200 || strings.Count(r.body, "Not run: the batch") != 2 || strings.Count(r.body, "may be used 2 times a minute") != 1 || len(g.received()) != 0 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestWhatIsObservedIsCountedAndPasses(t *testing.T) {
	g, _ := newLimited(t, `everyone: {allow: [{tools: [echo], limit: 1/m}]}`, func(c *Config) { c.Observe = true })
	for i, want := range []string{Allow, Observe} {
		if r := g.post("2025-06-18", "tools/call", `{"name":"echo"}`); r.body != echoed {
			t.Errorf("%s", r.body)
		}
		if o := g.last(); o.Decision != want {
			t.Errorf("call %d: %+v", i, o)
		}
	}
}

// TestALimitThatCannotBeCountedLetsNothingThrough has no place to count in, and a rule without a limit that needs none.
func TestALimitThatCannotBeCountedLetsNothingThrough(t *testing.T) {
	g, _ := newLimited(t, `everyone: {allow: [{tools: [echo], limit: 1/m}, {tools: [free]}]}`, func(c *Config) { c.Limits = nil })
	g.post("2025-06-18", "tools/call", `{"name":"echo"}`).wantError(t, 503, -32603)
	if len(g.received()) != 0 {
		t.Error("it went on")
	}
	if r := g.post("2025-06-18", "tools/call", `{"name":"free"}`); r.body != echoed {
		t.Errorf("%s", r.body)
	}
}
