package quota

import (
	"encoding/json"
	"errors"
	"math"
)

// errRecord says that a record is not one of ours.
var errRecord = errors.New("a record of a limit can't be read")

// record says how many calls of each slice are given out, in order of time. A record has no slice twice.
type record struct {
	Slices []given `json:"s"`
}

// given is how many calls of a slice are given out.
type given struct {
	Slice int64 `json:"t"`
	Calls int   `json:"n"`
}

// maxCalls bounds what a record says of a slice, so that sums don't overflow.
const maxCalls = math.MaxInt32

// decode reads a record; nil is one of nothing.
func decode(value []byte) (*record, error) {
	r := new(record)
	if value == nil {
		return r, nil
	}
	if err := json.Unmarshal(value, r); err != nil || len(r.Slices) > 2*slices {
		return nil, errRecord
	}
	for i, g := range r.Slices {
		if g.Calls < 0 || g.Calls > maxCalls || g.Slice < 0 || i > 0 && g.Slice <= r.Slices[i-1].Slice {
			return nil, errRecord
		}
	}
	return r, nil
}

// encode writes a record.
func (r *record) encode() []byte {
	b, _ := json.Marshal(r) // numbers alone
	return b
}

// newest is the last slice of which calls are given out, -1 if of none.
func (r *record) newest() int64 {
	if len(r.Slices) == 0 {
		return -1
	}
	return r.Slices[len(r.Slices)-1].Slice
}

// forget leaves out what is too long ago to count for calls of a slice, or of the newest. It also leaves out what is further
// ahead than a period: the clock that wrote it was wrong, and would keep everybody out until it is that late.
func (r *record) forget(slice int64) {
	for r.newest() > slice+slices {
		r.Slices = r.Slices[:len(r.Slices)-1]
	}
	slice = max(slice, r.newest())
	for len(r.Slices) > 0 && r.Slices[0].Slice < slice-slices {
		r.Slices = r.Slices[1:]
	}
}

// add adds calls to a slice that is there, or after all others. Less than none can't be.
func (r *record) add(slice int64, n int) {
	for i := range r.Slices {
		if g := &r.Slices[i]; g.Slice == slice {
			g.Calls = max(g.Calls+n, 0)
			return
		}
	}
	if n > 0 && slice > r.newest() {
		r.Slices = append(r.Slices, given{slice, n})
	}
}

// sum is how many calls are given out.
func (r *record) sum() int {
	sum := 0
	for _, g := range r.Slices {
		sum += g.Calls
	}
	return sum
}

// freeAt is the first slice in which there is a call again, of count.
func (r *record) freeAt(count int) int64 {
	sum := r.sum()
	for _, g := range r.Slices {
		if sum -= g.Calls; sum < count {
			return g.Slice + slices + 1
		}
	}
	return r.newest() + slices + 1
}
