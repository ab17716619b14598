package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// tasksExtension is the extension of revision 2026-07-28 that has tasks (SEP-2663).
const tasksExtension = "io.modelcontextprotocol/tasks"

type object = map[string]any

// taskServer is a server with the tasks extension, which no SDK has: the tools that the conformance suite asks of one. It
// is as strict as the suite is.
type taskServer struct {
	mu    sync.Mutex
	tasks map[string]*runningTask
}

// runningTask is a task of a taskServer's.
type runningTask struct {
	done    time.Time // when it is completed, if nothing is asked before
	asks    []string  // what has not been answered
	status  string    // how it ended, other than completed
	outcome object    // the result, or the error, that it ends with
}

// taskRequest is what a taskServer reads of a request.
type taskRequest struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Name      string
		TaskID    string
		Arguments struct {
			Name    string
			Seconds float64
		}
		InputResponses map[string]struct{ Content struct{ Name string } }
		Meta           struct {
			Capabilities struct{ Extensions object } `json:"io.modelcontextprotocol/clientCapabilities"`
		} `json:"_meta"`
	}
}

// name is what the header Mcp-Name has to say.
func (r *taskRequest) name() string {
	switch r.Method {
	case "tasks/get", "tasks/update", "tasks/cancel":
		return r.Params.TaskID
	}
	return r.Params.Name
}

// serveTasks serves a taskServer and returns its host:port.
func serveTasks(t *testing.T) string {
	t.Helper()
	running := httptest.NewServer(&taskServer{tasks: make(map[string]*runningTask)})
	t.Cleanup(running.Close)
	return strings.TrimPrefix(running.URL, "http://")
}

// ServeHTTP implements http.Handler.
func (s *taskServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request taskRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := object{"jsonrpc": "2.0", "id": request.ID}
	status := http.StatusOK
	if r.Header.Get("Mcp-Method") != request.Method || r.Header.Get("Mcp-Name") != request.name() {
		status = http.StatusBadRequest
		answer["error"] = object{"code": -32020, "message": "Header mismatch"}
	} else if result, code := s.answer(&request); code == 0 {
		answer["result"] = result
	} else {
		switch code {
		case -32601:
			status = http.StatusNotFound
		case -32021:
			status = http.StatusBadRequest
		}
		answer["error"] = object{"code": code, "message": "refused", "data": result}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// answer returns the result of a request, or the error's code and data.
func (s *taskServer) answer(r *taskRequest) (result object, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	knows := r.Params.Meta.Capabilities.Extensions[tasksExtension] != nil
	missing := object{"requiredCapabilities": object{"extensions": object{tasksExtension: object{}}}}
	switch r.Method {
	case "server/discover":
		return object{
			"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "supportedVersions": []string{statelessRevision},
			"capabilities": object{"tools": object{}, "extensions": object{tasksExtension: object{}}},
			"serverInfo":   object{"name": "tasks", "version": "1"},
		}, 0
	case "tools/call":
		if !knows && r.Params.Name == "failing_job" {
			return missing, -32021
		}
		return s.call(r, knows), 0
	case "tasks/get", "tasks/update", "tasks/cancel":
		if !knows {
			return missing, -32021
		}
		task := s.tasks[r.Params.TaskID]
		if task == nil {
			return nil, -32602
		}
		return task.answer(r), 0
	}
	return nil, -32601
}

// call answers a tool's call, with a task if the client knows what that is.
func (s *taskServer) call(r *taskRequest, knows bool) object {
	task := &runningTask{outcome: saying("done")}
	switch r.Params.Name {
	case "greet":
		return saying("Hello, " + r.Params.Arguments.Name + "!")
	case "slow_compute":
		task.done = time.Now().Add(time.Duration(r.Params.Arguments.Seconds * float64(time.Second)))
	case "failing_job":
		task.outcome["isError"] = true
	case "protocol_error_job":
		task.status, task.outcome = "failed", object{"code": -32603, "message": "broken"}
	case "confirm_delete":
		task.asks = []string{"confirm"}
	case "multi_input":
		task.asks = []string{"first", "second"}
	case "test_tool_with_task":
		answered, ok := r.Params.InputResponses["user_name"]
		if !ok {
			return object{"resultType": "input_required", "inputRequests": object{"user_name": asking()}, "requestState": "asked"}
		}
		task.outcome = saying("Hello, " + answered.Content.Name + "!")
	}
	if !knows {
		return task.outcome
	}
	id := fmt.Sprintf("task-%d", len(s.tasks)+1)
	s.tasks[id] = task
	created := task.shown(id)
	created["resultType"], created["status"] = "task", "working"
	for _, later := range []string{"result", "error", "inputRequests"} {
		delete(created, later)
	}
	return created
}

// answer answers a request about the task.
func (task *runningTask) answer(r *taskRequest) object {
	switch r.Method {
	case "tasks/get":
		return task.shown(r.Params.TaskID)
	case "tasks/update":
		var left []string
		for _, ask := range task.asks {
			if _, answered := r.Params.InputResponses[ask]; !answered {
				left = append(left, ask)
			}
		}
		task.asks = left
	case "tasks/cancel":
		if len(task.asks) > 0 || time.Now().Before(task.done) {
			task.status, task.asks, task.done = "cancelled", nil, time.Time{}
		}
	}
	return object{"resultType": "complete"}
}

// shown is the task as tasks/get shows it.
func (task *runningTask) shown(id string) object {
	at := time.Now().UTC().Format(time.RFC3339)
	shown := object{"resultType": "complete", "taskId": id, "createdAt": at, "lastUpdatedAt": at, "ttlMs": 60_000, "pollIntervalMs": 100}
	switch {
	case len(task.asks) > 0:
		asks := make(object)
		for _, ask := range task.asks {
			asks[ask] = asking()
		}
		shown["status"], shown["inputRequests"] = "input_required", asks
	case time.Now().Before(task.done):
		shown["status"] = "working"
	case task.status == "failed":
		shown["status"], shown["error"] = task.status, task.outcome
	case task.status != "":
		shown["status"] = task.status
	default:
		shown["status"], shown["result"] = "completed", task.outcome
	}
	return shown
}

// saying is a tool's result with a text.
func saying(text string) object {
	return object{"resultType": "complete", "content": []object{{"type": "text", "text": text}}}
}

// asking is a question to the client.
func asking() object {
	return object{"method": "elicitation/create", "params": object{"message": "?", "requestedSchema": object{"type": "object", "properties": object{}}}}
}
