package peers

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed sessions.mjs
var sessionsScript []byte

// Session says what a client made with one of the TypeScript SDKs does.
type Session struct {
	SDK string `json:"sdk"` // v1 (@modelcontextprotocol/sdk) or v2 (@modelcontextprotocol/client)
	URL string `json:"url"`
	// Revision is the protocol revision it asks for; "" has v2 find out what the server speaks.
	Revision string `json:"revision"`
	Token    string `json:"token"`  // the access token that it shows, if any
	Tasks    bool   `json:"tasks"`  // v1: it runs as tasks what a server asks of it as a task
	Resume   string `json:"resume"` // v1: the id of a session that it goes on with
	Keep     bool   `json:"keep"`   // the session is not ended, so that another can go on with it
	Steps    []Step `json:"steps"`
}

// Step is one thing that a client does, by the name of the SDK's method, or "told": it waits until it is told that the tools
// changed, and has listed them. It answers the server's own requests alike
// always: sampling with the text "sampled", elicitation with the name "n".
//
// A client of v1 has tasks, too: createTask calls a tool as a task, and runTask does so and waits for what comes of it;
// getTask, getTaskResult and cancelTask are about the params' taskId, or else about the task that was created last; and
// taskUntil and taskTold wait until that has the params' status, by asking and by being told.
type Step struct {
	Method string         `json:"method"`
	Params map[string]any `json:"params,omitempty"`
	Cancel bool           `json:"cancel"` // a call is cancelled when the first progress of it arrives
}

// Seen is what a client saw in a session.
type Seen struct {
	Revision string    `json:"revision"` // what was negotiated
	Session  string    `json:"session"`  // the session's id, if it has one
	Failed   string    `json:"failed"`   // why it could not connect
	Outcomes []Outcome `json:"outcomes"` // one for each step
}

// Outcome is what became of a step.
type Outcome struct {
	Method   string          `json:"method"`
	Name     string          `json:"name"`     // of the tool or prompt
	Progress int             `json:"progress"` // how often progress was told
	Failed   string          `json:"failed"`   // the error's message
	Code     json.RawMessage `json:"code"`     // the error's code
	Result   json.RawMessage `json:"result"`
}

// Sessions runs sessions one after the other in one process. root is the directory that the clients tell servers is
// theirs.
func Sessions(t testing.TB, root string, sessions ...Session) []Seen {
	t.Helper()
	task, err := json.Marshal(map[string]any{
		"modules": filepath.Join(NPM(t), "node_modules"), "root": "file://" + root, "sessions": sessions,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, Node(t), "--input-type=module", "--eval", string(sessionsScript))
	cmd.Stdin = bytes.NewReader(task)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("a TypeScript client: %v\n%s", err, tail(errs.Bytes()))
	}
	var seen []Seen
	if err := json.Unmarshal(out.Bytes(), &seen); err != nil {
		t.Fatalf("a TypeScript client: %v in %.500q", err, out.Bytes())
	}
	return seen
}
