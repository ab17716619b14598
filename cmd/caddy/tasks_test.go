package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// tasksRevision is the one revision that has tasks of its own.
const tasksRevision = "2025-11-25"

// twoClients are two clients without persons.
const twoClients = `clients {
			static bot {
				secret a-secret-of-the-bot
				grant client_credentials
				role admin
			}
			static other {
				secret a-secret-of-the-bot
				grant client_credentials
				role admin
			}
		}`

// research calls server-everything's tool that always runs as a task, and asks the client something if it is ambiguous.
func research(method string, ambiguous bool) peers.Step {
	return peers.Step{Method: method, Params: map[string]any{
		"name": "simulate-research-query", "arguments": map[string]any{"topic": "python", "ambiguous": ambiguous},
	}}
}

// about is a step about a task, the last one if no id is given.
func about(method string, params ...string) peers.Step {
	step := peers.Step{Method: method, Params: map[string]any{}}
	for i := 0; i < len(params); i += 2 {
		step.Params[params[i]] = params[i+1]
	}
	return step
}

// taskSteps are all that a client can do with tasks. It leaves one that waits for an answer.
func taskSteps() []peers.Step {
	ask := peers.Step{Method: "callTool", Params: map[string]any{"name": "trigger-elicitation-request-async", "arguments": noArguments}}
	sample := peers.Step{Method: "callTool", Params: map[string]any{
		"name": "trigger-sampling-request-async", "arguments": map[string]any{"prompt": "p", "maxTokens": 1},
	}}
	return []peers.Step{
		{Method: "listTools"},
		research("createTask", true), about("taskUntil", "status", "input_required"),
		about("getTaskResult"), about("taskTold", "status", "completed"), about("getTask"), about("getTaskResult"),
		research("runTask", false),
		research("createTask", false), about("cancelTask"), about("getTask"), about("cancelTask"),
		{Method: "listTasks"},
		ask, sample,
		about("getTask", "taskId", "none"),
		research("createTask", true), about("taskUntil", "status", "input_required"),
	}
}

// tasksOf are the ids of the tasks that steps created.
func tasksOf(t *testing.T, seen peers.Seen) (ids []string) {
	t.Helper()
	for _, outcome := range seen.Outcomes {
		if outcome.Method != "createTask" {
			continue
		}
		var created struct{ Task struct{ TaskID string } }
		if err := json.Unmarshal(outcome.Result, &created); err != nil || created.Task.TaskID == "" {
			t.Fatalf("a task: %s %s (%v)", outcome.Failed, outcome.Result, err)
		}
		ids = append(ids, created.Task.TaskID)
	}
	return ids
}

// passing is what of a task another time is different, or another place: its times, the ids of tasks that the test does not
// name, a client's own, which servers see with a prefix, and in which words an unknown task is refused.
var passing = regexp.MustCompile(`"(createdAt|lastUpdatedAt)":"[^"]*"|"taskId":"[^" ]{30,}"|(agent:)?\b[0-9a-f]{32}\b|` +
	`(MCP error -32602: )+(Unknown task|Failed to retrieve task: Task not found)`)

// alike is an outcome without that, of a client that knows tasks by these ids.
func alike(o peers.Outcome, ids []string) string {
	text := shown(o)
	for i, id := range ids {
		text = strings.ReplaceAll(text, id, "task "+string(rune('a'+i)))
	}
	return passing.ReplaceAllString(text, "")
}

// TestTasksOfServerEverythingBehindTheGateway has a TypeScript client run tools of server-everything as tasks, ask for
// them, be asked in the middle of them, be told of them and cancel them, and run itself as tasks what the server asks: all
// of it looks as without a gateway, but for the ids. They work on when the gateway has been started anew, and for nobody
// else.
func TestTasksOfServerEverythingBehindTheGateway(t *testing.T) {
	server := peers.Everything(t)
	g := startGateway(t, gatewayConfig{Identity: onlyAlice(t), Clients: twoClients, Policy: openPolicy, Mounts: "mcp_gateway /mcp " + server})
	resource := g.origin + "/mcp"
	session := peers.Session{SDK: "v1", Revision: tasksRevision, Tasks: true, Keep: true, Steps: taskSteps()}
	direct, guarded := session, session
	direct.URL, guarded.URL, guarded.Token = "http://"+server+"/mcp", resource, g.clientToken(t, "bot", resource)

	var before [2]peers.Seen
	var wait sync.WaitGroup
	for i, s := range [...]peers.Session{direct, guarded} {
		wait.Go(func() { before[i] = peers.Sessions(t, g.dir, s)[0] })
	}
	wait.Wait()
	ids := [2][]string{tasksOf(t, before[0]), tasksOf(t, before[1])}
	same := func(what string, seen [2]peers.Seen) {
		t.Helper()
		for i, outcome := range seen[1].Outcomes {
			got, want := alike(outcome, ids[1]), alike(seen[0].Outcomes[i], ids[0])
			if got != want {
				t.Errorf("%s, step %d: the client sees\n%s, directly\n%s", what, i, got, want)
			}
		}
	}
	same("at first", before)

	g.interrupt()
	g.restart(t)

	goOn := func(s peers.Session, seen peers.Seen, ids []string) peers.Session {
		s.Resume, s.Keep, s.Steps = seen.Session, false, nil
		for _, id := range ids {
			s.Steps = append(s.Steps, about("getTask", "taskId", id))
		}
		last := ids[len(ids)-1]
		s.Steps = append(s.Steps, about("getTaskResult", "taskId", last), about("taskUntil", "taskId", last, "status", "completed"))
		return s
	}
	stranger := peers.Session{SDK: "v1", Revision: tasksRevision, URL: resource, Token: g.clientToken(t, "other", resource)}
	for _, id := range ids[1] {
		stranger.Steps = append(stranger.Steps, about("getTask", "taskId", id), about("getTaskResult", "taskId", id), about("cancelTask", "taskId", id))
	}
	after := peers.Sessions(t, g.dir, goOn(direct, before[0], ids[0]), stranger, goOn(guarded, before[1], ids[1]))
	same("after a restart", [2]peers.Seen{after[0], after[2]})
	for _, seen := range slices.Concat(before[:], after) {
		if seen.Failed != "" || len(seen.Outcomes) == 0 {
			t.Errorf("%q, %d outcomes", seen.Failed, len(seen.Outcomes))
		}
	}
	for _, outcome := range after[1].Outcomes {
		if string(outcome.Code) != "-32602" || !strings.Contains(outcome.Failed, "Unknown task") {
			t.Errorf("another's %s: %s", outcome.Method, shown(outcome))
		}
	}
}

// TestTheTasksExtensionBehindTheGateway runs the conformance suite's scenarios for the tasks extension against a server
// that has it, directly, where none fails, and through the gateway: no verdict may differ.
func TestTheTasksExtensionBehindTheGateway(t *testing.T) {
	f := startFronted(t, openPolicy, map[string]string{"/tasks": serveTasks(t)})
	var all [2][]peers.Check
	var wait sync.WaitGroup
	for i, origin := range []string{"http://" + serveTasks(t), f.front.url} {
		wait.Go(func() { all[i] = peers.ServerConformance(t, origin+"/tasks", "--requirements", statelessRevision) })
	}
	wait.Wait()
	direct, guarded := byScenario(all[0]), byScenario(all[1])
	checks := 0
	for scenario, want := range direct {
		if !strings.HasPrefix(scenario, "tasks-") {
			continue // what this server is not for
		}
		got := guarded[scenario]
		if len(got) != len(want) {
			t.Errorf("%s:\ndirectly            %v\nthrough the gateway %v", scenario, want, got)
			continue
		}
		for i := range want {
			checks++
			if want[i].Status == "FAILURE" {
				t.Errorf("the server itself: %v", want[i])
			}
			right := got[i].ID == want[i].ID && rightDifferences["tasks"][got[i].ID] != ""
			if same := got[i].ID == want[i].ID && got[i].Status == want[i].Status; same == right {
				t.Errorf("directly            %v\nthrough the gateway %v", want[i], got[i])
			}
		}
	}
	if checks == 0 {
		t.Error("no scenario ran")
	}
	t.Logf("%d checks, run directly and through the gateway: %d verdicts differ, all of them rightly", checks, len(rightDifferences["tasks"]))
}
