package issuer

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How documents of an issuer age: after keysFresh they are read anew, by the way; after KeysStale they count no more,
// so that a key the issuer has withdrawn doesn't live on here while it can't be reached. Nothing is read again, for
// whatever reason, within RetryAfter: a made-up key id costs the issuer nothing.
const (
	keysFresh  = 30 * time.Minute
	KeysStale  = 24 * time.Hour
	RetryAfter = 10 * time.Second
)

// ErrResting says that the issuer was asked just now, and is not asked again yet. Why it could not be read then is joined to it.
var ErrResting = errors.New("it was asked a moment ago")

// remote is a document that is read when it is first needed, and again from time to time. Several callers wait for one
// reading, which goes on when they stop waiting.
type remote[T any] struct {
	now          func() time.Time
	read         func(context.Context) (T, error)
	fresh, stale time.Duration

	mu    sync.Mutex
	has   bool
	value T
	at    time.Time // when value was read
	tried time.Time // when reading it last ended
	err   error     // of the last reading
	doing chan struct{}
}

// get returns the document. good says whether a document that is there already will do; if not, it is read anew, unless it
// was just now.
func (r *remote[T]) get(ctx context.Context, good func(T) bool) (T, error) {
	var none T
	r.mu.Lock()
	age := r.now().Sub(r.at)
	usable := r.has && age < r.stale && age > -r.stale
	if usable && good(r.value) {
		defer r.mu.Unlock()
		if age >= r.fresh || age < 0 {
			r.start(ctx)
		}
		return r.value, nil
	}
	doing := r.start(ctx)
	if doing == nil {
		defer r.mu.Unlock()
		if usable {
			return r.value, ErrResting
		}
		return none, errors.Join(ErrResting, r.err)
	}
	r.mu.Unlock()
	select {
	case <-doing:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, r.err
}

// start begins to read, if that isn't under way; it returns nil if it is too early. The lock is held.
func (r *remote[T]) start(ctx context.Context) chan struct{} {
	if r.doing != nil {
		return r.doing
	}
	if since := r.now().Sub(r.tried); since >= 0 && since < RetryAfter {
		return nil
	}
	doing := make(chan struct{})
	r.doing = doing
	go func() {
		defer close(doing)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		value, err := r.read(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.doing, r.tried, r.err = nil, r.now(), err
		if err == nil {
			r.has, r.value, r.at = true, value, r.tried
		}
	}()
	return doing
}
