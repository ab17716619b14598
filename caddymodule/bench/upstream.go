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

// What a request asks of the upstream: a list of so many tools, whose bytes differ each time in every one of them, and an
// answer as an event stream.
const (
	toolsMark  = `"tools":`
	freshMark  = `"fresh"`
	streamMark = `"stream"`
)

// cases are the requests that are measured.
var cases = makeCases()

func makeCases() []benchCase {
	all := []benchCase{
		{name: "tools/call, JSON", body: request("tools/call", `"name":"get_item_00050","arguments":{"id":"a1b2c3","limit":25,"fields":["name","size"]}`), want: "the item asked for"},
		{name: "tools/call, SSE", body: request("tools/call", `"name":"get_item_00050","arguments":{"id":"a1b2c3","mode":"stream"}`), want: "the item asked for"},
	}
	for _, tools := range listSizes {
		for _, as := range []struct{ name, mark string }{{"JSON", ""}, {"SSE", `,"as":"stream"`}} {
			for _, bytes := range []struct{ name, mark string }{{"the same bytes again", ""}, {"new bytes each time", `,"bytes":"fresh"`}} {
				all = append(all, benchCase{
					name: fmt.Sprintf("tools/list of %d, %s, %s", tools, as.name, bytes.name),
					body: request("tools/list", fmt.Sprintf(`"_meta":{"tools":%d%s%s}`, tools, as.mark, bytes.mark)),
					want: "get_item_00003", hidden: "delete_item_00005",
				})
			}
		}
	}
	return all
}

func request(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`
}

// listSizes are how many tools the upstream lists. One in ten is a delete_item_…, which the policy denies.
var listSizes = []int{10, 100, 1000, 10_000}

// toolList is the answer to tools/list, of about 600 bytes a tool.
type toolList struct {
	answer []byte
	marks  []int // in it: where in each tool a number stands that can be changed
}

const turnDigits = "00000000"

func newToolList(tools int) *toolList {
	l := new(toolList)
	var out bytes.Buffer
	out.WriteString(`{"jsonrpc":"2.0","id":1,"result":{"tools":[`)
	for i := range tools {
		if i > 0 {
			out.WriteByte(',')
		}
		verb := "get"
		if i%10 == 5 {
			verb = "delete"
		}
		fmt.Fprintf(&out, `{"name":"%s_item_%05d","title":"Item %d","description":"Turn `, verb, i, i)
		l.marks = append(l.marks, out.Len())
		fmt.Fprintf(&out, turnDigits+`. %s","inputSchema":{"type":"object","properties":{`+
			`"id":{"type":"string","description":"The item's identifier, as a list of items gives it"},`+
			`"limit":{"type":"integer","minimum":1,"maximum":100,"default":25},"fields":{"type":"array","items":{"type":"string"}}},"required":["id"]},`+
			`"annotations":{"readOnlyHint":%t,"openWorldHint":false}}`, strings.Repeat("Looks after one item of the inventory. ", 6), verb == "get")
	}
	out.WriteString(`]}}`)
	l.answer = out.Bytes()
	return l
}

// fresh returns the answer with another number in every tool.
func (l *toolList) fresh(turn int64) []byte {
	answer := bytes.Clone(l.answer)
	number := fmt.Appendf(nil, "%0*d", len(turnDigits), turn)
	for _, at := range l.marks {
		copy(answer[at:], number)
	}
	return answer
}

// asked returns the list that a request asks for.
func asked(lists map[string]*toolList, body []byte) *toolList {
	_, rest, _ := bytes.Cut(body, []byte(toolsMark))
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	return lists[string(rest[:end])]
}

// serveUpstream is the upstream process: as fast an MCP server as net/http allows. It writes its address to out, and
// ends when its standard input does, so that it never outlives the program that started it.
func serveUpstream(out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	const call = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"the item asked for, with its name and its size"}],"isError":false}}`
	lists := make(map[string]*toolList)
	for _, tools := range listSizes {
		lists[strconv.Itoa(tools)] = newToolList(tools)
	}
	var count atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			watched(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		answer := []byte(call)
		if list := asked(lists, body); list != nil {
			answer = list.answer
			if bytes.Contains(body, []byte(freshMark)) {
				answer = list.fresh(count.Add(1))
			}
		}
		if bytes.Contains(body, []byte(streamMark)) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, part := range [][]byte{[]byte("event: message\ndata: "), answer, []byte("\n\n")} {
				_, _ = w.Write(part)
			}
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

// watched opens a stream on which one event is sent.
func watched(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"open"}}`+"\n\n")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}
