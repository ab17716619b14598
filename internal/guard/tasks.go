package guard

import (
	"bytes"
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// A server that runs a call as a task answers with the task's id (revision 2025-11-25, "Tasks"; from 2026-07-28 on, the
// extension io.modelcontextprotocol/tasks, SEP-2663). Clients get the id sealed together with the tool's name, so that
// the task is of no use to anyone else, and whoever may no longer use the tool has none of its result.
//
// In revision 2025-11-25 a client may run tasks as well, for what a server asks of it. It makes their ids, and the server
// gets them with a prefix: so a client that calls a server's task its own names another.

// purposeTask is the purpose of sealed ids of tasks.
const purposeTask = "mcp task"

// clientTask is what servers see the ids of clients' tasks begin with.
const clientTask = "agent:"

// maxTaskID bounds the ids that servers give their tasks, in bytes.
const maxTaskID = 512

// errForeignTask is why a message does not pass that is about a task of nobody's or of someone else's.
const errForeignTask = fault("a task that is not known to be the caller's")

// heldTask is a task of a server's, as its holder has it.
type heldTask struct {
	tool     string
	plain    string // the server's id
	upstream string // which of several servers; empty if it does not matter
	handle   string // the holder's id
}

// is reports whether a server, if it is known which, means the task by an id.
func (t *heldTask) is(plain, upstream string) bool {
	return t.plain == plain && (t.upstream == upstream || t.upstream == "" || upstream == "")
}

// tasksExtension is named in the _meta of a call by a client that knows tasks (SEP-2663, "Capability Negotiation").
var tasksExtension = []byte("io.modelcontextprotocol/tasks")

// calls notes which tool is called, for when the call becomes a task. Its server alone knows the task, so where no session
// says which one that is, the task's handle does.
func (x *exchange) calls(m *jsonrpc.Message) {
	x.tool, x.asTask = m.Params.Name.Value, m.Params.Task != nil
	if x.hop == nil && bytes.Contains(m.Params.Meta, tasksExtension) {
		x.hop = new(Hop)
	}
}

// follow has the request go to the server that a task is of, unless it belongs to a session.
func (x *exchange) follow(upstream string) {
	switch {
	case upstream == "":
	case x.hop == nil:
		x.hop = &Hop{Upstream: upstream}
	case x.hop.Upstream == "":
		x.hop.Upstream = upstream
	}
}

// openTask opens the handle of a task, and asks the policy whether the caller may still use its tool.
func (x *exchange) openTask(id jsonrpc.Text) (heldTask, verdict) {
	unknown := invalid("Unknown task")
	if !id.Set || id.Value == "" {
		return heldTask{}, verdict{refusal: unknown}
	}
	sealed, refused := x.open(purposeTask, id.Value, func() *refusal { return unknown })
	if refused != nil {
		return heldTask{}, verdict{refusal: refused}
	}
	t := heldTask{handle: id.Value}
	t.tool, sealed, _ = strings.Cut(sealed, "\n")
	t.upstream, t.plain, _ = strings.Cut(sealed, "\n")
	v := x.one(policy.Tool, jsonrpc.Text{Value: t.tool, Set: true}, "taskId", nil)
	if v.refusal != nil {
		unknown.decision, unknown.reason = v.refusal.decision, v.refusal.reason
		v.refusal = unknown
		return heldTask{}, v
	}
	x.follow(t.upstream)
	x.tasks = append(x.tasks, t)
	x.g.cfg.Tasks.keep(x.holder(), t)
	return t, v
}

// openTasks notes the edits that put the server's ids in the place of the handles that a message has. v is what the
// policy said of the message so far.
func (x *exchange) openTasks(m *jsonrpc.Message, v *verdict) {
	ids := m.Params.WatchedTasks
	if m.RelatedTask.Set {
		ids = append(ids[:len(ids):len(ids)], m.RelatedTask)
	}
	target := methods[m.Method].target == aTask
	if target || m.Params.TaskID.Set {
		ids = append(ids[:len(ids):len(ids)], m.Params.TaskID)
	}
	for _, id := range ids {
		t, judged := x.openTask(id)
		if judged.refusal != nil || !v.named {
			judged.edits = v.edits
			*v = judged
		}
		if v.refusal != nil {
			return
		}
		v.edits = append(v.edits, id.Replace(t.plain))
		if target && x.claims.name.set {
			x.taskName = t.plain // at last, that of params.taskId
		}
	}
}

// ownTasks notes the edits for the tasks that an answer or a notification of the client's names: those that the client
// runs, and in _meta the one it belongs to, which may be either's.
func (x *exchange) ownTasks(m *jsonrpc.Message, v *verdict) {
	own := m.OwnTasks
	if m.Method == "notifications/tasks/status" {
		own = append(own[:len(own):len(own)], m.Params.TaskID)
	}
	for _, id := range own {
		if id.Set {
			v.edits = append(v.edits, id.Replace(clientTask+id.Value))
		}
	}
	if !m.RelatedTask.Set {
		return
	}
	plain := clientTask + m.RelatedTask.Value
	if _, err := x.openHandle(purposeTask, m.RelatedTask.Value); err == nil {
		t, judged := x.openTask(m.RelatedTask)
		if judged.refusal != nil {
			v.refusal = judged.refusal
			return
		}
		plain = t.plain
	}
	v.edits = append(v.edits, m.RelatedTask.Replace(plain))
}

// task returns the task of the caller's that the server calls plain, if it is known and its tool may still be seen.
func (x *exchange) task(plain string) (t heldTask, ok bool) {
	upstream := x.from()
	for _, t = range x.tasks {
		if ok = t.is(plain, upstream); ok {
			break
		}
	}
	if !ok {
		t, ok = x.g.cfg.Tasks.find(x.holder(), plain, upstream)
	}
	if !ok {
		return heldTask{}, false
	}
	view, s, observe := x.standing()
	allowed := x.judged(view, s, policy.Tool, t.tool, nil).Allowed || observe && x.leaves(view, policy.Tool, t.tool, nil)
	return t, allowed && x.pinShows(t.tool)
}

// newTask seals the id of a task that the call has become.
func (x *exchange) newTask(plain string) (heldTask, error) {
	switch {
	case x.tool == "":
		if t, ok := x.task(plain); ok {
			return t, nil
		}
		return heldTask{}, errForeignTask
	case plain == "" || len(plain) > maxTaskID:
		return heldTask{}, fault("a task's id that is empty or too long")
	case strings.HasPrefix(plain, clientTask):
		return heldTask{}, fault("a task's id that is taken for a client's")
	}
	t := heldTask{tool: x.tool, plain: plain, upstream: x.from()}
	var err error
	t.handle, err = x.sealHandle(purposeTask, t.tool+"\n"+t.upstream+"\n"+t.plain)
	return t, err
}

// from names the server that answers, if that is known and can stand in a handle.
func (x *exchange) from() string {
	if x.hop == nil || strings.Contains(x.hop.From, "\n") {
		return ""
	}
	return x.hop.From
}

// handedTask notes that the caller got the task.
func (x *exchange) handedTask(t heldTask) {
	if t.handle != "" {
		x.g.cfg.Tasks.keep(x.holder(), t)
	}
}
