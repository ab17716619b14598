package guard

import (
	"net/http"
	"strings"
	"testing"
)

const (
	callEcho = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}`
	callList = `{"jsonrpc":"2.0","id":"two","method":"tools/list"}`
	tellInit = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

func TestABatchGoesOnIfAllOfItMay(t *testing.T) {
	answers := `[{"jsonrpc":"2.0","id":"two","result":{"tools":[{"name":"hidden_vault"},` + shownTool + `]}} , {"jsonrpc":"2.0","id":1,"result":{"content":[]}}]`
	want := `[{"jsonrpc":"2.0","id":"two","result":{"tools":[` + shownTool + `]}},{"jsonrpc":"2.0","id":1,"result":{"content":[]}}]`
	g := newRig(t, jsonAnswer(200, answers))
	batch := `[` + callEcho + `, ` + callList + `,` + tellInit + `]`
	r := g.send(http.MethodPost, honestLegacy(), batch)
	if r.status != 200 || r.body != want {
		t.Errorf("JSON: %d %s", r.status, r.body)
	}
	if got := string(g.received()[0].body); got != strings.Replace(batch, ", ", ",", 1) {
		t.Errorf("went on as %s", got)
	}
	if o := g.last(); o.Method != "batch" || o.Decision != Allow || o.Filtered != 1 {
		t.Errorf("outcome %+v", o)
	}
	g.answers(sseAnswer("data: "+answers+"\n\n", 5))
	if got := events(g.send(http.MethodPost, honestLegacy(), batch).body); len(got) != 1 || got[0] != want {
		t.Errorf("an array on a stream: %q", got)
	}
	g.answers(sseAnswer("data: "+tools(`{"name":"hidden_vault"}`)+"\n\ndata: [{\"jsonrpc\":\"2.0\",\"id\":\"two\",\"result\":{}}]\n\n", 5))
	if got := events(g.send(http.MethodPost, honestLegacy(), batch).body); len(got) != 2 || got[0] != tools("") {
		t.Errorf("one by one on a stream: %q", got)
	}
	told := `[` + progress + `,{"jsonrpc":"2.0","method":"notifications/hidden_vault"}]`
	g.answers(sseAnswer("data: "+told+"\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n", 5))
	if got := events(g.send(http.MethodPost, honestLegacy(), callEcho).body); len(got) != 2 || got[0] != "["+progress+"]" {
		t.Errorf("an array of notifications: %q", got)
	}
	g.answers(answerAs("", 202, ""))
	if r := g.send(http.MethodPost, honestLegacy(), `[`+tellInit+`]`); r.status != 202 || r.body != "" {
		t.Errorf("notifications alone: %d %s", r.status, r.body)
	}
}

func TestABatchIsStoppedWholeIfOneMayNotGoOn(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `[]`))
	hidden := `{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"hidden_vault"}}`
	r := g.send(http.MethodPost, honestLegacy(), `[`+callEcho+`,`+hidden+`,`+tellInit+`,`+callList+`]`)
	for _, want := range []string{
		`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Not run: `,
		`{"jsonrpc":"2.0","id":3,"error":{"code":-32602,"message":"Unknown tool: hidden_vault"}}`,
		`{"jsonrpc":"2.0","id":"two","error":{"code":-32600,"message":"Not run: `,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("%s is missing in %s", want, r.body)
		}
	}
	if o := g.last(); r.status != 200 || o.Decision != Deny || o.Name != hiddenName || o.Status != 200 {
		t.Errorf("%d, outcome %+v", r.status, o)
	}
	for name, batch := range map[string]string{
		"initialize in a batch":             `[{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}]`,
		"a message of a version of its own": `[` + message("2026-07-28", "1", "tools/list", "{}") + `]`,
		"two equal ids":                     `[` + callEcho + `,` + callEcho + `]`,
		"one message that is none":          `[` + callEcho + `,{}]`,
		"too many":                          `[` + strings.Repeat(tellInit+",", 100) + tellInit + `]`,
		"an answer without its session":     `[{"jsonrpc":"2.0","id":1,"result":{}}]`,
	} {
		t.Run(name, func(t *testing.T) {
			g.send(http.MethodPost, honestLegacy(), batch).wantError(t, 400, -32600)
		})
	}
	for _, rev := range allRevisions[1:] {
		h := honestLegacy()
		h.Set("Mcp-Protocol-Version", rev)
		g.send(http.MethodPost, h, `[`+callEcho+`]`).wantError(t, 400, -32600)
	}
	for _, k := range []string{"Mcp-Method", "Mcp-Name"} {
		h := honestLegacy()
		h.Set(k, "echo")
		g.send(http.MethodPost, h, `[`+callEcho+`]`).wantError(t, 400, -32020)
	}
	if n := len(g.received()); n != 0 {
		t.Errorf("%d requests went on", n)
	}
}

func TestAnAnswerToABatchIsReadStrictly(t *testing.T) {
	g := newRig(t, nil)
	for _, body := range []string{
		`[]`, `[ ]`, `[1]`, `[[` + tools(`{"name":"hidden_vault"}`) + `]]`, `[` + tools(`{"name":"hidden_vault"}`) + `,]`,
		`[` + tools(``) + `]` + tools(`{"name":"hidden_vault"}`), `[` + strings.Replace(tools(`{"name":"hidden_vault"}`), `:1`, `:9`, 1) + `]`,
		`[{"jsonrpc":"2.0","method":"notifications/hidden_vault"}]`,
	} {
		g.answers(jsonAnswer(200, body))
		r := g.send(http.MethodPost, honestLegacy(), `[`+callEcho+`]`)
		noLeak(t, r)
		if r.status != 502 {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
		g.answers(sseAnswer("data: "+body+"\n\n", 4))
		noLeak(t, g.send(http.MethodPost, honestLegacy(), `[`+callEcho+`]`))
	}
}
