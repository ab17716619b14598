package guard

import (
	"net/http"
	"strings"
	"testing"
)

// served are the methods of the specification that name nothing or something that may be seen, and the revisions that
// have them: those from the first to the last.
var served = []struct {
	method, params string
	first, last    string
	hidden         string // the same, naming what is hidden; empty if it names nothing
}{
	{"initialize", `{"capabilities":{},"clientInfo":{"name":"c","version":"1"}}`, "2025-03-26", "2025-11-25", ""},
	{"ping", `{}`, "2025-03-26", "2025-11-25", ""},
	{"server/discover", `{}`, "2026-07-28", "2026-07-28", ""},
	{"tools/list", `{}`, "2025-03-26", "2026-07-28", ""},
	{"tools/call", `{"name":"echo"}`, "2025-03-26", "2026-07-28", `{"name":"hidden_vault"}`},
	{"prompts/list", `{}`, "2025-03-26", "2026-07-28", ""},
	{"prompts/get", `{"name":"shown_a"}`, "2025-03-26", "2026-07-28", `{"name":"hidden_vault"}`},
	{"resources/list", `{}`, "2025-03-26", "2026-07-28", ""},
	{"resources/templates/list", `{}`, "2025-03-26", "2026-07-28", ""},
	{"resources/read", `{"uri":"docs://shown/a"}`, "2025-03-26", "2026-07-28", `{"uri":"docs://hidden_vault/a"}`},
	{"resources/subscribe", `{"uri":"docs://shown/a"}`, "2025-03-26", "2025-11-25", `{"uri":"docs://hidden_vault/a"}`},
	{"resources/unsubscribe", `{"uri":"docs://shown/a"}`, "2025-03-26", "2025-11-25", `{"uri":"docs://hidden_vault/a"}`},
	{"completion/complete", `{"ref":{"type":"ref/prompt","name":"shown_a"},"argument":{"name":"a","value":"b"}}`, "2025-03-26", "2026-07-28", `{"ref":{"type":"ref/prompt","name":"hidden_vault"}}`},
	{"completion/complete", `{"ref":{"type":"ref/resource","uri":"docs://shown/{a}"},"argument":{"name":"a","value":"b"}}`, "2025-03-26", "2026-07-28", `{"ref":{"type":"ref/resource","uri":"docs://hidden_vault/{a}"}}`},
	{"logging/setLevel", `{"level":"info"}`, "2025-03-26", "2025-11-25", ""},
	{"subscriptions/listen", `{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["docs://shown/a"]}}`, "2026-07-28", "2026-07-28", `{"notifications":{"resourceSubscriptions":["docs://shown/a","docs://hidden_vault/a"]}}`},
	{"tasks/list", `{}`, "2025-11-25", "2025-11-25", ""},
}

func TestEveryMethodPassesInItsRevisionsAndInNoOther(t *testing.T) {
	g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{}}`))
	for _, c := range served {
		for _, rev := range allRevisions {
			t.Run(rev+"/"+c.method, func(t *testing.T) {
				before := len(g.received())
				r := g.post(rev, c.method, c.params)
				went := g.received()[before:]
				if has := c.first <= rev && rev <= c.last; !has {
					status := 200
					if isModern(rev) {
						status = 404
					}
					if r.wantError(t, status, -32601); len(went) != 0 {
						t.Errorf("it went on: %s", went[0].body)
					}
					return
				}
				if r.status != 200 || strings.Contains(r.body, "error") || len(went) != 1 || string(went[0].body) != message(rev, "1", c.method, c.params) {
					t.Fatalf("answered %d %s, after %d went on", r.status, r.body, len(went))
				}
				if c.hidden == "" {
					return
				}
				r = g.post(rev, c.method, c.hidden)
				if _, code, _ := r.rpcError(t); r.status != 200 || code != -32602 && code != -32002 || len(g.received()) != before+1 {
					t.Errorf("what is hidden: %d %s", r.status, r.body)
				}
			})
		}
	}
}

func TestEveryNotificationOfAClientPassesInItsRevisions(t *testing.T) {
	g := newRig(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	for method, revs := range map[string][2]string{
		"notifications/initialized":        {"2025-03-26", "2025-11-25"},
		"notifications/cancelled":          {"2025-03-26", "2026-07-28"},
		"notifications/progress":           {"2025-03-26", "2025-11-25"},
		"notifications/roots/list_changed": {"2025-03-26", "2025-11-25"},
		"notifications/tasks/status":       {"2025-11-25", "2025-11-25"},
		"notifications/tasks":              {"none", "none"},
		"notifications/message":            {"none", "none"},
		"notifications/resources/updated":  {"none", "none"},
	} {
		for _, rev := range allRevisions {
			before := len(g.received())
			body := `{"jsonrpc":"2.0","method":"` + method + `","params":{` + metaFor(rev) + `}}`
			r := g.send(http.MethodPost, headersFor(rev, method, ""), body)
			went := len(g.received()) - before
			if has := revs[0] <= rev && rev <= revs[1]; has != (r.status == 202 && went == 1) || !has && went != 0 {
				t.Errorf("%s %s: %d %s, %d went on", rev, method, r.status, r.body, went)
			}
		}
	}
}

func TestNotificationsOfAServerNameNothingHidden(t *testing.T) {
	passes := []string{
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.5}}`,
		`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}`,
		`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"e"}}`,
		`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a"}}`,
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
		`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`,
		`{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`,
		`{"jsonrpc":"2.0","method":"ext/ping"}`,
	}
	stays := []string{
		`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://hidden_vault/a"}}`,
		`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"URI":"docs://hidden_vault/a"}}`,
		`{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"hidden_vault"}}`,
		`{"jsonrpc":"2.0","method":"notifications/strange","params":{"uri":"docs://hidden_vault/a"}}`,
	}
	stream := ""
	for i := range passes {
		stream += "data: " + passes[i] + "\n\ndata: " + stays[i%len(stays)] + "\n\n"
	}
	for _, rev := range allRevisions {
		g := newRig(t, sseAnswer(stream+"data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n", 64))
		got := events(g.post(rev, "tools/call", `{"name":"echo"}`).body)
		if len(got) != len(passes)+1 || strings.Join(got[:len(passes)], "\n") != strings.Join(passes, "\n") {
			t.Errorf("%s: a call's stream has\n%s", rev, strings.Join(got, "\n"))
		}
	}
}

func TestAServersOwnRefusalOfARevisionPasses(t *testing.T) {
	const answer = `{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version","data":{"supported":["2025-11-25"],"requested":"2026-07-28"}}}`
	g := newRig(t, jsonAnswer(400, answer))
	for _, rev := range allRevisions {
		if r := g.post(rev, "tools/list", `{}`); r.status != 400 || r.body != answer {
			t.Errorf("%s: %d %s", rev, r.status, r.body)
		}
	}
	h := headersFor("2026-07-28", "tools/list", "")
	h.Set("Mcp-Protocol-Version", "2027-01-01")
	r := g.send(http.MethodPost, h, strings.Replace(message("2026-07-28", "1", "tools/list", "{}"), "2026-07-28", "2027-01-01", 1))
	if r.wantError(t, 400, -32022); !strings.Contains(r.body, `"data":{"supported":`+supported+`,"requested":"2027-01-01"}`) {
		t.Errorf("ours: %s", r.body)
	}
}
