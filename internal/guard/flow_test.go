package guard

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// plainCaller is a caller for whom the same handle is sealed alike every time.
type plainCaller struct{ caller }

func (plainCaller) sealHandle(purpose, plain string) (string, error) {
	return purpose + " of " + strings.Repeat("*", len(plain)), nil
}
func (plainCaller) task(plain string) (heldTask, bool) {
	return heldTask{plain: plain, handle: "task"}, true
}
func (plainCaller) newTask(plain string) (heldTask, error) {
	return heldTask{plain: plain, handle: "task"}, nil
}

// mostInTest is the size of the largest entry.
const mostInTest = 700

// flowing filters a message that arrives in pieces, with small bounds. sent is what goes on before it fails, if it does.
func flowing(f *filter, msg []byte, size, hold int) (sent []byte, fr frame, err error) {
	f.flows(hold, mostInTest, max(hold, 4*mostInTest), func(*frame) error { return nil })
	defer f.flow.stop()
	for len(msg) > 0 {
		n := min(size, len(msg))
		piece := bytes.Clone(msg[:n])
		err := f.flow.write(piece)
		clear(piece) // whoever wrote it uses it again
		if err != nil {
			return sent, f.fr, err
		}
		sent = append(sent, f.flow.take()...)
		msg = msg[n:]
	}
	out, fr, err := f.flow.finish()
	return append(sent, out...), fr, err
}

// flowFilter is a filter for a member.
func flowFilter(tb testing.TB) *filter {
	tb.Helper()
	view := compile(tb, testPolicy).View(&policy.Subject{Roles: []string{"member"}}, "files")
	return &filter{view: view, maxTTL: 1000, scoped: true, caller: plainCaller{nobody}}
}

// flows are messages that are worth cutting, besides those of leaks.
var flows = []string{
	string(toolList(9)),
	`{"result":{"nextCursor":"after:hidden_vault","tools":[` + shownTool + `,{"name":"hidden_vault"}],"ttlMs":99999},"id":1,"jsonrpc":"2.0"}`,
	`{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"` + strings.Repeat(`long \u00e9 漢 \\ \" text `, 200) + `"}],"structuredContent":{"a":[1.5e3,true,null,{}]}}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"shown_lamp","description":"` + strings.Repeat("too large ", 100) + `"},` + shownTool + `]}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"tools":[` + shownTool + strings.Repeat(" ", 1000) + `,{"name":"shown_a"}]}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"` + strings.Repeat("x", 1000) + `":1,"name":"shown_a"},` + shownTool + `]}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"hidden_vault","description":"` + strings.Repeat("too large ", 100) + `"}]}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"content":[` + strings.Repeat(`"a",`, 100) + `1],"tasks":[{"taskId":"a","x":1},{"taskId":7},{"taskId":"b"}]}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"content":[` + strings.Repeat(`"a",`, 200) + `1],"inputRequests":{"a":{"params":{"x":"` + strings.Repeat("y", 900) + `"},"method":"roots/list"}},"requestState":"s"}}`,
	`{"jsonrpc":"2.0","id":1,"result":{"content":[` + strings.Repeat(`"a",`, 200) + `1],"cacheScope":"public"}}` + strings.Repeat(" \n", 40),
	`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"` + strings.Repeat("m", 1500) + `"}}`,
}

func TestAMessageInPiecesIsFilteredAsTheWhole(t *testing.T) {
	f := flowFilter(t)
	messages := flows
	for _, l := range hostile.Leaks {
		if len(l.Message) < 2000 {
			messages = append(messages, l.Message)
		}
	}
	for _, msg := range messages {
		want, wantFrame, wantErr := flowing(f, []byte(msg), len(msg), 1<<30)
		want = bytes.Clone(want)
		for _, size := range []int{1, 7, 64, 1000} {
			for _, hold := range []int{1, 200} {
				got, fr, err := flowing(f, []byte(msg), size, hold)
				checkPieces(t, f, msg, got, want, err, wantErr)
				if err == nil && (fr.filtered != wantFrame.filtered || fr.oversize != wantFrame.oversize || string(fr.id) != string(wantFrame.id)) {
					t.Fatalf("pieces of %d: %+v, want %+v", size, fr, wantFrame)
				}
			}
		}
	}
}

// checkPieces compares what becomes of a message in pieces with what becomes of the whole.
func checkPieces(t *testing.T, f *filter, msg string, got, want []byte, err, wantErr error) {
	t.Helper()
	switch {
	case err == errIndivisible || err == errUnheld:
		if len(msg) < mostInTest || json.Valid(got) {
			t.Fatalf("%q\nin pieces: %q, %v", msg, got, err)
		}
	case wantErr == nil && (err != nil || !bytes.Equal(got, want)):
		t.Fatalf("%q\nin pieces: %q, %v\nwhole:     %q", msg, got, err, want)
	case wantErr != nil && err == nil:
		t.Fatalf("%q\nin pieces: %q\nwhole:     %v", msg, got, wantErr)
	case wantErr != nil && json.Valid(got):
		t.Fatalf("%q: what went on before %v is whole: %q", msg, err, got)
	}
	for _, e := range listedSoFar(got) {
		if !f.view.Decide(e.kind, e.name).Allowed {
			t.Fatalf("%q: a client sees the %s %q in %q", msg, e.kind, e.name, got)
		}
	}
}

// listedEntry is an entry of a list, as a client reads it.
type listedEntry struct {
	kind policy.Kind
	name string
}

// listedSoFar returns the entries in the lists of a result of which there is only the beginning.
func listedSoFar(part []byte) (entries []listedEntry) {
	d := json.NewDecoder(bytes.NewReader(part))
	inside := func(want json.Delim) bool {
		token, err := d.Token()
		return err == nil && token == want
	}
	if !inside('{') {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return entries
		}
		if name != "result" {
			if d.Decode(new(any)) != nil {
				return entries
			}
			continue
		}
		if !inside('{') {
			return entries
		}
		for d.More() {
			list, err := d.Token()
			if err != nil {
				return entries
			}
			kind, member, known := listKind(list)
			if !known {
				if d.Decode(new(any)) != nil {
					return entries
				}
				continue
			}
			if !inside('[') {
				return entries
			}
			for d.More() {
				var entry map[string]any
				if d.Decode(&entry) != nil {
					return entries
				}
				text, _ := entry[member].(string)
				entries = append(entries, listedEntry{kind, text})
			}
			if !inside(']') {
				return entries
			}
		}
		return entries
	}
	return entries
}

// listKind says of what a member of a result is a list.
func listKind(name json.Token) (kind policy.Kind, member string, known bool) {
	switch name {
	case "tools":
		return policy.Tool, "name", true
	case "prompts":
		return policy.Prompt, "name", true
	case "resources":
		return policy.Resource, "uri", true
	case "resourceTemplates":
		return policy.Template, "uriTemplate", true
	}
	return 0, "", false
}

// FuzzFlow holds that a message in pieces is filtered as the whole, however it is cut, and that nothing hidden goes on
// before a fault is found.
func FuzzFlow(f *testing.F) {
	for i, msg := range flows {
		f.Add([]byte(msg), 1+7*i, 100)
	}
	for _, l := range hostile.Leaks {
		f.Add([]byte(l.Message), 5, 1)
	}
	filter := flowFilter(f)
	f.Fuzz(func(t *testing.T, msg []byte, size, hold int) {
		size, hold = max(1, min(size, 1<<12)), max(1, min(hold, 1<<12))
		want, _, wantErr := flowing(filter, msg, len(msg), 1<<30)
		want = bytes.Clone(want)
		got, _, err := flowing(filter, msg, size, hold)
		checkPieces(t, filter, string(msg), got, want, err, wantErr)
	})
}
