package caddymodule

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// pinInterval is how often pins are read again, which another node may have changed: what is approved there is felt here
// within 5 s.
const pinInterval = 4 * time.Second

// pinNames are the modes of pins, as a config names them.
var pinNames = []string{"observe", "first-use", "block"}

// pinMode returns the mode of that name.
func pinMode(name string) (catalog.PinMode, error) {
	switch name {
	case "", "observe":
		return catalog.PinsObserve, nil
	case "first-use":
		return catalog.PinsFirstUse, nil
	case "block":
		return catalog.PinsBlock, nil
	}
	return 0, fmt.Errorf("pins can be %s, not %s%s", orList(pinNames), name, didYouMean(name, pinNames))
}

// newPins makes the pins of a gateway. What they notice is told by the newest of its configs.
func (rt *runtime) newPins(kept store.Store, now func() time.Time) *catalog.Pins {
	return &catalog.Pins{
		Store: kept, Now: now,
		Notice: func(c catalog.Change) {
			if app := rt.started.newest(); app != nil {
				app.noticeTool(c)
			}
		},
		Failed: func(server string, err error) {
			if app := rt.started.newest(); app != nil {
				app.logger.Error("the pins of a server's tools could not be read or kept; it will be tried again", zap.String("server", server), zap.Error(err))
			}
		},
	}
}

// noticeTool tells of a tool that is new or has changed. One that changes all the time is told of ever less often.
func (app *App) noticeTool(c catalog.Change) {
	if c.Times > 8 && c.Times&(c.Times-1) != 0 {
		return
	}
	fields := []zap.Field{
		zap.String("server", c.Server), zap.String("tool", catalog.Visible(c.Tool)), zap.Stringer("digest", c.Now),
		zap.Bool("waits", c.Waits), zap.Bool("hidden_characters", c.Concealed),
	}
	switch {
	case !c.New:
		fields = append(fields, zap.Stringer("was", c.Was), zap.Int("changes", c.Times))
		app.logger.Warn("a tool is not what it was: see caddy mcp pins diff", fields...)
	case c.Concealed:
		app.logger.Warn("the definition of a tool has characters that people can't see and models read: see caddy mcp pins diff", fields...)
	case c.Waits:
		app.logger.Warn("a new tool waits for approval: see caddy mcp pins diff", fields...)
	default:
		return // most tools are what they seem, and there are many
	}
	app.auditor.Record(toolRecord(c, app.now()))
}

// toolRecord makes the audit record of a tool that is new or has changed.
func toolRecord(c catalog.Change, at time.Time) *audit.Record {
	entry := &audit.Record{Time: at, Event: "tool_changed", Decision: "observe", Server: c.Server, Kind: "tool", Name: c.Tool, Reason: "the definition changed"}
	if c.New {
		entry.Event, entry.Reason = "tool_new", "the tool was never seen before"
	}
	if c.Waits {
		entry.Decision = "deny"
		entry.Reason += "; it waits for approval"
	}
	if c.Concealed {
		entry.Reason += "; it has hidden characters"
	}
	entry.Reason += "; digest " + c.Now.String()
	return entry
}

// refreshPins reads the pins again from time to time, until ctx ends.
func (app *App) refreshPins(ctx context.Context) {
	tick := time.NewTicker(pinInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			app.shared.pins.Refresh(ctx)
		}
	}
}

// settlePins waits until the pins are kept that are on their way to the store.
func (app *App) settlePins() {
	ctx, cancel := context.WithTimeout(context.Background(), exitPatience)
	defer cancel()
	app.shared.pins.Settle(ctx)
}
