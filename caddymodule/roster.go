package caddymodule

import (
	"sync"
	"sync/atomic"
)

// roster knows the apps that are started. While one config replaces another there are two, and if the new one fails to
// start, the old one is the one that counts again.
type roster struct {
	mu     sync.Mutex
	apps   []*App
	latest atomic.Pointer[App]
}

// newest returns the app of the newest config that is started, or nil.
func (r *roster) newest() *App { return r.latest.Load() }

// enter adds an app.
func (r *roster) enter(app *App) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apps = append(r.apps, app)
	r.settle()
}

// leave takes an app off. Doing it twice, or to one that never entered, changes nothing.
func (r *roster) leave(app *App) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, other := range r.apps {
		if other == app {
			r.apps = append(r.apps[:i:i], r.apps[i+1:]...)
			break
		}
	}
	r.settle()
}

// settle chooses the newest.
func (r *roster) settle() {
	var newest *App
	for _, app := range r.apps {
		if newest == nil || app.seq > newest.seq {
			newest = app
		}
	}
	r.latest.Store(newest)
}
