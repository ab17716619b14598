package jsonrpc

import (
	"strings"
	"testing"
)

func TestParseBatch(t *testing.T) {
	const (
		one   = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","requestState":"s"}}`
		two   = `{ "jsonrpc":"2.0","id":2,"method":"tools/list","params":{"cursor":"c"} }`
		three = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
		four  = `{"jsonrpc":"2.0","id":1,"result":{}}`
	)
	body := " [" + one + " ,\n" + two + "\t,  " + three + "," + four + " ] "
	batch, err := ParseBatch([]byte(body), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	is(t, "messages", len(batch), 4)
	for i, raw := range []string{one, two, three, four} {
		is(t, "raw", string(batch[i].Raw), raw)
		is(t, "at its offset", body[batch[i].Offset:batch[i].Offset+len(raw)], raw)
	}
	is(t, "second kind", batch[1].Kind, Request)
	is(t, "third kind", batch[2].Kind, Notification)
	is(t, "fourth kind", batch[3].Kind, Result)
	cursor := batch[1].Params.Cursor
	is(t, "cursor's token", string(batch[1].Raw[cursor.Start:cursor.End]), `"c"`)
	is(t, "spliced", string(Splice(batch[1].Raw, cursor.Replace("d"))), strings.Replace(two, `"c"`, `"d"`, 1))
}

func TestParseBatchRefuses(t *testing.T) {
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for name, test := range map[string]struct {
		body   string
		code   int
		reason string
	}{
		"an empty one":                  {`[]`, CodeInvalidRequest, "empty batch"},
		"one in another":                {`[[` + ping + `]]`, CodeInvalidRequest, "message 1 of the batch: not a JSON object"},
		"a value among messages":        {`[` + ping + `,1]`, CodeInvalidRequest, "message 2 of the batch: not a JSON object"},
		"a refused message":             {`[` + ping + `,{"jsonrpc":"2.0","id":2,"method":"ping","Method":"tools/call"}]`, CodeInvalidRequest, "message 2 of the batch"},
		"a refused message before more": {`[{"id":2},` + ping + `]`, CodeInvalidRequest, "message 1 of the batch"},
		"an id twice":                   {`[` + ping + `,{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`, CodeInvalidRequest, "id is used twice"},
		"an id twice, once escaped":     {`[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","id":"\u0061","method":"ping"}]`, CodeInvalidRequest, "id is used twice"},
		"two answers to one request":    {`[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":1,"error":{}}]`, CodeInvalidRequest, "id is used twice"},
		"too many":                      {`[` + strings.Repeat(ping+",", DefaultBatch) + ping + `]`, CodeInvalidRequest, "more than 64"},
		"not a batch":                   {ping, CodeInvalidRequest, "not a batch"},
		"a second batch":                {`[` + ping + `][` + ping + `]`, CodeParse, "more than one"},
		"one cut short":                 {`[` + ping, CodeParse, "not valid JSON"},
		"one cut short after a comma":   {`[` + ping + `,`, CodeParse, "not valid JSON"},
		"only its beginning":            {`[`, CodeParse, "not valid JSON"},
		"a comma too many":              {`[` + ping + `,]`, CodeParse, "not valid JSON"},
		"a comma first":                 {`[,` + ping + `]`, CodeParse, "not valid JSON"},
		"nothing":                       {``, CodeParse, "empty body"},
		"a NUL in a name":               {`[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x\u0000":1}}}]`, CodeInvalidRequest, "NUL"},
		"a batch that is deep":          {strings.Repeat("[", 1000), CodeParse, "too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseBatch([]byte(test.body), Limits{})
			refused(t, err, test.code, test.reason)
		})
	}
}

func TestIsBatch(t *testing.T) {
	for body, want := range map[string]bool{
		"[]": true, " \r\n\t[": true, "{}": false, "": false, "  ": false, "\ufeff[]": false, "\v[]": false,
	} {
		is(t, "IsBatch of "+body, IsBatch([]byte(body)), want)
	}
}
