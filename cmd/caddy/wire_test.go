package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wire compares what passed before the gateway with what passed behind it, and counts it.
type wire struct {
	exchanges, messages int
	left                int // entries of lists that are hidden
	refused             int // requests that did not go on
}

// compare compares the exchanges of clients with those of a server, of which the hidden names may be missing.
func (c *wire) compare(t *testing.T, clients, server []*exchange, hidden []string) {
	t.Helper()
	behind := make(map[string]*exchange)
	for _, e := range server {
		if behind[e.Number] != nil || e.Number == "" {
			t.Errorf("exchange %q went on twice: %s", e.Number, e.Request)
		}
		behind[e.Number] = e
	}
	for _, e := range clients {
		c.exchanges++
		at := behind[e.Number]
		delete(behind, e.Number)
		if at == nil {
			if !namesAny(e.Request, hidden) {
				t.Errorf("%s %s did not go on, but was answered %d %s", e.Method, e.Request, e.Status, e.Answer())
			}
			c.refused++
			continue
		}
		if namesAny(e.Request, hidden) {
			t.Errorf("%s went on", e.Request)
		}
		if got, want := ours(at.Request), ours(e.Request); got != want {
			t.Errorf("the client sent\n%s, the server got\n%s", want, got)
		}
		if e.Status != at.Status {
			t.Errorf("%s %s: the server answered %d, the client got %d %s", e.Method, e.Request, at.Status, e.Status, e.Answer())
		}
		c.answers(t, e, at, hidden)
	}
	for _, e := range behind {
		t.Errorf("%s %s reached the server and was sent by nobody", e.Method, e.Request)
	}
}

// answers compares the two sides of an answer.
func (c *wire) answers(t *testing.T, client, server *exchange, hidden []string) {
	t.Helper()
	got, want := messages(client), messages(server)
	if client.Method == http.MethodGet && len(got) < len(want) {
		want = want[:len(got)] // the client went away while it was on its way
	}
	if len(got) != len(want) {
		t.Errorf("%s %s: the server answered %q, the client got %q", client.Method, client.Request, want, got)
		return
	}
	for i := range got {
		c.messages++
		without := want[i]
		if hidden != nil {
			var left int
			without, left = withoutEntries(t, want[i], hidden)
			c.left += left
		}
		if ours([]byte(got[i])) != ours([]byte(without)) {
			t.Errorf("%s %s: the server said\n%s, of which should arrive\n%s, but the client got\n%s", client.Method, client.Request, want[i], without, got[i])
		}
	}
	if named := namesAny([]byte(strings.Join(got, "\n")), hidden); named && !strings.Contains(string(client.Request), `"tools/call"`) {
		t.Errorf("%s: the client got %q", client.Request, got)
	}
}

// handles are the members that the gateway may put its own value in: what only the server is to understand, and who may
// keep an answer.
var handles = regexp.MustCompile(`"(nextCursor|cursor|requestState|cacheScope)":"[^"]*"`)

// ours is a message without what the gateway may change.
func ours(message []byte) string { return handles.ReplaceAllString(string(message), `"$1":""`) }

// namesAny reports whether a message holds one of the names, as a string of its own.
func namesAny(message []byte, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return bytes.Contains(message, []byte(`"`+name+`"`)) })
}

// messages are the messages of an answer: of its events, each after what else there is to it, or the body.
func messages(e *exchange) []string {
	body := string(e.Answer())
	if !strings.HasPrefix(e.Header.Get("Content-Type"), "text/event-stream") {
		if body == "" {
			return nil
		}
		return []string{body}
	}
	var all []string
	events := strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n\n")
	for _, event := range events[:len(events)-1] {
		var data, rest []string
		for line := range strings.SplitSeq(event, "\n") {
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "data":
				data = append(data, value)
			case "id":
				rest = append(rest, "id") // the value is a handle
			case "event", "retry":
				rest = append(rest, field+" "+value)
			}
		}
		if len(rest)+len(data) > 0 {
			slices.Sort(rest)
			all = append(all, strings.Join(rest, ", ")+"\n"+strings.Join(data, "\n"))
		}
	}
	return all
}

// list is the list of a message, by the member it is in.
var list = regexp.MustCompile(`"(tools|prompts|resources|resourceTemplates)":\[\{`)

// withoutEntries takes the hidden entries out of the list in a message, if it has one.
func withoutEntries(t *testing.T, message string, hidden []string) (string, int) {
	t.Helper()
	at := list.FindStringIndex(message)
	if at == nil {
		return message, 0
	}
	start := at[1] - 2
	var entries []json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(message[start:]))
	if err := decoder.Decode(&entries); err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, entry := range entries {
		var named struct{ Name, URI, URITemplate string }
		if err := json.Unmarshal(entry, &named); err != nil {
			t.Fatal(err)
		}
		name := named.Name
		switch {
		case named.URI != "":
			name = named.URI
		case named.URITemplate != "":
			name = named.URITemplate
		}
		if !slices.Contains(hidden, name) {
			kept = append(kept, string(entry))
		}
	}
	return message[:start] + "[" + strings.Join(kept, ",") + "]" + message[start+int(decoder.InputOffset()):], len(entries) - len(kept)
}
