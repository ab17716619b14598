package catalog

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Book is the pins of one server and credential. Judging by it takes no lock and reads no store. It is safe for concurrent
// use.
type Book struct {
	pins   *Pins
	key    Key
	strict atomic.Bool // it keeps tools back

	state atomic.Pointer[Pinned] // nil before it was read

	mu      sync.Mutex // held to change all that follows, and state
	kept    []byte     // the record as it was last read or written
	news    []news     // that is not kept yet
	texts   int        // bytes of the definitions in it
	keeping bool       // somebody is at it

	reading sync.Mutex // held to read it the first time
	failed  time.Time
	failure error
}

// news is a sighting on its way to the store.
type news struct {
	mode PinMode
	Sighting
}

// Now returns the pins as they are now. They are read from the store the first time that they are asked for; a failure is
// remembered for some seconds.
func (b *Book) Now(ctx context.Context, mode PinMode) (*Pinned, error) {
	if mode.Strict() && !b.strict.Load() {
		b.strict.Store(true)
	}
	if now := b.state.Load(); now != nil {
		return now, nil
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	if now := b.state.Load(); now != nil {
		return now, nil
	}
	if b.failure != nil && b.pins.Now().Sub(b.failed) < pinRetry {
		return nil, b.failure
	}
	// Whoever comes first reads it for all, so a client that goes away must not stop it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pinTime)
	defer cancel()
	if b.failure = b.read(ctx); b.failure != nil {
		b.failed = b.pins.Now()
		return nil, b.failure
	}
	return b.state.Load(), nil
}

// read reads the record.
func (b *Book) read(ctx context.Context) error {
	packed, err := b.pins.Store.Get(ctx, kindPin, b.key.id())
	if errors.Is(err, store.ErrNotFound) {
		packed, err = nil, nil
	}
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Load() != nil && bytes.Equal(packed, b.kept) {
		return nil
	}
	record, err := decodePins(b.key.Server, packed)
	if err != nil {
		return err
	}
	b.become(record, packed)
	return nil
}

// become makes a record the one that decisions are made by, and enters what is not kept yet. The caller holds mu.
func (b *Book) become(record *pinRecord, packed []byte) {
	next := record.pinned()
	for _, n := range b.news {
		next.enter(n)
	}
	b.kept = bytes.Clone(packed)
	b.state.Store(next)
}

// enter does to what decisions are made by what see does to a record.
func (p *Pinned) enter(n news) {
	t := p.tools[n.Name]
	switch digest := n.Tool.Digest; {
	case t == (pinnedTool{}) && p.full(), t.pinned == digest:
		return
	case t.pinned == (Digest{}) && n.mode != PinsBlock:
		t = pinnedTool{pinned: digest}
	default:
		t.pending = digest
	}
	p.put(n.Name, t)
}

// See takes note of tools that Judge says the pins have to know of. They count at once; they are kept in the background.
func (b *Book) See(mode PinMode, sightings []Sighting) {
	if len(sightings) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.state.Load()
	if now == nil {
		return // it could not be read, so that nothing may be pinned
	}
	next := &Pinned{tools: maps.Clone(now.tools), names: now.names, sight: now.sight}
	for _, s := range sightings {
		if _, note := next.Judge(mode, s.Name, s.Tool); note && len(b.news) < mostPinned {
			if b.texts+len(s.Definition) > mostNews {
				s.Definition = nil
			}
			b.texts += len(s.Definition)
			b.news = append(b.news, news{mode, s})
			next.enter(b.news[len(b.news)-1])
		}
	}
	b.state.Store(next)
	b.resume()
}

// resume has somebody keep what is not kept yet, if nobody is at it. The caller holds mu.
func (b *Book) resume() {
	if len(b.news) > 0 && !b.keeping {
		b.keeping = true
		b.pins.begin()
		go b.keep()
	}
}

// keep has the store keep what is not kept yet, until there is nothing, or the store fails. It rests in between, so that a server
// whose tools change all the time does not keep the gateway busy.
func (b *Book) keep() {
	for {
		b.mu.Lock()
		todo := b.news
		b.mu.Unlock()
		changes, err := b.write(todo)
		b.pins.end()
		for _, c := range changes {
			b.pins.Notice(c)
		}
		if err != nil {
			b.pins.Failed(b.key.Server, err)
		}
		time.Sleep(keepEvery)
		b.mu.Lock()
		if len(b.news) == 0 || err != nil {
			b.keeping = false
			b.mu.Unlock()
			return
		}
		b.pins.begin()
		b.mu.Unlock()
	}
}

// write enters news into the record that the store has: another node may have been quicker, and then its pins hold.
func (b *Book) write(todo []news) (changes []Change, err error) {
	at := b.pins.Now().Unix()
	err = b.update(func(r *pinRecord) (bool, error) {
		changes = nil // it may be called again
		for _, n := range todo {
			if c, changed := r.see(n.mode, n.Sighting, at); changed {
				changes = append(changes, c)
			}
		}
		return len(changes) > 0, nil
	}, func() {
		b.news = b.news[len(todo):]
		for _, n := range todo {
			b.texts -= len(n.Definition)
		}
	})
	return changes, err
}

// update changes the record in the store, and then what decisions are made by. done is called with mu held once it is kept.
func (b *Book) update(change func(*pinRecord) (changed bool, err error), done func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), pinTime)
	defer cancel()
	var record *pinRecord
	var packed []byte
	err := b.pins.Store.Update(ctx, kindPin, b.key.id(), func(old []byte) (next []byte, expires time.Time, err error) {
		if record, err = decodePins(b.key.Server, old); err != nil {
			return nil, time.Time{}, err
		}
		changed, err := change(record)
		if packed = bytes.Clone(old); changed && err == nil {
			packed, err = record.encode()
		}
		return packed, time.Time{}, err
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	done()
	b.become(record, packed)
	return nil
}
