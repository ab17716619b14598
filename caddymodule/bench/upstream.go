package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// A benchCase is one kind of request, and what its answer must hold to count.
type benchCase struct {
	name string
	// body is the request. The upstream answers by what it holds, without parsing it: it is not what is measured.
	body string
	// want is in the answer of every arm, hidden in none but the gateway's.
	want, hidden string
}

// freshMark asks the upstream for a list whose bytes differ each time, and streamMark for an answer as an event stream.
const (
	freshMark  = `"fresh"`
	streamMark = `"stream"`
)

var cases = []benchCase{
	{name: "tools/call, JSON", body: request("tools/call", `"name":"get_item_050","arguments":{"id":"a1b2c3","limit":25,"fields":["name","size"]}`), want: "the item asked for"},
	{name: "tools/call, SSE", body: request("tools/call", `"name":"get_item_050","arguments":{"id":"a1b2c3","mode":"stream"}`), want: "the item asked for"},
	{name: "tools/list of 100, the same bytes again", body: request("tools/list", ``), want: "get_item_050", hidden: "delete_item_005"},
	{name: "tools/list of 100, new bytes each time", body: request("tools/list", `"_meta":{"note":"fresh"}`), want: "get_item_050", hidden: "delete_item_005"},
}

func request(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`
}

// toolCount is how many tools the upstream lists. One in ten is a delete_item_…, which the policy denies.
const toolCount = 100

// toolList makes a tools/list result of about 60 KB.
func toolList() []byte {
	var out bytes.Buffer
	out.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"tools":[`)
	for i := range toolCount {
		if i > 0 {
			out.WriteByte(',')
		}
		verb := "get"
		if i%10 == 5 {
			verb = "delete"
		}
		fmt.Fprintf(&out, `{"name":"%s_item_%03d","title":"Item %d","description":%q,"inputSchema":{"type":"object","properties":{`+
			`"id":{"type":"string","description":"The item's identifier, as a list of items gives it"},`+
			`"limit":{"type":"integer","minimum":1,"maximum":100,"default":25},"fields":{"type":"array","items":{"type":"string"}}},"required":["id"]},`+
			`"annotations":{"readOnlyHint":%t,"openWorldHint":false}}`, verb, i, i, strings.Repeat("Looks after one item of the inventory. ", 6), verb == "get")
	}
	out.WriteString(`]}}`)
	return out.Bytes()
}

// serveUpstream is the upstream process: as fast an MCP server as net/http allows. It writes its address to out, and
// ends when its standard input does, so that it never outlives the program that started it.
func serveUpstream(out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	const call = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"the item asked for, with its name and its size"}],"isError":false}}`
	list := toolList()
	var count atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		answer := []byte(call)
		if bytes.Contains(body, []byte("tools/list")) {
			answer = list
			if bytes.Contains(body, []byte(freshMark)) {
				tail := `,"_meta":{"n":` + strconv.FormatInt(count.Add(1), 10) + `}}}`
				answer = append(bytes.Clone(list[:len(list)-2]), tail...)
			}
		}
		if bytes.Contains(body, []byte(streamMark)) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = fmt.Fprintf(w, "event: message\ndata: %s\n\n", answer)
			_ = http.NewResponseController(w).Flush() // as a server does that may have more to say
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer)
	})
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = listener.Close()
	}()
	if err := http.Serve(listener, handler); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
