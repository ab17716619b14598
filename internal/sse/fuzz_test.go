package sse

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzNext holds that events are the same however the stream is cut into reads,
// that they are those of the standard read literally, and that nothing of the
// stream is lost on the way of the raw bytes.
func FuzzNext(f *testing.F) {
	for _, test := range streams {
		f.Add([]byte(test.in), uint64(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		whole, wholeErr := readAll(bytes.NewReader(in), len(in))
		var raw []byte
		var dispatched []Event
		for _, e := range whole {
			raw = append(raw, e.Raw...)
			if e.HasData {
				dispatched = append(dispatched, Event{Name: e.Name, Data: e.Data})
			}
		}
		if rest, ok := bytes.CutPrefix(bytes.TrimPrefix(in, bom), raw); !ok || len(rest) > 0 {
			t.Fatalf("raw is %q of %q", raw, in)
		}
		if got, want := show(dispatched, false), show(literal(in), false); got != want {
			t.Fatalf("%q\ngot  %s\nwant %s", in, got, want)
		}
		complete := whole
		if wholeErr == ErrIncomplete {
			complete = whole[:len(whole)-1]
		}
		pushed, err := fed(t, string(in), 1+int(seed%64), len(in))
		if got, want := show(pushed, false), show(complete, false); err != nil || got != want {
			t.Fatalf("pushed: %s, %v\nwhole: %s", got, err, want)
		}
		for name, r := range map[string]io.Reader{
			"byte by byte":       iotest.OneByteReader(bytes.NewReader(in)),
			"with the last byte": iotest.DataErrReader(bytes.NewReader(in)),
			"at random":          &randomReader{bytes.NewReader(in), rand.New(rand.NewPCG(seed, 0))},
		} {
			cut, err := readAll(r, len(in))
			if got, want := show(cut, false), show(whole, false); err != wholeErr || got != want {
				t.Fatalf("%s: %s, %v\nwhole: %s, %v", name, got, err, want, wholeErr)
			}
			var forwarded []byte
			for _, e := range cut {
				forwarded = append(forwarded, e.Raw...)
			}
			if !bytes.Equal(forwarded, raw) && !bytes.Equal(append(forwarded, '\n'), raw) {
				t.Fatalf("%s: raw is %q of %q", name, forwarded, raw)
			}
		}
	})
}

// FuzzAppend holds that an event that was written is read back as the same.
func FuzzAppend(f *testing.F) {
	f.Add("message", "7", true, []byte("{}\r\n{}"), []byte("10"), true)
	f.Add("x\ndata: y", "\x00", true, []byte(" \r"), []byte("1x"), false)
	f.Fuzz(func(t *testing.T, name, id string, hasID bool, data, retry []byte, comment bool) {
		e := Event{Name: name, ID: id, HasID: hasID, Data: data, HasData: true, Retry: retry, Comment: comment}
		written := Append(nil, e)
		got, err := readAll(bytes.NewReader(written), len(written))
		if err != io.EOF || len(got) != 1 {
			t.Fatalf("%q is read as %+v, %v", written, got, err)
		}
		want := Event{Name: name, ID: id, HasID: hasID, HasData: true, Comment: comment, Retry: retry, Raw: written}
		if breaksLine(name) {
			want.Name = ""
		}
		if !hasID || breaksLine(id) {
			want.ID, want.HasID = "", false
		}
		if !digits(retry) {
			want.Retry = nil
		}
		want.Data = []byte(lines.Replace(string(data)))
		if got, want := show(got, true), show([]Event{want}, true); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		if again := Append(nil, got[0]); !bytes.Equal(again, written) {
			t.Fatalf("%q, then %q", written, again)
		}
	})
}

var lines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// literal reads a stream as the standard's text says, without regard to memory.
func literal(in []byte) (dispatched []Event) {
	stream := strings.TrimPrefix(string(in), "\ufeff")
	all := strings.Split(lines.Replace(stream), "\n")
	var name, data string
	for _, line := range all[:len(all)-1] { // what follows the last line end is no line
		field, value, colon := strings.Cut(line, ":")
		if colon {
			value = strings.TrimPrefix(value, " ")
		}
		switch {
		case line == "":
			if data != "" {
				dispatched = append(dispatched, Event{Name: name, Data: []byte(strings.TrimSuffix(data, "\n"))})
			}
			name, data = "", ""
		case field == "data":
			data += value + "\n"
		case field == "event":
			name = value
		}
	}
	return dispatched
}

type randomReader struct {
	r    io.Reader
	rand *rand.Rand
}

func (r *randomReader) Read(b []byte) (int, error) {
	return r.r.Read(b[:min(len(b), 1+r.rand.IntN(8))])
}
