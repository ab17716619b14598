package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(LogBuffer{}) }

const (
	// gatherTime is the longest that a log entry waits to be written.
	gatherTime = 100 * time.Millisecond

	// gatherSize is how much is gathered before it is written at once, in bytes.
	gatherSize = 64 << 10

	// gatherMost is how much is gathered while what came before is still being written, before requests have to wait.
	gatherMost = 1 << 20
)

// LogBuffer is a writer for Caddy's logs that gathers entries for at most a tenth of a second, or 64 KiB, and hands them to
// another writer together. That saves a busy gateway much of what its audit trail costs. Nothing is left out: if the other
// writer is slow, requests wait for it, and at a reload or an orderly stop everything is written. What is lost is the last
// tenth of a second when the process is killed or crashes; without this writer, a request is in the log before its
// connection takes the next one.
type LogBuffer struct {
	// The writer that entries are handed to.
	WriterRaw json.RawMessage `json:"writer,omitempty" caddy:"namespace=caddy.logging.writers inline_key=output"`

	opener caddy.WriterOpener
}

// CaddyModule returns the Caddy module information.
func (LogBuffer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.mcp_gateway_buffer", New: func() caddy.Module { return new(LogBuffer) }}
}

// Provision sets up the module.
func (b *LogBuffer) Provision(ctx caddy.Context) error {
	if b.WriterRaw == nil {
		return errors.New("mcp_gateway_buffer needs the writer that entries go to, such as: mcp_gateway_buffer file /var/log/caddy/audit.log")
	}
	module, err := ctx.LoadModule(b, "WriterRaw")
	if err != nil {
		return err
	}
	b.opener = module.(caddy.WriterOpener)
	return nil
}

// String implements caddy.WriterOpener.
func (b *LogBuffer) String() string { return "buffered " + b.opener.String() }

// WriterKey implements caddy.WriterOpener.
func (b *LogBuffer) WriterKey() string { return "mcp_gateway_buffer:" + b.opener.WriterKey() }

// OpenWriter implements caddy.WriterOpener.
func (b *LogBuffer) OpenWriter() (io.WriteCloser, error) {
	inner, err := b.opener.OpenWriter()
	if err != nil {
		return nil, err
	}
	return &gatherer{inner: inner}, nil
}

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	output mcp_gateway_buffer <writer> ...
func (b *LogBuffer) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the name of this writer
	if !d.NextArg() {
		return d.Err("mcp_gateway_buffer needs the writer that entries go to, such as: output mcp_gateway_buffer file /var/log/caddy/audit.log")
	}
	name := d.Val()
	var opener any
	switch name {
	case "stdout":
		opener = caddy.StdoutWriter{}
	case "stderr":
		opener = caddy.StderrWriter{}
	default:
		var err error
		if opener, err = caddyfile.UnmarshalModule(d, "caddy.logging.writers."+name); err != nil {
			return err
		}
	}
	b.WriterRaw = caddyconfig.JSONModuleObject(opener, "output", name, nil)
	return nil
}

// gatherer gathers what is written, and writes it together.
type gatherer struct {
	writing sync.Mutex // held while the inner writer is written to
	inner   io.WriteCloser
	spare   []byte // memory for the next entries

	mu      sync.Mutex
	entries []byte
	waiting bool // a flush is to come
	busy    bool // the inner writer is being written to
	closed  bool
	err     error // of a flush that nobody has been told of
}

// Write takes one entry. An error may be that of entries before it.
func (g *gatherer) Write(entry []byte) (int, error) {
	g.mu.Lock()
	most := gatherSize
	if g.busy {
		most = gatherMost
	}
	if len(g.entries) > 0 && len(g.entries)+len(entry) > most {
		g.mu.Unlock()
		_ = g.Sync() // its error is kept for below
		g.mu.Lock()
	}
	g.entries = append(g.entries, entry...)
	if !g.waiting && !g.closed {
		g.waiting = true
		time.AfterFunc(gatherTime, func() { _ = g.Sync() })
	}
	err, closed := g.err, g.closed
	g.err = nil
	g.mu.Unlock()
	if closed {
		err = errors.Join(err, g.Sync())
	}
	return len(entry), err
}

// Sync writes what has been gathered.
func (g *gatherer) Sync() error {
	g.writing.Lock()
	defer g.writing.Unlock()
	g.mu.Lock()
	entries := g.entries
	g.entries, g.waiting, g.busy = g.spare[:0], false, true
	g.mu.Unlock()
	g.spare = entries[:0]
	var err error
	if len(entries) > 0 {
		_, err = g.inner.Write(entries)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy = false
	if err != nil {
		g.err = err
	}
	return err
}

// Close writes what has been gathered and closes the inner writer. What comes later is written at once.
func (g *gatherer) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	return errors.Join(g.Sync(), g.inner.Close())
}

// Interface guards.
var (
	_ caddy.Provisioner     = (*LogBuffer)(nil)
	_ caddy.WriterOpener    = (*LogBuffer)(nil)
	_ caddyfile.Unmarshaler = (*LogBuffer)(nil)
)
