package guard

import (
	"slices"
	"sync"
)

// Bounds of Tasks.
const (
	mostTasks   = 128  // of one holder
	mostHolders = 1024 // that have tasks
)

// Tasks remembers which of a server's tasks were handed to whom, and by which handle. A handle says everything about its
// task, but a server's list of tasks has only the server's ids, and behind one credential it may be the list of all our
// callers' tasks; nothing that a server sends back with a task is ours. So an id is shown, in lists and notifications, to
// whom it is known to belong, and to nobody otherwise.
//
// What is forgotten, because there is too much or the process starts anew, is known again as soon as its holder asks
// for it by its handle. The zero Tasks is ready. It is safe for concurrent use, and may serve several Guards.
type Tasks struct {
	mu      sync.Mutex
	holders map[string][]heldTask // oldest first
	order   []string              // of the holders, as they came
}

// keep remembers a task of a holder.
func (b *Tasks) keep(holder string, t heldTask) {
	b.mu.Lock()
	defer b.mu.Unlock()
	held, known := b.holders[holder]
	if i := slices.IndexFunc(held, func(h heldTask) bool { return h.is(t.plain, t.upstream) }); i >= 0 {
		held[i] = t
		return
	}
	if !known {
		if b.holders == nil {
			b.holders = make(map[string][]heldTask)
		}
		if len(b.order) == mostHolders {
			delete(b.holders, b.order[0])
			b.order = slices.Delete(b.order, 0, 1)
		}
		b.order = append(b.order, holder)
	}
	if len(held) == mostTasks {
		held = slices.Delete(held, 0, 1)
	}
	b.holders[holder] = append(held, t)
}

// find returns the task of a holder that a server means by plain.
func (b *Tasks) find(holder, plain, upstream string) (heldTask, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	held := b.holders[holder]
	if i := slices.IndexFunc(held, func(h heldTask) bool { return h.is(plain, upstream) }); i >= 0 {
		return held[i], true
	}
	return heldTask{}, false
}
