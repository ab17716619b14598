package sse

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readParts returns the events of a stream that was read in parts, put together.
func readParts(in io.Reader, most, part int) (events []Event, parts int, err error) {
	r := NewPartsReader(in, most, part)
	var whole *Event
	for {
		e, err := r.Next()
		if err != nil && err != ErrIncomplete {
			return events, parts, err
		}
		e.Raw, e.Retry = nil, bytes.Clone(e.Retry)
		data := bytes.Clone(e.Data)
		if whole != nil {
			data = append(whole.Data, data...)
		}
		if e.Data = data; err == ErrIncomplete {
			return events, parts, err
		}
		if whole = nil; e.More {
			parts++
			whole = &e
			continue
		}
		events = append(events, e)
	}
}

func TestALargeEventComesInParts(t *testing.T) {
	data := strings.Repeat("0123456789", 1000)
	for name, in := range map[string]string{
		"one line":                  "event: message\nid: 7\ndata: " + data + "\n\n",
		"many lines":                "data:" + strings.ReplaceAll(data, "9", "\ndata: ") + "\nretry: 10\n\n",
		"CRLF":                      "data:" + strings.ReplaceAll(data, "9", "\r\ndata: ") + "\r\nid: 1\r\n\r\n",
		"CR":                        "data:" + strings.ReplaceAll(data, "9", "\rdata: ") + "\r: comment\r\r",
		"empty lines of data":       strings.Repeat("data\n", 3000) + "\n",
		"a field behind it":         "data: " + data + "\nevent: endpoint\nx: y\n\n",
		"small ones before and on":  "data: a\n\ndata: " + data + "\n\n: b\n\ndata: c\n\n",
		"a line end at the part":    "data: " + data[:100-len("data: ")] + "\n\ndata: a\n\n",
		"a line end behind a part":  "data: " + data[:100-len("data: ")-1] + "\n\ndata: a\n\n",
		"a space behind the colon":  strings.Repeat("data:x\n", 14) + "data:" + " " + data + "\n\n",
		"a byte order mark, and it": "\ufeffdata: " + data + "\n\n",
	} {
		want, wantErr := readAll(strings.NewReader(in), len(in))
		for _, part := range []int{32, 100, 105, 4096} {
			for i, r := range []io.Reader{iotest.OneByteReader(strings.NewReader(in)), strings.NewReader(in), iotest.HalfReader(strings.NewReader(in))} {
				got, parts, err := readParts(r, len(in), part)
				if got, want := show(got, false), show(want, false); err != wantErr || got != want {
					t.Fatalf("%s, parts of %d: %.300s, %v\nwant %.300s, %v", name, part, got, err, want, wantErr)
				}
				if i == 0 && part == 32 && parts == 0 {
					t.Errorf("%s: it came whole", name)
				}
			}
		}
	}
}

func TestALineThatIsNoDataIsBounded(t *testing.T) {
	for _, line := range []string{": ", "x", "id: ", "data", "Data: "} {
		in := "data: a\n" + line + strings.Repeat("x", 1000) + "\n\ndata: b\n\n"
		if events, _, err := readParts(iotest.OneByteReader(strings.NewReader(in)), 1<<20, 100); err != ErrTooLarge || len(events) > 0 {
			t.Errorf("%s: %s, %v", line, show(events, false), err)
		}
	}
}

func TestPartsAreBoundedTogether(t *testing.T) {
	in := "data: " + strings.Repeat("x", 1000) + "\n\n"
	for _, most := range []int{500, len(in) - 1, len(in)} {
		events, _, err := readParts(iotest.OneByteReader(strings.NewReader(in)), most, 100)
		if fits := most >= len(in); fits != (err == io.EOF) || fits != (len(events) == 1) {
			t.Errorf("%d bytes allowed: %d events, %v", most, len(events), err)
		}
	}
}

func TestAStreamThatEndsWithinAPartIsIncomplete(t *testing.T) {
	in := "data: " + strings.Repeat("x", 994)
	if _, parts, err := readParts(strings.NewReader(in), 1<<20, 10); err != ErrIncomplete || parts == 0 {
		t.Errorf("%d parts, %v", parts, err)
	}
}

// What a large event comes in is no larger than a part and what is pushed at once.
func TestPartsCostNoMoreThanAPart(t *testing.T) {
	r := NewPartsReader(nil, 1<<30, 32<<10)
	piece := bytes.Repeat([]byte("x"), 32<<10)
	if err := r.Feed([]byte("data: ")); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if err := r.Feed(piece); err != nil {
			t.Fatal(err)
		}
		for r.Ready() {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if held := cap(r.space) + cap(r.joined); held > pooledBuffer+minBuffer {
			t.Fatalf("%d bytes are held", held)
		}
	}
}

// FuzzParts holds that an event is the same in parts as whole, however it is cut.
func FuzzParts(f *testing.F) {
	for _, test := range streams {
		f.Add([]byte(test.in), 8, 3)
	}
	f.Add([]byte("data: "+strings.Repeat("x\rdata:", 30)+"\n\n"), 9, 1)
	f.Fuzz(func(t *testing.T, in []byte, part, size int) {
		part = max(8, min(part, 1<<10))
		want, wantErr := readAll(bytes.NewReader(in), len(in))
		if wantErr == ErrIncomplete {
			want = want[:len(want)-1]
		}
		got, _, err := readParts(iotest.OneByteReader(bytes.NewReader(in)), len(in), part)
		if err == ErrTooLarge {
			return // a long line that is not data
		}
		if got, want := show(got, false), show(want, false); err != wantErr || got != want {
			t.Fatalf("%q in parts of %d: %s, %v\nwhole: %s, %v", in, part, got, err, want, wantErr)
		}
	})
}
