package guard

import (
	"strings"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// metaRelated is the member of _meta that names the task a message belongs to (revision 2025-11-25, "Tasks").
const metaRelated = "io.modelcontextprotocol/related-task"

var (
	metaNames   = jsonrpc.NewNames(metaRelated)
	taskNames   = jsonrpc.NewNames("taskId")
	listenNames = jsonrpc.NewNames("taskIds", "resourceSubscriptions")
)

// taskResult puts the caller's handle in the place of the id of the task that a result is about, or that it says the
// call has become.
func (f *filter) taskResult() error {
	start, plain, err := f.taskText()
	if err != nil {
		return err
	}
	if plain != f.fr.task.plain || f.fr.task.handle == "" {
		if f.fr.task, err = f.caller.newTask(plain); err != nil {
			return err
		}
	}
	f.handed(start, f.fr.task.handle)
	return nil
}

// newTask reads the task of a result that has one of its own (revision 2025-11-25, CreateTaskResult).
func (f *filter) newTask() error {
	if f.s.space() != '{' {
		return fault("a task that is not an object")
	}
	return f.once(taskNames, f.taskResult)
}

// once reads an object of which one member, the only one of names, is read by member.
func (f *filter) once(names *jsonrpc.Names, member func() error) error {
	saw := false
	return f.object(func(name []byte) error {
		switch known, variant := names.Match(name); {
		case variant, known && saw:
			return fault("a task's name twice, or in another spelling")
		case known:
			saw = true
			return member()
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
}

// taskText consumes the id of a task.
func (f *filter) taskText() (start int, plain string, err error) {
	f.s.space()
	start = f.s.pos()
	plain, ok := f.s.text()
	if !ok {
		return 0, "", fault("a task's id that is not a string")
	}
	return start, plain, nil
}

// handed puts what the caller knows a task by in the place of what began at start.
func (f *filter) handed(start int, handle string) {
	f.replace(start, f.s.pos(), jsonrpc.AppendString(nil, handle))
}

// taskNamed puts the caller's name of a task in the place of the server's. Whether there is one is for foreign to say.
func (f *filter) taskNamed() error {
	start, plain, err := f.taskText()
	if err != nil {
		return err
	}
	if own, found := strings.CutPrefix(plain, clientTask); found {
		f.handed(start, own)
	} else if t, ok := f.caller.task(plain); ok {
		f.handed(start, t.handle)
	} else {
		f.fr.foreign, f.flow.shut = true, true
	}
	return nil
}

// meta reads the _meta of a message. related reads the id of the task that it belongs to.
func (f *filter) meta(related func() error) error {
	if f.s.space() != '{' {
		if !f.s.skip() {
			return errJSON
		}
		return nil
	}
	return f.once(metaNames, func() error {
		if f.s.space() != '{' {
			return fault("a related task that is not an object")
		}
		return f.once(taskNames, related)
	})
}

// taskList filters a list of tasks: those of the caller's stay, under their handles.
func (f *filter) taskList() error {
	s := &f.s
	if s.space() != '[' {
		return fault("a list that is not an array")
	}
	return f.entries(func() (shown bool, err error) {
		start := s.pos()
		if !s.skip() {
			return false, errJSON
		}
		if start < s.base {
			return false, nil // too large
		}
		f.instead = f.listedTask(s.slice(start, s.pos()))
		return f.instead != nil, nil
	})
}

// listedTask returns an entry of a list of tasks as the caller is to see it, nil if it is not the caller's.
func (f *filter) listedTask(entry []byte) []byte {
	in := filter{caller: f.caller, s: scanner{b: entry}}
	if in.s.space() != '{' || in.once(taskNames, in.taskNamed) != nil || in.fr.foreign || !in.edited {
		return nil
	}
	return append(in.out, entry[in.copied:]...)
}

// outcome reads what became of a task, which is the result that the call would have had. It is no list.
func (f *filter) outcome() error {
	if f.s.space() != '{' {
		if !f.s.skip() {
			return errJSON
		}
		return nil
	}
	return f.object(func(name []byte) error {
		if string(name) == "_meta" {
			return f.meta(f.taskNamed)
		}
		if known, variant := listNames.Match(name); known || variant {
			return fault("a list in a task's result")
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
}

// watched reads what a server says that it will tell of (revision 2026-07-28, "subscriptions/listen"): resources and
// tasks that it was asked about, and nothing else that it has.
func (f *filter) watched() error {
	if f.s.space() != '{' {
		return fault("notifications that are not an object")
	}
	return f.object(func(name []byte) error {
		switch string(name) {
		case "taskIds":
			return f.each(f.taskNamed)
		case "resourceSubscriptions":
			return f.each(func() error {
				uri, ok := f.s.text()
				if !ok {
					return fault("a uri that is not a string")
				}
				if !f.observe && !f.caller.judged(f.view, f.facts.Subject, policy.Resource, uri, nil).Allowed {
					f.fr.foreign = true
				}
				return nil
			})
		}
		if _, variant := listenNames.Match(name); variant {
			return fault("another spelling of what is watched")
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
}

// each calls element for every element of an array, to read it.
func (f *filter) each(element func() error) error {
	s := &f.s
	if s.space() != '[' || !s.enter('[') {
		return fault("not an array")
	}
	for first := true; ; first = false {
		more, ok := s.next(']', first)
		if !ok {
			return errJSON
		}
		if !more {
			return nil
		}
		s.space()
		if err := element(); err != nil {
			return err
		}
	}
}
