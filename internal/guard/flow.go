package guard

import (
	"errors"
	"iter"
)

// Bounds of what is held of a message.
const (
	// holdAnswer is how much of an answer is held before any of it goes on: up to that
	// a fault anywhere in it is still answered with an error of ours.
	holdAnswer = 256 << 10
	// maxEntry bounds an entry of a list, with the white space before it. Of a message
	// that goes on as it comes, nothing larger is held.
	maxEntry = 1 << 20
	// takeLeast is how much goes on at once, but for the end: a chunk costs more than
	// its bytes.
	takeLeast = 64 << 10
)

// errStopped ends the reading of a message of which no more is wanted.
var errStopped = errors.New("guard: stopped")

// errUnheld is the fault of what would have to be held of a message to judge it.
const errUnheld = fault("a name, a value or a space is too large")

// errIndivisible is the fault of a message that would have to be held whole.
const errIndivisible = fault("it is too large to be read whole")

// flow is how a message arrives that is not held whole: piece by piece, while what was
// read of it goes on. The filter then runs as a coroutine, which rests whenever it
// wants another piece. The zero value is that of a message that is there whole.
//
// Only what stands in a result goes on before its end, and only from hold bytes on.
// What is held is at most one entry of a list, or one name or value that is judged.
type flow struct {
	f     *filter
	hold  int // of the message, before any of it goes on
	entry int // bytes of the largest entry
	most  int // bytes of a message that can't be divided

	// admit is asked once, before any of the message goes on, with what is known of
	// it: at least that it is a result.
	admit func(*frame) error

	keep      int  // from where on all must stay, as does what is read as a token
	divisible bool // a result is being read
	inEntry   bool
	began     bool // some of the message went on, or is about to
	taken     bool // what can go on did
	shut      bool // nothing more goes on before all of the message was seen

	pieces    func() (struct{}, bool)
	end       func()
	rest      func(struct{}) bool
	piece     []byte
	last      bool // there is no piece after this one
	done      bool // nothing more is read
	err, fail error
	window    *buffer
}

// flows begins a message that arrives piece by piece.
func (f *filter) flows(hold, entry, most int, admit func(*frame) error) {
	w := &f.flow
	*w = flow{f: f, hold: hold, entry: entry, most: most, admit: admit, keep: none, window: newBuffer(min(hold, holdAnswer))}
	f.begin(scanner{src: w, token: none})
	w.pieces, w.end = iter.Pull(func(yield func(struct{}) bool) {
		w.rest = yield
		w.err = f.whole()
		if w.fail != nil {
			w.err = w.fail
		}
		w.done = true
	})
}

// mostEntry is the size of the largest entry that may be shown.
func (w *flow) mostEntry() int {
	if w.f == nil {
		return maxEntry
	}
	return w.entry
}

// write reads another piece of the message. p is not kept.
func (w *flow) write(p []byte) error {
	if w.done {
		return w.err
	}
	if len(p) > 0 {
		w.piece = p
		w.pieces()
	}
	if w.done && w.err == nil {
		return errStopped
	}
	return w.err
}

// take returns what can go on, which is valid until the next piece is written, if it
// is worth sending.
func (w *flow) take() []byte {
	if !w.began || w.shut || w.taken || len(w.f.out) < min(w.hold, takeLeast) {
		return nil
	}
	w.taken = true
	return w.f.out
}

// finish reads the end of the message. It returns what is left of it to go on: all of
// it, if nothing went on before.
func (w *flow) finish() ([]byte, frame, error) {
	f := w.f
	if !w.done {
		w.last = true
		w.pieces()
	}
	if w.err != nil {
		return nil, f.fr, w.err
	}
	if !w.began && !f.edited {
		return f.s.b, f.fr, nil
	}
	f.copy(f.s.pos())
	return f.out, f.fr, nil
}

// stop ends the reading, wherever it is, and gives memory back.
func (w *flow) stop() {
	if w.f == nil {
		return
	}
	w.end()
	w.window.release()
	*w = flow{}
}

// more has what can go on go on, and waits for another piece.
func (w *flow) more(s *scanner) bool {
	f := w.f
	if w.fail != nil {
		return false
	}
	keep := 0
	if !w.began && w.divisible && !w.shut && s.pos() >= w.hold {
		if w.fail = w.admit(&f.fr); w.fail != nil {
			return false
		}
		w.began = true
	}
	if !w.began {
		if s.pos() > w.most {
			w.fail = errIndivisible
			return false
		}
	} else {
		keep = w.bound(s)
		if w.fail != nil {
			return false
		}
		if f.copy(keep); w.shut && len(f.out) > w.most {
			w.fail = errIndivisible
			return false
		}
	}
	b := w.window.b
	if keep > s.base {
		b = b[:copy(b[:cap(b)], s.slice(keep, s.base+len(s.b)))]
		s.i -= keep - s.base
		s.base = keep
	}
	for len(w.piece) == 0 && !w.last {
		if !w.rest(struct{}{}) {
			w.fail = errStopped
			return false
		}
		if w.taken {
			f.out, w.taken = f.out[:0], false
		}
	}
	more := len(w.piece) > 0
	b = append(b, w.piece...)
	w.window.b, s.b, w.piece = b, b, nil
	return more
}

// bound returns from where on the message has to stay. An entry that is too large to
// be shown need not be held any more.
func (w *flow) bound(s *scanner) int {
	f, pos := w.f, s.pos()
	keep := min(s.token, pos)
	if pos-keep > w.entry {
		w.fail = errUnheld
	}
	if w.keep == none {
		return keep
	}
	if pos-w.keep <= w.entry {
		return min(keep, w.keep)
	}
	if !w.inEntry {
		w.fail = errUnheld
		return keep
	}
	f.copy(w.keep)
	f.copied, f.edited = keep, true
	w.keep = keep
	return keep
}
