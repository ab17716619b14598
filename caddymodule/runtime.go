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

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/quota"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// runtimes holds what outlives a reload of the config, by issuer and storage.
var runtimes = caddy.NewUsagePool()

// running are the apps that are started, of whatever gateway. The admin API asks the newest of them: its routes are set
// up before the apps of a config are.
var running roster

// configs counts the configs provisioned by this process.
var configs atomic.Uint64

// runtime is what the configs of one gateway share while one replaces the other.
type runtime struct {
	started roster

	sealing sync.Mutex
	keeper  seal.Keeper
	loaded  atomic.Pointer[seal.Sealer]

	quota     *quota.Quota
	approvals *approval.Desk
	tasks     guard.Tasks
	catalog   catalog.Catalog
	pins      *catalog.Pins
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
		rt := &runtime{keeper: keeper, quota: quota.New(keeper, app.now)}
		rt.approvals = app.newApprovals(rt, keeper)
		rt.pins = rt.newPins(keeper, app.now)
		return rt, nil
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

// currentPolicy returns the newest policy: that of a later config, once it runs, and what its file says now,
// also for streams that this one opened.
func (app *App) currentPolicy() *policy.Policy {
	// A request may come before Start, since Caddy starts apps in no order, and after Stop.
	if newest := app.shared.started.newest(); newest != nil && newest.seq > app.seq {
		return newest.policy.current()
	}
	return app.policy.current()
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
