package sse

import "testing"

func TestAppend(t *testing.T) {
	for name, test := range map[string]struct {
		event Event
		want  string
	}{
		"nothing":                      {Event{}, "\n"},
		"data":                         {Event{Data: []byte(`{"a":1}`)}, "data: {\"a\":1}\n\n"},
		"empty data":                   {Event{HasData: true}, "data: \n\n"},
		"all of it":                    {Event{Name: "message", ID: "7", HasID: true, Retry: []byte("10"), Data: []byte("a\nb"), Comment: true}, ":\nevent: message\nid: 7\nretry: 10\ndata: a\ndata: b\n\n"},
		"an id that resets":            {Event{HasID: true}, "id: \n\n"},
		"every line end in data":       {Event{Data: []byte("a\r\nb\rc\nd\n")}, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"},
		"a space at the beginning":     {Event{Data: []byte(" a")}, "data:  a\n\n"},
		"a name that injects a field":  {Event{Name: "x\ndata: y"}, "\n"},
		"an id that injects an event":  {Event{ID: "x\r\rdata: y", HasID: true}, "\n"},
		"an id with NUL":               {Event{ID: "x\x00", HasID: true}, "\n"},
		"a retry that injects a field": {Event{Retry: []byte("1\ndata: y")}, "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(Append(nil, test.event)); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}
