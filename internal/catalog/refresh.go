package catalog

import (
	"context"
	"time"
)

// Bounds of looking for what a server offers.
const (
	lookTime  = 20 * time.Second // that one look may take
	lookEvery = 5 * time.Second  // between two looks, and for how long a failure is remembered
	lookAgain = time.Minute      // how old what was found may be before it is looked for again
)

// look is one look for what a server offers, which all who want to know wait for together.
type look struct {
	done chan struct{} // closed when it is over
	err  error
}

// Refresh has find look for all that the server offers and takes what it returns, unless that was done a moment ago. However
// many want it, there is one look at a time; it goes on without them if they leave. The error is that of find, also of one
// that failed a moment ago, or of ctx.
func (s *Shelf) Refresh(ctx context.Context, find func(context.Context) ([]Offer, error)) error {
	s.looking.Lock()
	now := s.look
	if now == nil {
		if !s.looked.IsZero() && time.Since(s.looked) < lookEvery {
			defer s.looking.Unlock()
			return s.failure
		}
		now = &look{done: make(chan struct{})}
		s.look = now
		go s.refresh(now, find)
	}
	s.looking.Unlock()
	select {
	case <-now.done:
		return now.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refresh is the look.
func (s *Shelf) refresh(now *look, find func(context.Context) ([]Offer, error)) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTime)
	defer cancel()
	marks := s.marks.Load()
	offers, err := find(ctx)
	if err == nil {
		s.Learn(offers...)
		s.whole.Store(&offers)
		s.fresh.Store(marks)
	}
	s.looking.Lock()
	defer s.looking.Unlock()
	s.look, s.looked, s.failure, now.err = nil, time.Now(), err, err
	close(now.done)
}

// Outdate says that the server has changed what it offers.
func (s *Shelf) Outdate() { s.marks.Add(1) }

// Outdated reports whether the server has changed what it offers since all of it was looked for.
func (s *Shelf) Outdated() bool { return s.marks.Load() != s.fresh.Load() }

// Old reports whether it is time to look again for what the server offers: not every server says so when that changes.
func (s *Shelf) Old() bool {
	s.looking.Lock()
	defer s.looking.Unlock()
	return time.Since(s.looked) > lookAgain
}

// Whole returns all that the server offered when it was last looked for, which must not be changed; ok is false if that
// was never done.
func (s *Shelf) Whole() (offers []Offer, ok bool) {
	if whole := s.whole.Load(); whole != nil {
		return *whole, true
	}
	return nil, false
}
