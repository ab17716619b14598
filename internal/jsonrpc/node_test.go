package jsonrpc

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"reflect"
	"sync"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// nodeScript reads a message a line, in Base64, and writes what Node's servers read in it: by JSON.parse, and after members
// were copied as frameworks do, which sets prototypes. It ends with its input.
const nodeScript = `
const look = (m) => {
	const p = m.params ?? {}, meta = p._meta ?? {}, ref = p.ref ?? {}, told = p.notifications ?? {};
	const task = (m.result?._meta ?? meta)['io.modelcontextprotocol/related-task'] ?? {};
	return [m.jsonrpc, m.method, m.id === undefined ? undefined : JSON.stringify(m.id), 'result' in m, 'error' in m, p.name, p.uri, p.cursor,
		p.taskId, p.requestState, ref.type, ref.name, ref.uri, p.protocolVersion, meta['io.modelcontextprotocol/protocolVersion'],
		task.taskId, told.resourceSubscriptions, told.taskIds];
};
const copy = (v) => Array.isArray(v) ? v.map(copy) : v && typeof v === 'object' ?
	Object.keys(v).reduce((to, k) => { to[k] = copy(v[k]); return to; }, {}) : v;
let rest = '';
process.stdin.setEncoding('latin1').on('data', (some) => {
	const lines = (rest + some).split('\n');
	rest = lines.pop();
	for (const line of lines) {
		let answer;
		try {
			const m = JSON.parse(Buffer.from(line, 'base64').toString('utf8'));
			answer = [look(m), look(copy(m))];
		} catch (e) {
			answer = String(e);
		}
		process.stdout.write(JSON.stringify(answer) + '\n');
	}
});
`

// node is a Node that reads messages. It runs until this process ends.
type node struct {
	mu  sync.Mutex
	in  io.Writer
	out *bufio.Reader
}

func startNode(tb testing.TB) *node {
	tb.Helper()
	cmd := exec.Command(peers.Node(tb), "-e", nodeScript)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &node{in: in, out: bufio.NewReader(out)}
}

// read returns what Node reads in a message: as it parses it, and as it is when it was copied.
func (n *node) read(t *testing.T, raw []byte) (ways [][]any) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, err := fmt.Fprintln(n.in, base64.StdEncoding.EncodeToString(raw)); err != nil {
		t.Fatal(err)
	}
	line, err := n.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &ways); err != nil {
		t.Fatalf("Node reads %q as %s", raw, line)
	}
	return ways
}

// sameToNode checks that JSON.parse finds in m's bytes what m says.
func sameToNode(t *testing.T, n *node, m *Message) {
	t.Helper()
	text := func(v Text) any {
		if !v.Set {
			return nil
		}
		return v.Value
	}
	list := func(all []Text) any {
		if len(all) == 0 {
			return nil
		}
		to := make([]any, len(all))
		for i, v := range all {
			to[i] = v.Value
		}
		return to
	}
	var method, id any
	if m.Kind == Request || m.Kind == Notification {
		method = m.Method
	}
	for _, got := range n.read(t, m.Raw) {
		if m.ID != nil {
			var want, read any
			text, _ := got[2].(string)
			if json.Unmarshal(m.ID, &want) != nil || json.Unmarshal([]byte(text), &read) != nil || want != read {
				t.Fatalf("Node reads the id of %s as %v", m.Raw, got[2])
			}
			id = got[2]
		}
		envelope := []any{"2.0", method, id, m.Kind == Result, m.Kind == Failure}
		if !reflect.DeepEqual(got[:5], envelope) {
			t.Fatalf("Node reads %s as %#v, not %#v", m.Raw, got[:5], envelope)
		}
		if m.RelatedTask.Set && got[15] != m.RelatedTask.Value {
			t.Fatalf("Node reads the related task of %s as %v", m.Raw, got[15])
		}
		if _, ok := specified[m.Method]; !ok {
			continue // the params of other methods are their own affair
		}
		p := &m.Params
		version := 14
		if m.Method == "initialize" && got[13] != nil {
			version = 13
		}
		want := []any{text(p.Name), text(p.URI), text(p.Cursor), text(p.TaskID), text(p.RequestState), text(p.RefType), text(p.RefName), text(p.RefURI)}
		if !reflect.DeepEqual(got[5:13], want) || got[version] != text(p.ProtocolVersion) {
			t.Fatalf("Node reads %s as %#v and %#v, not %#v and %#v", m.Raw, got[5:13], got[version], want, text(p.ProtocolVersion))
		}
		for i, want := range []any{list(p.Subscriptions), list(p.WatchedTasks)} {
			if empty, is := got[16+i].([]any); is && len(empty) == 0 {
				got[16+i] = nil
			}
			if !reflect.DeepEqual(got[16+i], want) {
				t.Fatalf("Node reads %s as watching %#v, not %#v", m.Raw, got[16+i], want)
			}
		}
	}
}

// TestNodeReadsWhatIsAccepted also shows that Node is asked: it takes the last of two names, and a name that a copy has
// from a prototype.
func TestNodeReadsWhatIsAccepted(t *testing.T) {
	n := startNode(t)
	for name, body := range accepted {
		m, err := Parse([]byte(body), Limits{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameToNode(t, n, m)
	}
	ways := n.read(t, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b","__proto__":{"cursor":"c"}}}`))
	if len(ways) != 2 || ways[0][5] != "b" || ways[0][7] != nil || ways[1][7] != "c" {
		t.Errorf("Node reads %v", ways)
	}
}
