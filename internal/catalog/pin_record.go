package catalog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// kindPin is the kind of records of pins, one for each server and credential.
const kindPin = "pin"

// mostUnpacked bounds a record once it is unpacked, in bytes.
const mostUnpacked = 64 << 20

// errPins says that what the store has is not what was once kept.
var errPins = errors.New("catalog: the pins that are kept can't be read")

// pinRecord is what is kept of one server.
type pinRecord struct {
	Server    string               `json:"server"`
	Approvals uint32               `json:"approvals,omitzero"` // how often somebody approved something
	Tools     map[string]*pinEntry `json:"tools"`

	names int // bytes of the names of the tools
}

// pinEntry is what is kept of one tool.
type pinEntry struct {
	Pinned  *pinDefinition `json:"pinned,omitzero"`
	Pending *pinDefinition `json:"pending,omitzero"`
	Changes int            `json:"changes,omitzero"` // since somebody approved it
}

// pinDefinition is a definition of a tool.
type pinDefinition struct {
	Digest    Digest `json:"digest"`
	Text      string `json:"text,omitzero"` // canonical; empty where there was no room
	At        int64  `json:"at"`            // when it was first seen, or approved; seconds since 1970
	Concealed bool   `json:"concealed,omitzero"`
	Approved  bool   `json:"approved,omitzero"` // by somebody
}

// id is where the pins of a server and credential are kept.
func (k Key) id() string {
	if k.Credential == "" {
		return k.Server
	}
	return k.Server + "\n" + digestOf([]byte(k.Credential)).String()
}

// decodePins reads a record; without bytes it is one of nothing.
func decodePins(server string, packed []byte) (*pinRecord, error) {
	r := &pinRecord{Server: server}
	if packed != nil {
		unpacker, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errPins, err)
		}
		text, err := io.ReadAll(io.LimitReader(unpacker, mostUnpacked+1))
		if err != nil || len(text) > mostUnpacked {
			return nil, fmt.Errorf("%w: %w", errPins, errors.Join(err))
		}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("%w: %w", errPins, err)
		}
	}
	if r.Tools == nil {
		r.Tools = make(map[string]*pinEntry)
	}
	for name, entry := range r.Tools {
		if entry == nil {
			delete(r.Tools, name)
			continue
		}
		r.names += len(name)
	}
	return r, nil
}

// encode packs the record so that a store takes it: if it is too large, the texts go that nothing waits for, and then all.
func (r *pinRecord) encode() ([]byte, error) {
	for _, drop := range []func(*pinEntry){
		nil,
		func(e *pinEntry) {
			if e.Pinned != nil && e.Pending == nil {
				e.Pinned.Text = ""
			}
		},
		func(e *pinEntry) {
			for _, d := range []*pinDefinition{e.Pinned, e.Pending} {
				if d != nil {
					d.Text = ""
				}
			}
		},
	} {
		if drop != nil {
			for _, entry := range r.Tools {
				drop(entry)
			}
		}
		var packed bytes.Buffer
		packer := gzip.NewWriter(&packed)
		// Writing to memory does not fail.
		if err := errors.Join(json.MarshalWrite(packer, r, json.Deterministic(true)), packer.Close()); err != nil {
			return nil, err
		}
		if packed.Len() <= store.MaxValue {
			return packed.Bytes(), nil
		}
	}
	return nil, store.ErrTooLarge
}

// pinned returns what decisions are made by.
func (r *pinRecord) pinned() *Pinned {
	p := &Pinned{tools: make(map[string]pinnedTool, len(r.Tools)), sight: uint64(r.Approvals) << 32}
	for name, entry := range r.Tools {
		p.put(name, entry.known())
	}
	return p
}

// known returns the digests of an entry.
func (e *pinEntry) known() (t pinnedTool) {
	if e.Pinned != nil {
		t.pinned = e.Pinned.Digest
	}
	if e.Pending != nil {
		t.pending = e.Pending.Digest
	}
	return t
}

// put sets what is known of one tool, in a Pinned that nobody reads yet.
func (p *Pinned) put(name string, t pinnedTool) {
	was, known := p.tools[name]
	if !known {
		p.names += len(name)
	}
	if was.waits() != t.waits() {
		if p.sight++; was.waits() {
			p.sight -= 2
		}
	}
	p.tools[name] = t
}

// waits reports whether a tool that could be used once waits for approval.
func (t pinnedTool) waits() bool { return t.pinned != (Digest{}) && t.pending != (Digest{}) }

// see enters a sighting into the record. It returns what is to be told of it, and whether the record is another.
func (r *pinRecord) see(mode PinMode, s Sighting, at int64) (c Change, changed bool) {
	entry := r.Tools[s.Name]
	seen := &pinDefinition{Digest: s.Tool.Digest, Text: string(s.Definition), At: at, Concealed: s.Tool.Concealed}
	c = Change{Server: r.Server, Tool: s.Name, Now: seen.Digest, Concealed: seen.Concealed, Waits: mode.Strict()}
	switch {
	case entry == nil && (len(r.Tools) >= mostPinned || r.names >= mostNames):
		return c, false
	case entry == nil:
		entry = new(pinEntry)
		r.Tools[s.Name] = entry
		r.names += len(s.Name)
		c.New = true
	case entry.known().pinned == seen.Digest, entry.known().pending == seen.Digest && (entry.Pinned != nil || mode == PinsBlock):
		return c, false
	case entry.Pinned == nil:
		c.New = true
	}
	if entry.Pinned == nil && mode != PinsBlock {
		entry.Pinned, entry.Pending, c.Waits = seen, nil, false
		return c, true
	}
	if entry.Pinned != nil {
		c.Was = entry.Pinned.Digest
		entry.Changes++
	}
	entry.Pending, c.Times = seen, entry.Changes
	return c, true
}
