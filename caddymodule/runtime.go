package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// runtimes holds what outlives a reload of the config, by issuer and storage.
var runtimes = caddy.NewUsagePool()

// running is the app of the config that Caddy runs now; nil if it has none. The admin API asks it: its routes are set up
// before the apps of a config are.
var running atomic.Pointer[App]

// configs counts the configs provisioned by this process.
var configs atomic.Uint64

// runtime is what the configs of one gateway share while one replaces the other.
type runtime struct {
	// newest is the policy of the newest config that was started; nil before the first.
	newest atomic.Pointer[generation]

	mu      sync.Mutex
	started []generation // those started and not yet stopped

	sealing sync.Mutex
	keeper  seal.Keeper
	loaded  atomic.Pointer[seal.Sealer]
}

// generation is one config's policy.
type generation struct {
	seq    uint64
	policy *policy.Policy
}

// Destruct implements caddy.Destructor. Requests of a config that is no longer used may still be finishing with what is
// in here, so it is left to the garbage collector.
func (*runtime) Destruct() error { return nil }

// runtimeKey tells gateways apart: those with another issuer or another storage share nothing.
func (app *App) runtimeKey(ctx caddy.Context) string {
	// A storage's settings may hold secrets: only a digest of them is kept.
	digest := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%T %v", app.issuer, app.storeConfig, ctx.Storage(), ctx.Storage()))
	return hex.EncodeToString(digest[:])
}

// join takes part in the runtime of this gateway.
func (app *App) join(ctx caddy.Context, keeper store.Store) error {
	app.key = app.runtimeKey(ctx)
	shared, _, err := runtimes.LoadOrNew(app.key, func() (caddy.Destructor, error) {
		return &runtime{keeper: keeper}, nil
	})
	if err != nil {
		return err
	}
	app.shared = shared.(*runtime)
	app.seq = configs.Add(1)
	return nil
}

// part gives up the place that join took.
func (app *App) part() error {
	_, err := runtimes.Delete(app.key)
	return err
}

// enter makes a config's policy known to those that came before it.
func (rt *runtime) enter(seq uint64, p *policy.Policy) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.started = append(rt.started, generation{seq, p})
	rt.settle()
}

// leave takes a config's policy out of use, as when it was stopped, or when another app of it failed to start. Leaving
// twice, or without having entered, does nothing.
func (rt *runtime) leave(seq uint64) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for i, g := range rt.started {
		if g.seq == seq {
			rt.started = append(rt.started[:i], rt.started[i+1:]...)
			break
		}
	}
	rt.settle()
}

// settle chooses the newest of the started configs. While none is, as between the stop of the last one and the end of its
// last request, the choice stays.
func (rt *runtime) settle() {
	var newest *generation
	for _, g := range rt.started {
		if newest == nil || g.seq > newest.seq {
			newest = &g
		}
	}
	if newest != nil {
		rt.newest.Store(newest)
	}
}

// currentPolicy returns the newest policy: that of a later config, once it runs, also for streams that this one opened.
func (app *App) currentPolicy() *policy.Policy {
	// A request may come before Start, since Caddy starts apps in no order.
	if newest := app.shared.newest.Load(); newest != nil && newest.seq > app.seq {
		return newest.policy
	}
	return app.policy
}

// loadTimeout bounds the reading of the root secret. It happens once.
const loadTimeout = 30 * time.Second

// sealer returns what seals handles and state. The root secret is read, or made, when it is first needed; a failure is
// not remembered.
func (rt *runtime) sealer(ctx context.Context) (*seal.Sealer, error) {
	if sealer := rt.loaded.Load(); sealer != nil {
		return sealer, nil
	}
	rt.sealing.Lock()
	defer rt.sealing.Unlock()
	if sealer := rt.loaded.Load(); sealer != nil {
		return sealer, nil
	}
	// Whoever comes first loads it for all, so a client that goes away must not stop it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	defer cancel()
	sealer, err := seal.Load(ctx, rt.keeper)
	if err != nil {
		return nil, err
	}
	rt.loaded.Store(sealer)
	return sealer, nil
}

// Interface guard.
var _ caddy.Destructor = (*runtime)(nil)
