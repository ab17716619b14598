package oauth

import (
	"fmt"
	"sync"
)

// flights lets several callers wait for one call, which goes on by itself when they stop waiting.
type flights[T any] struct {
	mu    sync.Mutex
	calls map[string]*flight[T]
}

// flight is one call. value and err may be read once done is closed.
type flight[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// start returns the call under way for key, or starts one.
func (fs *flights[T]) start(key string, f func() (T, error)) *flight[T] {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if call := fs.calls[key]; call != nil {
		return call
	}
	if fs.calls == nil {
		fs.calls = make(map[string]*flight[T])
	}
	call := &flight[T]{done: make(chan struct{})}
	fs.calls[key] = call
	go func() {
		defer func() {
			// net/http would have caught it, had the request made the call itself.
			if p := recover(); p != nil {
				call.err = fmt.Errorf("oauth: panic: %v", p)
			}
			fs.mu.Lock()
			delete(fs.calls, key)
			fs.mu.Unlock()
			close(call.done)
		}()
		call.value, call.err = f()
	}()
	return call
}

// wait returns when no call is under way.
func (fs *flights[T]) wait() {
	for {
		fs.mu.Lock()
		var done chan struct{}
		for _, call := range fs.calls {
			done = call.done
			break
		}
		fs.mu.Unlock()
		if done == nil {
			return
		}
		<-done
	}
}
