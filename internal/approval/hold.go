package approval

import "sync"

// Bounds of requests that are kept open on a node: beyond them, the agent is told at once to come back.
const (
	maxHeldOfGrant = 8
	maxHeld        = 512
)

// holds are the requests that are kept open.
type holds struct {
	mu       sync.Mutex
	all      int
	grants   map[string]int
	leaving  bool
	released chan struct{} // closed when none is kept open any more
}

// Hold reports whether a request of a grant may be kept open until its person has answered. If so, released is closed when it
// may no longer, and done has to be called when it is over.
func (d *Desk) Hold(grant string) (released <-chan struct{}, done func(), ok bool) {
	h := &d.holds
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leaving || h.all >= maxHeld || h.grants[grant] >= maxHeldOfGrant {
		return nil, nil, false
	}
	h.all++
	h.grants[grant]++
	return h.released, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all--
		if h.grants[grant]--; h.grants[grant] == 0 {
			delete(h.grants, grant)
		}
	}, true
}

// Release lets go of all requests that are kept open, and keeps no more open: the process ends. What they wait for goes on
// waiting, and is good when the agent comes back.
func (d *Desk) Release() {
	h := &d.holds
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.leaving {
		h.leaving = true
		close(h.released)
	}
}
