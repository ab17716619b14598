package caddystore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// extension marks the keys that are records; anything else in their folders is a leftover of the storage.
const extension = ".record"

// version of the form below.
const version = 1

// errNewer says that a later version of the gateway wrote the record. It is not corrupt, and must not be
// swept.
var errNewer = errors.New("store: record is of a newer version of the gateway")

// record is what is kept of one id. On the storage it is a line of JSON that describes it, which an operator
// can read, and then the value as it is.
type record struct {
	kind, id string
	expires  time.Time // zero: never
	value    []byte
}

// header is the first line. The id is in base64, since it may be no valid text. Size and sum tell a record
// that was cut short by a crash, or that a disk has changed, from a whole one.
type header struct {
	Version int       `json:"v"`
	Kind    string    `json:"kind"`
	ID      []byte    `json:"id"`
	Expires time.Time `json:"expires,omitzero"`
	Size    int       `json:"size"`
	Sum     uint32    `json:"crc32c"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// expired says whether the record has ended at the time now.
func (r record) expired(now time.Time) bool { return !r.expires.IsZero() && !now.Before(r.expires) }

// encode returns the form in which the record is kept. Its error is an expiry beyond the year 9999.
func (r record) encode() ([]byte, error) {
	h := header{Version: version, Kind: r.kind, ID: []byte(r.id), Size: len(r.value)}
	if !r.expires.IsZero() {
		h.Expires = r.expires.UTC()
	}
	h.Sum = h.sum(r.value)
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	data := make([]byte, 0, len(line)+1+len(r.value))
	data = append(data, line...)
	data = append(data, '\n')
	return append(data, r.value...), nil
}

// sum is over everything that the record says, so that no change of it goes unnoticed.
func (h header) sum(value []byte) uint32 {
	about := fmt.Appendf(nil, "%s\n%d\n%s\n%d\n", h.Kind, len(h.ID), h.ID, h.Expires.UnixNano())
	return crc32.Update(crc32.Checksum(about, castagnoli), castagnoli, value)
}

// decode reads what encode wrote. Its errors are ErrCorrupt and errNewer. The value is a part of data.
func decode(data []byte) (record, error) {
	line, value, found := bytes.Cut(data, []byte{'\n'})
	if !found {
		return record{}, corrupt("cut short")
	}
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return record{}, corrupt("first line is not a description")
	}
	switch {
	case h.Version > version:
		return record{}, errNewer
	case h.Version != version:
		return record{}, corrupt("no version")
	case h.Size != len(value):
		return record{}, corrupt("wrong length")
	case h.Sum != h.sum(value):
		return record{}, corrupt("wrong checksum")
	}
	return record{kind: h.Kind, id: string(h.ID), expires: h.Expires, value: value}, nil
}

// corrupt is an ErrCorrupt that says what is wrong.
func corrupt(what string) error { return fmt.Errorf("%w: %s", store.ErrCorrupt, what) }
