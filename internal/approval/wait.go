package approval

import (
	"context"
	"time"
)

// waiters are those who wait on this node for what a person says of one call.
type waiters struct {
	count int
	told  chan struct{} // closed when something was said
}

// Wait waits until something may have been said of a call, for as long as d at most; what, Ask knows. An answer that was
// taken on this node is noticed at once. The error is ctx's.
func (d *Desk) Wait(ctx context.Context, c *Call, atMost time.Duration) error {
	id, err := c.ID()
	if err != nil {
		return err
	}
	told, leave := d.listen(id)
	defer leave()
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-told:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// listen returns what is closed when something is said of a call on this node.
func (d *Desk) listen(id string) (told <-chan struct{}, leave func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w := d.waiters[id]
	if w == nil {
		w = &waiters{told: make(chan struct{})}
		d.waiters[id] = w
	}
	w.count++
	return w.told, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if w.count--; w.count == 0 && d.waiters[id] == w {
			delete(d.waiters, id)
		}
	}
}

// told wakes those who wait for a call.
func (d *Desk) told(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.waiters[id]; w != nil {
		close(w.told)
		delete(d.waiters, id)
	}
}
