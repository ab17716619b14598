package guard

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/approval"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
)

// beginWithURLs begins a session of a client that can show addresses, and returns its headers.
func (a *asked) beginWithURLs(t *testing.T, rev, session string) http.Header {
	t.Helper()
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Mcp-Session-Id", session)
		jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"`+rev+`","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`)(w, r)
	})
	r := a.post(rev, "initialize", `{"protocolVersion":"`+rev+`","capabilities":{"elicitation":{"form":{},"url":{}}},"clientInfo":{"name":"c","version":"1"}}`)
	a.answers(jsonAnswer(200, echoed))
	h := headersFor(rev, "tools/call", `{}`)
	h.Set("Mcp-Session-Id", r.header.Get("Mcp-Session-Id"))
	return h
}

// TestAClientThatShowsAddressesIsSentToThePage has the client of a session asked on the stream that answers its call, and goes
// on without another call.
func TestAClientThatShowsAddressesIsSentToThePage(t *testing.T) {
	for _, says := range []string{"accept", "decline", "cancel", ""} {
		t.Run(says, func(t *testing.T) {
			a := newAsked(t)
			h := a.beginWithURLs(t, "2025-11-25", "upstream-1")
			res := a.open(t.Context(), http.MethodPost, h, message("2025-11-25", "1", "tools/call", `{"name":"echo"}`))
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			next := func() string {
				for lines.Scan() {
					if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
						return data
					}
				}
				return ""
			}
			var m struct {
				ID     json.RawMessage
				Method string
				Params struct{ Mode, Message, URL, ElicitationID string }
			}
			if err := json.Unmarshal([]byte(next()), &m); err != nil || m.Method != "elicitation/create" || m.Params.Mode != "url" ||
				!strings.HasPrefix(m.Params.URL, "https://mcp.example.com/approve?call=") || m.Params.ElicitationID == "" || !strings.Contains(m.Params.Message, "the tool echo") {
				t.Fatalf("%+v, %v", m, err)
			}
			before := len(a.received())
			answer := `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":{"action":"` + says + `"}}`
			if says == "" { // it can't be asked after all
				answer = `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"error":{"code":-32601,"message":"no"}}`
			}
			if r := a.send(http.MethodPost, h, answer); r.status != 202 || r.body != "" {
				t.Errorf("%d %s", r.status, r.body)
			}
			if n := len(a.received()); n != before {
				t.Error("the server got the answer")
			}
			if says == "accept" || says == "" {
				a.decide(approval.Once)
			}
			if got := next(); !strings.Contains(got, `"notifications/elicitation/complete"`) || !strings.Contains(got, m.Params.ElicitationID) {
				t.Errorf("%s", got)
			}
			got := next()
			if called := got == echoed; called != (says == "accept" || says == "") || !called && !strings.Contains(got, "it was cancelled before they did") {
				t.Errorf("%s", got)
			}
		})
	}
}

// TestAnotherCallersAnswerEndsNothing sends the answer in another session.
func TestAnotherCallersAnswerEndsNothing(t *testing.T) {
	a := newAsked(t)
	h := a.beginWithURLs(t, "2025-11-25", "upstream-1")
	call := &approval.Call{Grant: "grant", Client: "client-a", Server: "files", Kind: "tool", Name: "echo", Person: approval.Person{ID: "workos:alice"}}
	answer := `{"jsonrpc":"2.0","id":` + string(elicitID(call)) + `,"result":{"action":"decline"}}`
	res := a.open(t.Context(), http.MethodPost, h, message("2025-11-25", "1", "tools/call", `{"name":"echo"}`))
	defer res.Body.Close()
	other := a.beginWithURLs(t, "2025-11-25", "upstream-2")
	a.client = "client-b"
	a.send(http.MethodPost, other, answer)
	a.client = "client-a"
	a.send(http.MethodPost, other, answer)
	a.decide(approval.Once)
	var all strings.Builder
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
	}
	if !strings.Contains(all.String(), echoed) {
		t.Errorf("%s", all.String())
	}
}

// TestWhereNothingCanBeKeptOpenAClientIsSentToThePageByAnError is what such a client then makes the call again after.
func TestWhereNothingCanBeKeptOpenAClientIsSentToThePageByAnError(t *testing.T) {
	a := newAsked(t)
	h := a.beginWithURLs(t, "2025-11-25", "upstream-1")
	a.desk.Release()
	r := a.send(http.MethodPost, h, message("2025-11-25", "1", "tools/call", `{"name":"echo"}`))
	r.wantError(t, 200, -32042)
	if !strings.Contains(r.body, `"data":{"elicitations":[{"mode":"url","message":"`) || !strings.Contains(r.body, `"elicitationId":"mcp-gateway-approval-`) {
		t.Errorf("%s", r.body)
	}
	if o := a.last(); o.Decision != Asked {
		t.Errorf("%+v", o)
	}
	a.decide(approval.Once)
	if r := a.send(http.MethodPost, h, message("2025-11-25", "1", "tools/call", `{"name":"echo"}`)); r.body != echoed {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := len(a.received()); n != 2 {
		t.Errorf("%d requests went on", n)
	}
}

// modernCall is a call of a client of 2026-07-28 that can show addresses.
func modernCall(params string) (http.Header, string) {
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}`
	return headersFor("2026-07-28", "tools/call", `{"name":"echo"}`), `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo",` + params + meta + `}}`
}

// TestAClientOf2026IsToldThatInputIsRequired has it make the call again, of which the server does not learn what for.
func TestAClientOf2026IsToldThatInputIsRequired(t *testing.T) {
	a := newAsked(t)
	h, call := modernCall(`"arguments":{"a":1},`)
	r := a.send(http.MethodPost, h, call)
	var m struct {
		Result struct {
			ResultType    string
			InputRequests map[string]struct {
				Method string
				Params struct{ Mode, URL, Message string }
			}
		}
	}
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || m.Result.ResultType != "input_required" || m.Result.InputRequests[inputKey].Method != "elicitation/create" ||
		m.Result.InputRequests[inputKey].Params.Mode != "url" || !strings.HasPrefix(m.Result.InputRequests[inputKey].Params.URL, "https://mcp.example.com/approve?call=") {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if o := a.last(); o.Decision != Asked {
		t.Errorf("%+v", o)
	}
	go a.decide(approval.Once)
	h, again := modernCall(`"arguments":{"a":1},"inputResponses":{"` + inputKey + `":{"action":"accept"}},`)
	r = a.send(http.MethodPost, h, again)
	if got := events(r.body); len(got) != 1 || got[0] != echoed {
		t.Errorf("%d %s", r.status, r.body)
	}
	if got := a.received(); len(got) != 1 || string(got[0].body) != call {
		t.Errorf("went on as %s", got[0].body)
	}
	for _, says := range []string{`{"action":"decline"}`, `{"action":"cancel"}`, `{}`, `7`} {
		h, again := modernCall(`"inputResponses":{"` + inputKey + `":` + says + `},`)
		if got := a.send(http.MethodPost, h, again).sentence(t); !strings.Contains(got, "it was cancelled before they did") {
			t.Errorf("%s: %s", says, got)
		}
	}
}

func TestWhatIsLeftOutLeavesTheRestAsItIs(t *testing.T) {
	for in, want := range map[string]string{
		`{"x":1}`:                           `{}`,
		`{ "x" : {"x":2} , "b":3 }`:         `{ "b":3 }`,
		`{"a":1, "x":[1,2] , "b" : 3}`:      `{"a":1 , "b" : 3}`,
		`{"a":{"x":1},"x":null}`:            `{"a":{"x":1}}`,
		"{\"a\":1,\n\"b\":2,\n\"x\":\"}\"}": "{\"a\":1,\n\"b\":2}",
		`{"x":1,"a":2,"b":3,"c":4}`:         `{"a":2,"b":3,"c":4}`,
	} {
		if got := string(jsonrpc.Splice([]byte(in), leaveOut([]byte(in), 0, "x"))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// FuzzElicited has any message answer what the gateway asked, which must leave a message of which nothing else has changed.
func FuzzElicited(f *testing.F) {
	for _, params := range []string{`"inputResponses":{"` + inputKey + `":{"action":"accept"}},`, `"inputResponses":{"a":{}, "` + inputKey + `" : 1},`, ``, `"inputResponses":7,`} {
		_, call := modernCall(params)
		f.Add([]byte(call))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := jsonrpc.Parse(body, jsonrpc.Limits{})
		if err != nil {
			return
		}
		x := &exchange{rev: rev20260728}
		var v verdict
		if x.elicited(m, &v) == notAsked {
			if len(v.edits) > 0 {
				t.Fatalf("%s is changed", body)
			}
			return
		}
		left, err := jsonrpc.Parse(jsonrpc.Splice(m.Raw, v.edits...), jsonrpc.Limits{})
		if err != nil || left.Method != m.Method || left.Params.Name.Value != m.Params.Name.Value || string(left.Params.Arguments) != string(m.Params.Arguments) {
			t.Fatalf("%s: %v", body, err)
		}
		if x.elicited(left, nil) != notAsked {
			t.Fatalf("%s still answers us", left.Raw)
		}
	})
}
