package sse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll returns the events of a stream, copied, and the error it ended with.
func readAll(r io.Reader, most int) (events []Event, err error) {
	reader := NewReader(r, most)
	for {
		e, err := reader.Next()
		if err != nil && err != ErrIncomplete {
			return events, err
		}
		e.Data, e.Retry, e.Raw = bytes.Clone(e.Data), bytes.Clone(e.Retry), bytes.Clone(e.Raw)
		events = append(events, e)
		if err == ErrIncomplete {
			return events, err
		}
	}
}

// show makes events comparable, with or without Raw.
func show(events []Event, raw bool) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "name %q id %q %v data %q %v retry %q comment %v unknown %v", e.Name, e.ID, e.HasID, e.Data, e.HasData, e.Retry, e.Comment, e.Unknown)
		if raw {
			fmt.Fprintf(&b, " raw %q", e.Raw)
		}
		b.WriteString("; ")
	}
	return b.String()
}

var streams = map[string]struct {
	in   string
	want []Event
	err  error
}{
	"LF": {"data: a\n\ndata: b\n\n", []Event{
		{HasData: true, Data: []byte("a"), Raw: []byte("data: a\n\n")},
		{HasData: true, Data: []byte("b"), Raw: []byte("data: b\n\n")},
	}, io.EOF},
	"CRLF": {"event: message\r\ndata: a\r\n\r\ndata:b\r\n\r\n", []Event{
		{Name: "message", HasData: true, Data: []byte("a"), Raw: []byte("event: message\r\ndata: a\r\n\r\n")},
		{HasData: true, Data: []byte("b"), Raw: []byte("data:b\r\n\r\n")},
	}, io.EOF},
	"CR": {"data: a\rdata: b\r\rdata: c\r\r", []Event{
		{HasData: true, Data: []byte("a\nb"), Raw: []byte("data: a\rdata: b\r\r")},
		{HasData: true, Data: []byte("c"), Raw: []byte("data: c\r\r")},
	}, io.EOF},
	"mixed line ends": {"data: a\rdata: b\ndata: c\r\n\n", []Event{
		{HasData: true, Data: []byte("a\nb\nc"), Raw: []byte("data: a\rdata: b\ndata: c\r\n\n")},
	}, io.EOF},
	"byte order mark": {"\ufeffdata: a\n\n", []Event{
		{HasData: true, Data: []byte("a"), Raw: []byte("data: a\n\n")},
	}, io.EOF},
	"a second byte order mark": {"\ufeff\ufeffdata: a\n\n", []Event{
		{Unknown: true, Raw: []byte("\ufeffdata: a\n\n")},
	}, io.EOF},
	"a byte order mark later": {"\n\ufeffdata: a\n\n", []Event{
		{Raw: []byte("\n")}, {Unknown: true, Raw: []byte("\ufeffdata: a\n\n")},
	}, io.EOF},
	"only a byte order mark":        {"\ufeff", nil, io.EOF},
	"half a byte order mark":        {"\xef\xbb", []Event{{Raw: []byte("\xef\xbb")}}, ErrIncomplete},
	"what begins as one":            {"\xef\xbbx\n\n", []Event{{Unknown: true, Raw: []byte("\xef\xbbx\n\n")}}, io.EOF},
	"nothing":                       {"", nil, io.EOF},
	"comment":                       {": ping\n\n", []Event{{Comment: true, Raw: []byte(": ping\n\n")}}, io.EOF},
	"comment within an event":       {"data: a\n:\ndata: b\n\n", []Event{{Comment: true, HasData: true, Data: []byte("a\nb"), Raw: []byte("data: a\n:\ndata: b\n\n")}}, io.EOF},
	"all fields":                    {"id: 7\nevent: endpoint\nretry: 3000\ndata: /x\n\n", []Event{{Name: "endpoint", ID: "7", HasID: true, Retry: []byte("3000"), HasData: true, Data: []byte("/x"), Raw: []byte("id: 7\nevent: endpoint\nretry: 3000\ndata: /x\n\n")}}, io.EOF},
	"the last of several counts":    {"id: 1\nid: 2\nevent: a\nevent: b\n\n", []Event{{Name: "b", ID: "2", HasID: true, Raw: []byte("id: 1\nid: 2\nevent: a\nevent: b\n\n")}}, io.EOF},
	"empty values":                  {"data\nid\nevent:\n\n", []Event{{HasID: true, HasData: true, Data: []byte{}, Raw: []byte("data\nid\nevent:\n\n")}}, io.EOF},
	"three empty lines of data":     {"data\ndata:\ndata: \n\n", []Event{{HasData: true, Data: []byte("\n\n"), Raw: []byte("data\ndata:\ndata: \n\n")}}, io.EOF},
	"one space is taken off":        {"data:  a\n\n", []Event{{HasData: true, Data: []byte(" a"), Raw: []byte("data:  a\n\n")}}, io.EOF},
	"a tab isn't":                   {"data:\ta\n\n", []Event{{HasData: true, Data: []byte("\ta"), Raw: []byte("data:\ta\n\n")}}, io.EOF},
	"colons in a value":             {"data: a: b\n\n", []Event{{HasData: true, Data: []byte("a: b"), Raw: []byte("data: a: b\n\n")}}, io.EOF},
	"a field in capitals":           {"Data: hidden\n\n", []Event{{Unknown: true, Raw: []byte("Data: hidden\n\n")}}, io.EOF},
	"a field after a space":         {" data: hidden\n\n", []Event{{Unknown: true, Raw: []byte(" data: hidden\n\n")}}, io.EOF},
	"a field before a space":        {"data : hidden\n\n", []Event{{Unknown: true, Raw: []byte("data : hidden\n\n")}}, io.EOF},
	"other separators aren't":       {"data: a\u2028data: b\u0085c\v\fd\n\n", []Event{{HasData: true, Data: []byte("a\u2028data: b\u0085c\v\fd"), Raw: []byte("data: a\u2028data: b\u0085c\v\fd\n\n")}}, io.EOF},
	"an id with NUL":                {"id: 1\nid: 2\x00\n\n", []Event{{ID: "1", HasID: true, Unknown: true, Raw: []byte("id: 1\nid: 2\x00\n\n")}}, io.EOF},
	"a retry of letters":            {"retry: 1s\nretry:\n\n", []Event{{Unknown: true, Raw: []byte("retry: 1s\nretry:\n\n")}}, io.EOF},
	"blank lines":                   {"\n\r\n\r", []Event{{Raw: []byte("\n")}, {Raw: []byte("\r\n")}, {Raw: []byte("\r")}}, io.EOF},
	"cut short after a line":        {"data: a\n\ndata: b\n", []Event{{HasData: true, Data: []byte("a"), Raw: []byte("data: a\n\n")}, {Raw: []byte("data: b\n")}}, ErrIncomplete},
	"cut short in a line":           {"data: b", []Event{{Raw: []byte("data: b")}}, ErrIncomplete},
	"CRLF, cut before the last LF":  {"data: a\r\n\r", []Event{{HasData: true, Data: []byte("a"), Raw: []byte("data: a\r\n\r")}}, io.EOF},
	"CRLF, cut before the blank's":  {"data: a\r\n", []Event{{Raw: []byte("data: a\r\n")}}, ErrIncomplete},
	"data that looks like a stream": {"data: event: x\ndata: data: y\n\n", []Event{{HasData: true, Data: []byte("event: x\ndata: y"), Raw: []byte("data: event: x\ndata: data: y\n\n")}}, io.EOF},
}

func TestNext(t *testing.T) {
	for name, test := range streams {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(strings.NewReader(test.in), 1000)
			if err != test.err {
				t.Errorf("ended with %v, want %v", err, test.err)
			}
			if got, want := show(got, true), show(test.want, true); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// A reader that waited to see whether an LF follows a CR would hold an event
// back until the next.
func TestNextWaitsForNothingAfterTheBlankLine(t *testing.T) {
	for name, parts := range map[string][]string{
		"LF":   {"data: a\n\n", "data: b\n\n"},
		"CR":   {"data: a\r\r", "data: b\r\r"},
		"CRLF": {"data: a\r\n\r", "\ndata: b\r\n\r", "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			in, out := io.Pipe()
			defer in.Close()
			go func() {
				for _, part := range parts {
					if _, err := out.Write([]byte(part)); err != nil {
						return
					}
				}
				out.Close()
			}()
			// A pipe hands over nothing of the second part before Next asks for it.
			r := NewReader(in, 100)
			for i, data := range []string{"a", "b"} {
				e, err := r.Next()
				if err != nil || string(e.Data) != data {
					t.Fatalf("%q, %v", e.Data, err)
				}
				if string(e.Raw) != parts[i] {
					t.Errorf("raw is %q, want %q", e.Raw, parts[i])
				}
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestNextBoundsAnEvent(t *testing.T) {
	const event = "data: abc\n\n"
	for _, in := range []string{strings.Repeat(event, 1000), "data: " + strings.Repeat("x", 10_000) + "\n\n"} {
		for _, most := range []int{-1, 0, 1, len(event) - 1, len(event), 5000, 10_007, 10_008, 20_000} {
			events, err := readAll(iotest.OneByteReader(strings.NewReader(in)), most)
			first := strings.Index(in, "\n\n") + 2
			if first <= most {
				if err != io.EOF || len(events) != len(in)/first {
					t.Errorf("%d bytes allowed: %d events, %v", most, len(events), err)
				}
			} else if err != ErrTooLarge || len(events) != 0 {
				t.Errorf("%d bytes allowed: %d events, %v", most, len(events), err)
			}
		}
	}
}

func TestNextReadsNothingAfterAnEventTooLarge(t *testing.T) {
	r := NewReader(strings.NewReader("data: 12345678901234567890\n\ndata: a\n\n"), 20)
	for range 3 {
		if _, err := r.Next(); err != ErrTooLarge {
			t.Fatalf("%v", err)
		}
	}
}

func TestReaderGivesBackWhatALargeEventNeeded(t *testing.T) {
	large := "data: " + strings.Repeat("x", 1<<20) + "\ndata: y\n\n"
	in, out := io.Pipe()
	defer in.Close()
	go func() {
		for _, part := range []string{large, "data: a\n\n"} {
			if _, err := out.Write([]byte(part)); err != nil {
				return
			}
		}
	}()
	r := NewReader(in, 2<<20)
	for range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		r.Ready()
	}
	if kept := cap(r.space) + cap(r.joined); kept > minBuffer {
		t.Errorf("keeps %d bytes", kept)
	}
}

func TestReadyNeverReads(t *testing.T) {
	in := iotest.DataErrReader(strings.NewReader("data: a\r\n\r\ndata: b\n\ndata: c"))
	r := NewReader(in, 100)
	if r.Ready() {
		t.Error("ready before anything was read")
	}
	for _, ready := range []bool{true, false} {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if r.Ready() != ready {
				t.Errorf("ready is %v", !ready)
			}
		}
	}
	if e, err := r.Next(); err != ErrIncomplete || string(e.Raw) != "data: c" {
		t.Errorf("%q, %v", e.Raw, err)
	}
	if r.Ready() {
		t.Error("ready after the end")
	}
}

func TestNextReturnsTheReadersError(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(strings.NewReader("data: a\n\ndata: b"), iotest.ErrReader(broken)), 100)
	if e, err := r.Next(); err != nil || string(e.Data) != "a" {
		t.Fatalf("%q, %v", e.Data, err)
	}
	if _, err := r.Next(); err != broken {
		t.Errorf("%v", err)
	}
	if _, err := NewReader(readNothing{}, 100).Next(); err != io.ErrNoProgress {
		t.Errorf("%v", err)
	}
}

type readNothing struct{}

func (readNothing) Read([]byte) (int, error) { return 0, nil }
