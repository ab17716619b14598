package guard

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// taskServer is a server that runs every call as a task, and knows nobody: to it all callers are one.
type taskServer struct {
	mu    sync.Mutex
	tasks []string
	asked []string // what it was asked, and about which task
	sse   bool
}

func (s *taskServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m struct {
		ID     json.RawMessage
		Method string
		Params struct{ TaskID, Cursor string }
	}
	body, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(body, &m)
	modern := r.Header.Get("Mcp-Protocol-Version") == "2026-07-28"
	task := func(id string) string {
		if modern {
			return fmt.Sprintf(`"taskId":%q,"status":"working","createdAt":"2026-01-01T00:00:00Z","ttlMs":null,"pollIntervalMs":500`, id)
		}
		return fmt.Sprintf(`"taskId":%q,"status":"working","createdAt":"2026-01-01T00:00:00Z","ttl":3600000`, id)
	}
	s.asked = append(s.asked, m.Method+" "+m.Params.TaskID+" "+r.Header.Get("Mcp-Name"))
	result := ""
	switch m.Method {
	case "tools/call":
		id := fmt.Sprintf("raw-%d", len(s.tasks))
		s.tasks = append(s.tasks, id)
		if result = `{"task":{` + task(id) + `}}`; modern {
			result = `{"resultType":"task",` + task(id) + `}`
		}
	case "tasks/result":
		result = fmt.Sprintf(`{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":%q}}}`, m.Params.TaskID)
	case "tasks/list":
		var list []string
		for _, id := range s.tasks {
			list = append(list, "{"+task(id)+"}")
		}
		result = `{"tasks":[` + strings.Join(list, ", ") + `]}`
	case "tasks/update":
		result = `{"resultType":"complete"}`
	default:
		result = `{` + task(m.Params.TaskID) + `}`
	}
	answer := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, m.ID, result)
	if s.sse {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "id: e-1\ndata: "+answer+"\n\n")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer)
}

// asks asks for a task, with the header that goes with it.
func (g *rig) asks(rev, method, handle string) reply {
	params := fmt.Sprintf(`{"taskId":%q}`, handle)
	h := headersFor(rev, method, params)
	if isModern(rev) {
		h.Set("Mcp-Name", handle)
	}
	r := g.send(http.MethodPost, h, message(rev, "1", method, params))
	if data := events(r.body); r.header.Get("Content-Type") == typeStream && len(data) == 1 {
		r.body = data[0]
	}
	return r
}

// begins calls a tool as a task, and returns the handle.
func (g *rig) begins(rev string) string {
	g.t.Helper()
	r := g.post(rev, "tools/call", `{"name":"echo","task":{"ttl":3600000}}`)
	if data := events(r.body); len(data) == 1 {
		r.body = data[0]
	}
	handle := taskID(r.body)
	if r.status != 200 || handle == "" || strings.Contains(r.body, "raw-") {
		g.t.Fatalf("a call as a task: %d %s", r.status, r.body)
	}
	return handle
}

// taskID returns the one taskId that a message has, at whatever place.
func taskID(msg string) string {
	_, rest, _ := strings.Cut(msg, `"taskId":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// taskMethods are those about one task, by revision.
var taskMethods = map[string][]string{
	"2025-11-25": {"tasks/get", "tasks/result", "tasks/cancel"},
	"2026-07-28": {"tasks/get", "tasks/update", "tasks/cancel"},
}

func TestATaskIsItsHoldersUnderOneHandle(t *testing.T) {
	for rev, methods := range taskMethods {
		for _, sse := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", rev, sse), func(t *testing.T) {
				upstream := &taskServer{sse: sse}
				g := newRig(t, upstream.ServeHTTP)
				first, second := g.begins(rev), g.begins(rev)
				for _, method := range methods {
					r := g.asks(rev, method, second)
					if r.status != 200 || strings.Contains(r.body, "raw-") || strings.Contains(r.body, "error") {
						t.Fatalf("%s: %d %s", method, r.status, r.body)
					}
					if got := taskID(r.body); method != "tasks/update" && got != second {
						t.Errorf("%s: the task became %q, not %q", method, got, second)
					}
					want := method + " raw-1 "
					if isModern(rev) {
						want += "raw-1"
					}
					if got := upstream.asked[len(upstream.asked)-1]; got != want {
						t.Errorf("the upstream was asked %q, want %q", got, want)
					}
					if o := g.last(); o.Kind != policy.Tool || o.Name != "echo" || o.Rule == "" {
						t.Errorf("outcome %+v", o)
					}
					if isModern(rev) && method == "tasks/get" && !strings.Contains(r.body, `"ttlMs":null`) {
						t.Errorf("how long the task lives was changed: %s", r.body)
					}
				}
				if first == second {
					t.Error("two tasks with one handle")
				}
			})
		}
	}
}

func TestNobodyElsesTaskIsKnown(t *testing.T) {
	for rev, methods := range taskMethods {
		upstream := &taskServer{}
		g := newRig(t, upstream.ServeHTTP)
		handle := g.begins(rev)
		before := len(upstream.asked)
		alice, client, site := g.subject.Load(), g.client, g.site
		for name, other := range map[string]func(){
			"another person's":  func() { g.subject.Store(&policy.Subject{ID: "workos:bob", Roles: []string{"admin"}}) },
			"another client's":  func() { g.client = "client-b" },
			"another server's":  func() { g.site = "https://b.example" },
			"a denied tool's":   func() { g.subject.Store(&policy.Subject{ID: alice.ID, Roles: []string{"guest"}}) },
			"the server's own":  func() { handle = "raw-0" },
			"one without an id": func() { handle = "" },
		} {
			t.Run(rev+"/"+name, func(t *testing.T) {
				was := handle
				other()
				for _, method := range methods {
					r := g.asks(rev, method, handle)
					r.wantError(t, 200, -32602)
					if _, _, message := r.rpcError(t); message != "Unknown task" {
						t.Errorf("%s: said %q", method, message)
					}
				}
				if !isModern(rev) && handle != "" {
					meta := `{"name":"echo","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"` + handle + `"}}}`
					g.subject.Store(&policy.Subject{ID: g.subject.Load().ID, Roles: g.subject.Load().Roles})
					if r := g.post(rev, "tools/call", meta); !strings.Contains(r.body, "-32602") {
						t.Errorf("a related task: %s", r.body)
					}
				}
				g.subject.Store(alice)
				g.client, g.site, handle = client, site, was
			})
		}
		if n := len(upstream.asked) - before; n != 0 {
			t.Errorf("%s: %d went on: %q", rev, n, upstream.asked)
		}
	}
}

func TestAListOfTasksHasOnlyTheCallersOwn(t *testing.T) {
	const rev = "2025-11-25"
	upstream := &taskServer{}
	g := newRig(t, upstream.ServeHTTP)
	list := func() string {
		r := g.post(rev, "tasks/list", `{}`)
		if r.status != 200 || strings.Contains(r.body, "raw-") {
			t.Fatalf("tasks/list: %d %s", r.status, r.body)
		}
		return r.body
	}
	alice := g.subject.Load()
	mine := []string{g.begins(rev), g.begins(rev)}
	g.subject.Store(&policy.Subject{ID: "workos:bob", Roles: []string{"member"}})
	others := g.begins(rev)
	if got := list(); strings.Count(got, "taskId") != 1 || !strings.Contains(got, others) {
		t.Errorf("the other sees %s", got)
	}
	g.subject.Store(alice)
	if got := list(); strings.Count(got, "taskId") != 2 || !strings.Contains(got, mine[0]) || !strings.Contains(got, mine[1]) {
		t.Errorf("the first sees %s", got)
	}
	if o := g.last(); o.Filtered != 1 {
		t.Errorf("outcome %+v", o)
	}
	// A role that lost the tool.
	g.subject.Store(&policy.Subject{ID: alice.ID, Roles: []string{"guest"}})
	if got := list(); !strings.Contains(got, `"tasks":[]`) {
		t.Errorf("without the tool: %s", got)
	}
	g.subject.Store(alice)
	// A restart forgets whose they are, until their holder names them.
	cfg := g.guard.cfg
	cfg.Tasks = nil
	fresh, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	g.guard = fresh
	if got := list(); !strings.Contains(got, `"tasks":[]`) {
		t.Errorf("after a restart: %s", got)
	}
	g.asks(rev, "tasks/get", mine[1])
	if got := list(); strings.Count(got, "taskId") != 1 || !strings.Contains(got, mine[1]) {
		t.Errorf("after it was asked for: %s", got)
	}
}

func TestATaskParameterPassesAsItCame(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
	for _, rev := range allRevisions {
		for _, c := range [][2]string{
			{"tools/call", `{"name":"echo","task":{"ttl":60000,"pollInterval":100}}`},
			{"tools/list", `{"task":{}}`},
		} {
			if r := g.post(rev, c[0], c[1]); r.status != 200 {
				t.Errorf("%s %s: %d %s", rev, c[0], r.status, r.body)
			}
			seen := g.received()
			if got := string(seen[len(seen)-1].body); got != message(rev, "1", c[0], c[1]) {
				t.Errorf("%s: it became %s", rev, got)
			}
		}
	}
}

func TestATaskOfNoToolDoesNotPass(t *testing.T) {
	for _, rev := range allRevisions {
		for name, result := range map[string]string{
			"of a prompt":         `{"task":{"taskId":"raw-1"}}`,
			"named by the result": `{"taskId":"raw-1"}`,
			"related":             `{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"raw-1"}}}`,
			"not text":            `{"taskId":1}`,
			"twice":               `{"task":{"taskId":"a","taskId":"raw-1"}}`,
			"in another spelling": `{"task":{"TaskID":"raw-1"}}`,
			"in a task's result":  `{"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"raw-1"}}}}`,
			"a list in a result":  `{"result":{"tools":[{"name":"hidden_vault"}]}}`,
		} {
			g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":`+result+`}`))
			r := g.post(rev, "prompts/get", `{"name":"shown_a"}`)
			if r.wantError(t, 502, -32603); strings.Contains(r.body, "raw-1") || strings.Contains(r.body, "hidden") {
				t.Errorf("%s, %s: %s", rev, name, r.body)
			}
		}
	}
}

func TestATasksStreamIsResumedWithItsTool(t *testing.T) {
	const rev = "2025-11-25"
	upstream := &taskServer{sse: true}
	g := newRig(t, upstream.ServeHTTP)
	h := headersFor(rev, "tools/call", "{}")
	r := g.send(http.MethodPost, h, message(rev, "1", "tools/call", `{"name":"echo","task":{}}`))
	_, rest, _ := strings.Cut(r.body, "id: ")
	event, _, _ := strings.Cut(rest, "\n")
	g.answers(sseAnswer("data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"task\":{\"taskId\":\"raw-9\"}}}\n\n", 1000))
	h.Set("Last-Event-Id", event)
	h.Set("Accept", "text/event-stream")
	h.Del("Content-Type")
	r = g.send(http.MethodGet, h, "")
	handle := taskID(r.body)
	if r.status != 200 || handle == "" || handle == "raw-9" {
		t.Fatalf("resumed: %d %s", r.status, r.body)
	}
	if seen := g.received(); seen[len(seen)-1].header.Get("Last-Event-Id") != "e-1" {
		t.Errorf("resumed from %v", seen[len(seen)-1].header)
	}
	g.answers(upstream.ServeHTTP)
	if r := g.asks(rev, "tasks/get", handle); taskID(r.body) != handle {
		t.Errorf("the task of a resumed stream: %s", r.body)
	}
}

func TestAStreamTellsOfTheCallersTasksAlone(t *testing.T) {
	const rev = "2025-11-25"
	upstream := &taskServer{}
	g := newRig(t, upstream.ServeHTTP)
	handle := g.begins(rev)
	related := func(id string) string {
		return `"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"` + id + `"}}`
	}
	stream := ""
	for _, id := range []string{"raw-0", "raw-77"} {
		stream += "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"" + id + "\",\"status\":\"completed\"}}\n\n" +
			"data: {\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"elicitation/create\",\"params\":{" + related(id) + "}}\n\n" +
			"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":1," + related(id) + "}}\n\n"
	}
	g.answers(sseAnswer(stream, 50))
	h := headersFor(rev, "", "")
	h.Del("Content-Type")
	r := g.send(http.MethodGet, h, "")
	if got := events(r.body); len(got) != 3 || strings.Count(r.body, handle) != 3 || strings.Contains(r.body, "raw-") {
		t.Errorf("the stream has %s", r.body)
	}
	// Without the tool, nothing.
	g.subject.Store(&policy.Subject{ID: "workos:alice", Roles: []string{"guest"}})
	if r := g.send(http.MethodGet, h, ""); len(events(r.body)) != 0 {
		t.Errorf("without the tool the stream has %s", r.body)
	}
}

func TestASubscriptionTellsOfWhatWasAskedFor(t *testing.T) {
	const rev = "2026-07-28"
	upstream := &taskServer{}
	g := newRig(t, upstream.ServeHTTP)
	handle := g.begins(rev)
	ack := func(uris, tasks string) string {
		return "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{\"resourceSubscriptions\":[" + uris + "],\"taskIds\":[" + tasks + "]}}}\n\n"
	}
	state := func(id, inner string) string {
		return "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{\"taskId\":\"" + id + "\",\"ttlMs\":9999999," + inner + "}}\n\n"
	}
	g.answers(sseAnswer(ack(`"docs://shown/a"`, `"raw-0"`)+ack(`"docs://hidden_vault/a"`, "")+ack("", `"raw-1"`)+
		state("raw-0", `"result":{"content":[{"type":"text","text":"done"}]}`)+
		state("raw-0", `"result":{"tools":[{"name":"hidden_vault"}]}`)+
		state("raw-0", `"error":{"code":-1,"message":"m","data":{"tools":[{"name":"hidden_vault"}]}}`)+
		state("raw-1", `"result":{}`), 70))
	r := g.post(rev, "subscriptions/listen", `{"notifications":{"resourceSubscriptions":["docs://shown/a"],"taskIds":["`+handle+`"]}}`)
	got := events(r.body)
	if len(got) != 3 || strings.Count(r.body, handle) != 2 || strings.Contains(r.body, "raw-") || strings.Contains(r.body, "hidden") {
		t.Errorf("the subscription has %s", r.body)
	}
	seen := g.received()
	if body := string(seen[len(seen)-1].body); !strings.Contains(body, `"taskIds":["raw-0"]`) {
		t.Errorf("asked for %s", body)
	}
	g.post(rev, "subscriptions/listen", `{"notifications":{"taskIds":["raw-0"]}}`).wantError(t, 200, -32602)
}

func TestAClientsOwnTasksAreNeverTheServers(t *testing.T) {
	const rev = "2025-11-25"
	upstream := &taskServer{}
	g := newRig(t, upstream.ServeHTTP)
	handle := g.begins(rev)
	g.answers(jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
	h := withSession(rev, g.initialize(t, rev, "session-1"))
	g.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	for _, c := range [][2]string{
		{`{"jsonrpc":"2.0","id":3,"result":{"task":{"taskId":"raw-0","status":"working"}}}`, `{"jsonrpc":"2.0","id":3,"result":{"task":{"taskId":"agent:raw-0","status":"working"}}}`},
		{`{"jsonrpc":"2.0","id":3,"result":{"taskId":"raw-0"}}`, `{"jsonrpc":"2.0","id":3,"result":{"taskId":"agent:raw-0"}}`},
		{`{"jsonrpc":"2.0","id":3,"result":{"tasks":[{"taskId":"a"}, {"taskId":"b"}]}}`, `{"jsonrpc":"2.0","id":3,"result":{"tasks":[{"taskId":"agent:a"}, {"taskId":"agent:b"}]}}`},
		{`{"jsonrpc":"2.0","id":3,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"raw-0"}}}}`, `{"jsonrpc":"2.0","id":3,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"agent:raw-0"}}}}`},
		{`{"jsonrpc":"2.0","id":3,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"` + handle + `"}}}}`, `{"jsonrpc":"2.0","id":3,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"raw-0"}}}}`},
		{`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"raw-0"}}`, `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"agent:raw-0"}}`},
		{`{"jsonrpc":"2.0","method":"notifications/progress","params":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"raw-0"}}}}`, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"agent:raw-0"}}}}`},
	} {
		if r := g.send(http.MethodPost, h, c[0]); r.status != 202 {
			t.Errorf("%s: %d %s", c[0], r.status, r.body)
			continue
		}
		seen := g.received()
		if got := string(seen[len(seen)-1].body); got != c[1] {
			t.Errorf("%s\nbecame %s\nwant   %s", c[0], got, c[1])
		}
	}
	// And back.
	g.answers(sseAnswer("data: {\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tasks/result\",\"params\":{\"taskId\":\"agent:raw-0\"}}\n\n"+
		"data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tasks/get\",\"params\":{\"taskId\":\"strange\"}}\n\n", 40))
	h.Del("Content-Type")
	if r := g.send(http.MethodGet, h, ""); strings.Join(events(r.body), "") != `{"jsonrpc":"2.0","id":8,"method":"tasks/result","params":{"taskId":"raw-0"}}` {
		t.Errorf("the client was asked %s", r.body)
	}
}

func TestTasksAreForgottenRatherThanKeptWithoutBound(t *testing.T) {
	var b Tasks
	for i := range 2 * mostTasks {
		b.keep("alice", heldTask{tool: "echo", plain: fmt.Sprint(i), handle: "h"})
	}
	if _, ok := b.find("alice", "0", ""); ok || len(b.holders["alice"]) != mostTasks {
		t.Errorf("one holder has %d", len(b.holders["alice"]))
	}
	if _, ok := b.find("alice", fmt.Sprint(2*mostTasks-1), ""); !ok {
		t.Error("the newest is forgotten")
	}
	for i := range mostHolders {
		b.keep(fmt.Sprint(i), heldTask{tool: "echo", plain: "1", handle: "h"})
	}
	if _, ok := b.find("alice", fmt.Sprint(2*mostTasks-1), ""); ok || len(b.holders) != mostHolders || len(b.order) != mostHolders {
		t.Errorf("%d holders, %d in order", len(b.holders), len(b.order))
	}
}
