package caddymodule

import (
	"encoding/json"
	"sync"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// written is where things stand in a Caddyfile. A JSON config has no lines, and what is wrong with a config as a whole is
// only seen once it is provisioned; where the process has adapted the Caddyfile itself, as `caddy validate` and
// `caddy run` do, errors can name its lines all the same.
type written struct {
	policy *policy.Document           // with positions; nil if the policy is in a file
	mounts map[spot][]caddyfile.Token // the directives
}

// lastWritten is the Caddyfile that was adapted last.
var lastWritten struct {
	sync.Mutex
	app string // the JSON of the app, by which its config is known again
	written
}

// noteApp begins to note where things stand, given the JSON of the app.
func noteApp(app []byte, document *policy.Document) {
	lastWritten.Lock()
	defer lastWritten.Unlock()
	lastWritten.app = string(app)
	lastWritten.written = written{policy: document, mounts: make(map[spot][]caddyfile.Token)}
}

// noteMount notes where a directive stands.
func noteMount(app []byte, at spot, token caddyfile.Token) {
	lastWritten.Lock()
	defer lastWritten.Unlock()
	if lastWritten.app == string(app) {
		lastWritten.mounts[at] = append(lastWritten.mounts[at], token)
	}
}

// recall returns where the things of a config stand, as far as that is known. It must see the app as it was loaded,
// before anything is filled in.
func recall(app *App) written {
	config, err := json.Marshal(app)
	if err != nil {
		return written{}
	}
	lastWritten.Lock()
	defer lastWritten.Unlock()
	if lastWritten.app != string(config) {
		return written{}
	}
	return lastWritten.written
}

// at adds to an error where the directive stands, if that is known and there is one only.
func (w *written) at(place spot, err error) error {
	lastWritten.Lock()
	defer lastWritten.Unlock()
	if tokens := w.mounts[place]; len(tokens) == 1 {
		return errAt(tokens[0], err)
	}
	return err
}

// check checks a policy, such that errors name the lines of an inline one.
func (w *written) check(p *policy.Policy, check func(*policy.Policy) error) error {
	err := check(p)
	if err == nil || w.policy == nil {
		return err
	}
	if placed, compileErr := policy.Compile(w.policy); compileErr == nil {
		return check(placed)
	}
	return err
}
