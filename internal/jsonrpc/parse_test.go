package jsonrpc

import (
	"errors"
	"strings"
	"testing"
)

// accepted are messages of honest clients, and what Parse needn't refuse.
var accepted = map[string]string{
	"tools/call": string(smallCall),
	"tools/call of 2026-07-28, params first, with spaces": ` { "params" : { "name":"a" ,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}, "requestState":"s", "inputResponses":{"q":{"action":"accept"}}, "task":{"ttl":1} } , "method":"tools/call","id":"x","jsonrpc":"2.0"}` + "\n",
	"escaped names and values":                            `{"jsonrpc":"2\u002e0","id":1,"m\u0065thod":"tools\/call","params":{"n\u0061me":"g\u00e9t\ud83d\ude00"}}`,
	"numbers keep their bytes":                            `{"jsonrpc":"2.0","id":9007199254740991,"method":"tools/call","params":{"name":"a","arguments":{"n":9007199254740993,"x":1.0e+400}}}`,
	"initialize":                                          `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`,
	"initialize with its version in _meta alone":          `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`,
	"params.protocolVersion counts for initialize alone":  `{"jsonrpc":"2.0","id":0,"method":"ping","params":{"protocolVersion":"2025-06-18"}}`,
	"resources/read":                                      `{"jsonrpc":"2.0","id":-1,"method":"resources/read","params":{"uri":"file:///a"}}`,
	"tools/list":                                          `{"jsonrpc":"2.0","id":"","method":"tools/list","params":{"cursor":""}}`,
	"tasks/get":                                           `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}`,
	"completion of a prompt":                              `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p","title":"P"},"argument":{"name":"n","value":"v"}}}`,
	"completion of a template":                            `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"db://{t}"},"argument":{"name":"t","value":"v"}}}`,
	"subscriptions/listen":                                `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:b","c:d"],"taskIds":["t"]}}}`,
	"notification":                                        `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
	"result":                                              `{"jsonrpc":"2.0","id":3,"result":{"action":"accept","content":{"Name":"x","name":"y"},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}}`,
	"failure":                                             `{"jsonrpc":"2.0","id":"3","error":{"code":-1,"message":"user said no"}}`,
	"a method of an extension is free in its params":      `{"jsonrpc":"2.0","id":1,"method":"ext/ping","params":{"name":5,"Name":"x","ref":"main","arguments":["-v"],"cursor":"c"}}`,
	"names that only resemble known ones":                 `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","names":"b","nam":"c","arguments":{"Name":1,"name":2,"Method":"x"},"x.y/Name":1,"_meta":{"traceparent":"00-1","Name":"n"}}}`,
	"null for arguments and _meta":                        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null,"_meta": null }}`,
	"null for a cursor":                                   `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":null}}`,
	"null for params":                                     `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}`,
	"null for params of an extension's method":            `{"jsonrpc":"2.0","id":1,"method":"ext/ping","params":null}`,
	"tasks of the client's":                               `{"jsonrpc":"2.0","id":3,"result":{"taskId":"a","task":{"taskId":"b"},"tasks":[{"status":"working","taskId":"c"},{}]}}`,
	"null for the _meta of an answer":                     `{"jsonrpc":"2.0","id":1,"result":{"_meta":null}}`,
	"a NUL in an argument's value":                        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":"\u0000"}}}`,
}

func TestParseReadsWhatAMessageAsksFor(t *testing.T) {
	for _, test := range []struct {
		name  string
		check func(t *testing.T, m *Message)
	}{
		{"tools/call", func(t *testing.T, m *Message) {
			is(t, "kind", m.Kind, Request)
			is(t, "id", string(m.ID), "7")
			is(t, "method", m.Method, "tools/call")
			is(t, "name", m.Params.Name.Value, "get_weather")
			is(t, "arguments", string(m.Params.Arguments), `{"city":"Berlin","units":"metric"}`)
			is(t, "_meta", string(m.Params.Meta), `{"progressToken":7}`)
			is(t, "protocol version", m.Params.ProtocolVersion.Set, false)
		}},
		{"tools/call of 2026-07-28, params first, with spaces", func(t *testing.T, m *Message) {
			is(t, "id", string(m.ID), `"x"`)
			is(t, "protocol version", m.Params.ProtocolVersion.Value, "2026-07-28")
			is(t, "request state", m.Params.RequestState.Value, "s")
			is(t, "task", string(m.Params.Task), `{"ttl":1}`)
			is(t, "params", m.Params.Raw[0], '{')
			is(t, "end of params", m.Params.Raw[len(m.Params.Raw)-1], '}')
		}},
		{"escaped names and values", func(t *testing.T, m *Message) {
			is(t, "method", m.Method, "tools/call")
			is(t, "name", m.Params.Name.Value, "gét😀")
			is(t, "token", string(m.Raw[m.Params.Name.Start:m.Params.Name.End]), `"g\u00e9t\ud83d\ude00"`)
		}},
		{"numbers keep their bytes", func(t *testing.T, m *Message) {
			is(t, "id", string(m.ID), "9007199254740991")
			is(t, "arguments", string(m.Params.Arguments), `{"n":9007199254740993,"x":1.0e+400}`)
		}},
		{"initialize", func(t *testing.T, m *Message) {
			is(t, "id", string(m.ID), "0")
			is(t, "protocol version", m.Params.ProtocolVersion.Value, "2025-06-18")
			is(t, "name of the client", m.Params.Name.Set, false)
		}},
		{"params.protocolVersion counts for initialize alone", func(t *testing.T, m *Message) {
			is(t, "protocol version", m.Params.ProtocolVersion.Set, false)
		}},
		{"resources/read", func(t *testing.T, m *Message) {
			is(t, "id", string(m.ID), "-1")
			is(t, "uri", m.Params.URI.Value, "file:///a")
		}},
		{"tools/list", func(t *testing.T, m *Message) {
			is(t, "cursor", m.Params.Cursor.Set, true)
			is(t, "cursor's span", m.Params.Cursor.End-m.Params.Cursor.Start, 2)
		}},
		{"tasks/get", func(t *testing.T, m *Message) {
			is(t, "task", m.Params.TaskID.Value, "t")
		}},
		{"completion of a prompt", func(t *testing.T, m *Message) {
			is(t, "type", m.Params.RefType.Value, "ref/prompt")
			is(t, "name", m.Params.RefName.Value, "p")
			is(t, "params.name", m.Params.Name.Set, false)
		}},
		{"completion of a template", func(t *testing.T, m *Message) {
			is(t, "uri", m.Params.RefURI.Value, "db://{t}")
			is(t, "ref", string(m.Params.Ref), `{"type":"ref/resource","uri":"db://{t}"}`)
		}},
		{"subscriptions/listen", func(t *testing.T, m *Message) {
			is(t, "subscriptions", len(m.Params.Subscriptions), 2)
			is(t, "second", m.Params.Subscriptions[1].Value, "c:d")
			is(t, "second's token", string(m.Raw[m.Params.Subscriptions[1].Start:m.Params.Subscriptions[1].End]), `"c:d"`)
			is(t, "task", m.Params.WatchedTasks[0].Value, "t")
			is(t, "tools", m.Params.ToolsChanged, true)
			is(t, "prompts", m.Params.PromptsChanged, false)
		}},
		{"notification", func(t *testing.T, m *Message) {
			is(t, "kind", m.Kind, Notification)
			is(t, "id", m.ID == nil, true)
			is(t, "params", m.Params.Raw == nil, true)
		}},
		{"result", func(t *testing.T, m *Message) {
			is(t, "kind", m.Kind, Result)
			is(t, "method", m.Method, "")
			is(t, "related task", m.RelatedTask.Value, "t")
		}},
		{"tasks of the client's", func(t *testing.T, m *Message) {
			is(t, "tasks", len(m.OwnTasks), 3)
			is(t, "third", m.OwnTasks[2].Value, "c")
			is(t, "third's token", string(m.Raw[m.OwnTasks[2].Start:m.OwnTasks[2].End]), `"c"`)
		}},
		{"failure", func(t *testing.T, m *Message) {
			is(t, "kind", m.Kind, Failure)
		}},
		{"a method of an extension is free in its params", func(t *testing.T, m *Message) {
			is(t, "method", m.Method, "ext/ping")
			is(t, "name", m.Params.Name.Set, false)
			is(t, "cursor", m.Params.Cursor.Value, "c")
		}},
		{"names that only resemble known ones", func(t *testing.T, m *Message) {
			is(t, "name", m.Params.Name.Value, "a")
		}},
		{"null for arguments and _meta", func(t *testing.T, m *Message) {
			is(t, "name", m.Params.Name.Value, "a")
			is(t, "arguments", m.Params.Arguments == nil, true)
			is(t, "_meta", m.Params.Meta == nil, true)
		}},
		{"null for a cursor", func(t *testing.T, m *Message) {
			is(t, "cursor", m.Params.Cursor.Set, false)
		}},
		{"null for params", func(t *testing.T, m *Message) {
			is(t, "kind", m.Kind, Request)
			is(t, "params", m.Params.Raw == nil, true)
			is(t, "name", m.Params.Name.Set, false)
		}},
		{"null for params of an extension's method", func(t *testing.T, m *Message) {
			is(t, "params", m.Params.Raw == nil, true)
		}},
		{"null for the _meta of an answer", func(t *testing.T, m *Message) {
			is(t, "kind", m.Kind, Result)
		}},
		{"a NUL in an argument's value", func(t *testing.T, m *Message) {
			is(t, "arguments", string(m.Params.Arguments), `{"x":"\u0000"}`)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := Parse([]byte(accepted[test.name]), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			is(t, "raw", string(m.Raw), accepted[test.name])
			test.check(t, m)
		})
	}
}

func TestParseKeepsNoPartOfAnEarlierMessage(t *testing.T) {
	if _, err := Parse([]byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}`), Limits{}); err != nil {
		t.Fatal(err)
	}
	m, err := Parse([]byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	is(t, "protocol version", m.Params.ProtocolVersion.Set, false)
}

func TestParseSharesNoStringsWithTheBody(t *testing.T) {
	body := []byte(`{"jsonrpc":"2.0","id":1,"method":"ext/call","params":{"name":"a"}}`)
	m, err := Parse(body, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	clear(body)
	is(t, "method", m.Method, "ext/call")
	is(t, "name", m.Params.Name.Value, "a")
}

// is reports a value that is not as it should be.
func is[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// refused checks that err is an *Error with the code and the reason wanted, of
// which the latter need only be a part.
func refused(t *testing.T, err error, code int, reason string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("not refused: %v", err)
	}
	if e.Code != code || !strings.Contains(e.Reason, reason) {
		t.Errorf("refused with %v, want %d and %q", e, code, reason)
	}
	for _, c := range e.Reason {
		if c < 0x20 || c > 0x7e {
			t.Errorf("the reason has %q in it: %q", c, e.Reason)
		}
	}
	return e
}
