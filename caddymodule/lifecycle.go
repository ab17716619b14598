package caddymodule

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

const (
	// sweepInterval is how often expired records are looked for.
	sweepInterval = 10 * time.Minute

	// exitPatience is how long the process stays for what an identity provider has not answered yet.
	exitPatience = 15 * time.Second
)

func init() { caddy.OnExit(finishAtExit) }

// leaving is the authorization server of the config that Caddy ended with.
var leaving atomic.Pointer[oauth.Server]

// finishAtExit waits for identity providers to answer what they are being asked: an answer may hold the only copy of a
// session, and must be kept. Caddy calls it when the requests have ended.
func finishAtExit(context.Context) {
	server := leaving.Load()
	if server == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		server.Close()
	}()
	select {
	case <-closed:
	case <-time.After(exitPatience):
	}
}

// Start makes this config's policy the one that also streams of earlier configs obey, and begins the background work.
func (app *App) Start() error {
	if app.sites == nil {
		app.logger.Warn("no site has an mcp_gateway directive, so nobody can reach the authorization server or any MCP server")
	}
	if app.sites != nil {
		for _, listens := range app.sites.behind {
			app.logger.Info("something in front of Caddy is taken to serve a site at the issuer's address",
				zap.String("site", listens), zap.Stringer("issuer", app.issuer))
		}
	}
	app.shared.started.enter(app)
	running.enter(app)

	ctx, stop := context.WithCancel(context.Background())
	app.stop = stop
	app.stopped = make(chan struct{})
	go func() {
		defer close(app.stopped)
		var busy sync.WaitGroup
		busy.Go(func() { app.policy.watch(ctx) })
		busy.Go(func() { app.refreshPins(ctx) })
		app.background(ctx)
		busy.Wait()
	}()
	app.tellPolicy(*app.policy.state.Load())
	return nil
}

// background sweeps the store, listens to what identity providers say, hands on audit records, and ends the streams of people whose grants have ended, until ctx
// ends.
func (app *App) background(ctx context.Context) {
	// Nodes that share a store and were started together don't all sweep at once.
	sweep := time.NewTimer(time.Minute + rand.N(sweepInterval))
	defer sweep.Stop()
	recheck := time.NewTicker(recheckInterval)
	defer recheck.Stop()
	heard := make(chan struct{}, 1)
	var beside sync.WaitGroup
	beside.Go(func() {
		app.oauth.Listen(ctx, func() {
			select {
			case heard <- struct{}{}:
			default: // it is being seen to
			}
		})
	})
	beside.Go(func() { app.oauth.Follow(ctx) })
	if app.seq == 1 { // the first config of this process; one that is replaced loses nothing
		beside.Go(func() { app.oauth.Recover(ctx) })
	}
	for _, keeper := range app.auditKeepers {
		beside.Go(func() { keeper.Run(ctx) })
	}
	defer beside.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-recheck.C:
			app.streams.recheck()
		case <-heard:
			app.streams.recheck()
		case <-sweep.C:
			if err := app.oauth.Sweep(ctx); err != nil && !errors.Is(err, context.Canceled) {
				app.logger.Warn("removing expired records failed; it will be tried again", zap.Error(err))
			}
			sweep.Reset(sweepInterval + rand.N(sweepInterval/10))
		}
	}
}

// drainOnShutdown has the streams ended when a server begins to shut down. Stop would be too late: Caddy waits for open
// requests before it stops the next app. It is a server's hook, not ours alone, so that HTTP/3 is covered too.
func (app *App) drainOnShutdown(http *caddyhttp.App, server *caddyhttp.Server) {
	if slices.Contains(app.drained, server) {
		return
	}
	app.drained = append(app.drained, server)
	server.RegisterOnShutdown(func() {
		app.streams.drain(jitter(time.Duration(http.GracePeriod)))
		if caddy.Exiting() {
			app.shared.approvals.Release() // Caddy waits for what is kept open
		}
	})
}

// jitter is over how long streams are ended, well within the grace period (0: there is none).
func jitter(grace time.Duration) time.Duration {
	if caddy.Exiting() {
		return 0 // nobody is left to come back to
	}
	if grace > 0 {
		return min(maxJitter, grace/4)
	}
	return maxJitter
}

// Stop ends the background work. Requests that are under way finish after it, since Caddy stops apps in no order, and
// lets a replaced config's requests finish: nothing they need is taken away here.
func (app *App) Stop() error {
	app.leave()
	if caddy.Exiting() {
		leaving.Store(app.oauth)
	}
	if app.stop != nil {
		app.stop()
		<-app.stopped
		app.stop = nil
		app.settlePins()
	}
	return nil
}

// leave makes the app one that isn't started.
func (app *App) leave() {
	running.leave(app)
	app.shared.started.leave(app)
}

// Cleanup gives back what Provision took. It also runs after a Provision that failed half way.
func (app *App) Cleanup() error {
	err := app.partDocuments()
	if app.shared == nil {
		return err
	}
	app.leave()
	return errors.Join(err, app.part())
}
