package sse

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// fed returns the events of a stream that is pushed in pieces of size bytes.
func fed(t *testing.T, stream string, size, most int) (events []Event, err error) {
	t.Helper()
	r := NewReader(nil, most)
	for len(stream) > 0 {
		n := min(size, len(stream))
		if err := r.Feed([]byte(stream[:n])); err != nil {
			return events, err
		}
		stream = stream[n:]
		for r.Ready() {
			e, err := r.Next()
			if err != nil {
				return events, err
			}
			e.Data, e.Raw, e.Retry = bytes.Clone(e.Data), bytes.Clone(e.Raw), bytes.Clone(e.Retry)
			events = append(events, e)
		}
	}
	return events, nil
}

func TestPushedStreamsReadLikeOthersHoweverCut(t *testing.T) {
	stream := "\ufeffdata: a\n\n: c\r\n\r\nid: 1\rdata: b\rdata: c\r\revent: x\ndata: " + strings.Repeat("d", 9000) + "\n\ndata: unfinished\n"
	for size := 1; size <= len(stream); size += 1 + size/3 {
		events, err := fed(t, stream, size, 10_000)
		if err != nil || len(events) != 4 {
			t.Fatalf("pieces of %d: %d events, %v", size, len(events), err)
		}
		if string(events[0].Data) != "a" || !events[1].Comment || string(events[2].Data) != "b\nc" || events[2].ID != "1" || len(events[3].Data) != 9000 {
			t.Fatalf("pieces of %d: %+v", size, events)
		}
	}
}

func TestPushedEventsAreBounded(t *testing.T) {
	for _, size := range []int{1, 7, 4096} {
		if events, err := fed(t, "data: a\n\ndata: "+strings.Repeat("b", 200)+"\n\n", size, 100); !errors.Is(err, ErrTooLarge) || len(events) > 1 {
			t.Errorf("pieces of %d: %d events, %v", size, len(events), err)
		}
	}
}
