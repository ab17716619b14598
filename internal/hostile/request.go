package hostile

import (
	"iter"
	"net/http"
	"strings"
)

// Attack is a way to have something hidden used. Its texts have placeholders, so that it is made for every method that
// names something:
//
//	{method} the method               {S} members of params that name what is shown
//	{key}    the member of the name   {H} members of params that name what is hidden
//	{shown}  a name that is shown     {params…} params of these members, with the _meta that the revision asks for
//	{hidden} a name that is hidden
type Attack struct {
	Name   string
	Params string // members where the name stands, of an otherwise honest request
	Body   string // or the whole body
	Encode func(body string) []byte
	Header map[string][]string      // in the place of an honest client's; nil: taken away
	Only   func(rev string) bool    // nil: in every revision
	Method func(method string) bool // nil: for every method
	Odd    bool                     // nothing hidden is in it: it is ambiguous, and refused for that
	Passes bool                     // it goes on, and does nothing
}

// target is a method that names something, and how.
type target struct {
	method, key, shown, hidden string
	before, after              string // what is around the name in params
	named                      bool   // its name is repeated in Mcp-Name
}

const hiddenURI = "docs://hidden_vault/a"

var targets = []target{
	{method: "tools/call", key: "name", shown: "echo", hidden: "hidden_vault", named: true},
	{method: "prompts/get", key: "name", shown: "shown_a", hidden: "hidden_vault", named: true},
	{method: "resources/read", key: "uri", shown: "docs://shown/a", hidden: hiddenURI, named: true},
	{method: "resources/subscribe", key: "uri", shown: "docs://shown/a", hidden: hiddenURI},
	{method: "completion/complete", key: "name", shown: "shown_a", hidden: "hidden_vault", before: `"ref":{"type":"ref/prompt",`, after: `},"argument":{"name":"a","value":"b"}`},
	{method: "completion/complete", key: "uri", shown: "docs://shown/{a}", hidden: "docs://hidden_vault/{a}", before: `"ref":{"type":"ref/resource",`, after: `},"argument":{"name":"a","value":"b"}`},
}

// has reports whether a revision has the method.
func (t *target) has(rev string) bool { return t.method != "resources/subscribe" || rev != Modern }

// fill puts what the target names into a text.
func (t *target) fill(text, rev string) string {
	member := func(name string) string { return t.before + `"` + t.key + `":"` + name + `"` + t.after }
	text = strings.NewReplacer("{S}", member(t.shown), "{H}", member(t.hidden), "{params", `{`+metaOf(rev)).Replace(text)
	return strings.NewReplacer("{method}", t.method, "{key}", t.key, "{shown}", t.shown, "{hidden}", t.hidden).Replace(text)
}

// honest are the headers of an honest request for what is shown.
func (t *target) honest(rev string) http.Header {
	h := http.Header{
		"Content-Type":         {"application/json"},
		"Accept":               {"application/json, text/event-stream"},
		"Mcp-Protocol-Version": {rev},
	}
	if rev == "2025-03-26" {
		delete(h, "Mcp-Protocol-Version") // it came with the next revision
	}
	if rev == Modern {
		h["Mcp-Method"] = []string{t.method}
		if t.named {
			h["Mcp-Name"] = []string{t.shown}
		}
	}
	return h
}

// Case is one request of an attack.
type Case struct {
	Attack *Attack
	Name   string // what tells it from the other requests of the attack
	Request
}

// Cases yields the requests of the attack in a revision: for every method that it is for and, where headers repeat what the
// body says, with the name that is shown and the one that is hidden.
func (a *Attack) Cases(rev string) iter.Seq[Case] {
	return func(yield func(Case) bool) {
		if a.Only != nil && !a.Only(rev) {
			return
		}
		for i := range targets {
			t := &targets[i]
			if !t.has(rev) || a.Method != nil && !a.Method(t.method) {
				continue
			}
			for _, c := range a.of(t, rev) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// of makes the requests for one target.
func (a *Attack) of(t *target, rev string) []Case {
	body := a.Body
	if a.Params != "" {
		body = `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params` + t.before + a.Params + t.after + `}}`
	}
	body = t.fill(body, rev)
	h := t.honest(rev)
	for key, values := range a.Header {
		if values == nil {
			delete(h, key)
			continue
		}
		filled := make([]string, len(values))
		for i, v := range values {
			filled[i] = t.fill(v, rev)
		}
		h[key] = filled
	}
	encoded := []byte(body)
	if a.Encode != nil {
		encoded = a.Encode(body)
	}
	all := []Case{{a, t.method + " " + t.key, Request{http.MethodPost, "", h, encoded}}}
	if _, set := a.Header["Mcp-Name"]; !set && rev == Modern && t.named && !a.Passes {
		other := h.Clone()
		other["Mcp-Name"] = []string{t.hidden}
		all = append(all, Case{a, t.method + " " + t.key + ", Mcp-Name hidden", Request{http.MethodPost, "", other, encoded}})
	}
	return all
}

// InBatch makes of a request of revision 2025-03-26 a batch that begins with an honest message. It reports whether it can.
func (c *Case) InBatch() (Case, bool) {
	if c.Attack.Encode != nil || !strings.HasPrefix(strings.TrimSpace(string(c.Body)), "{") {
		return Case{}, false
	}
	b := *c
	b.Name += ", in a batch"
	b.Body = []byte(`[{"jsonrpc":"2.0","id":"first","method":"ping"},` + string(c.Body) + `]`)
	return b, true
}
