package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
)

// Fewest that there are at least, so that no matrix shrinks unnoticed.
const (
	fewestAttacks = 5_000
	fewestWires   = 600
	fewestAnswers = 4_000
)

// hostilePolicy is hostile.Policy as the Caddyfile has it.
const hostilePolicy = `role member {
	allow files tools shown_* echo
	allow files prompts shown_*
	allow files resources docs://shown/**
	allow files templates docs://shown/**
}`

// besieged starts a gateway in front of a hostile server.
func besieged(t *testing.T, block ...string) (*gateway, *hostile.Server) {
	t.Helper()
	server := hostile.NewServer(t)
	g := startGateway(t, gatewayConfig{
		Policy: hostilePolicy,
		Site:   "mcp_gateway /mcp " + server.Address + " {\nserver files\n" + strings.Join(block, "\n") + "\n}\n",
	})
	return g, server
}

// line is a connection to the gateway on which anything may be sent.
type line struct {
	t    *testing.T
	g    *gateway
	conn net.Conn
	in   *bufio.Reader
}

func (w *line) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.conn = nil
	}
}

// write sends text, on a new connection if there is none.
func (w *line) write(text string) error {
	if w.conn == nil {
		conn, err := net.Dial("tcp", "localhost:"+w.g.config.Port)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			w.t.Fatal(err)
		}
		w.conn, w.in = conn, bufio.NewReader(conn)
	}
	_, err := io.WriteString(w.conn, text)
	return err
}

// ask sends a request and returns the answer, whose head is as net/http writes it again.
func (w *line) ask(text string) (status int, head, body string) {
	w.t.Helper()
	for tries := 0; ; tries++ {
		reused := w.conn != nil
		err := w.write(text)
		var res *http.Response
		if err == nil || reused {
			res, err = http.ReadResponse(w.in, nil)
		}
		for err == nil && res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			head += res.Status + fmt.Sprint(res.Header)
			res, err = http.ReadResponse(w.in, nil)
		}
		if err != nil {
			w.close()
			if reused && tries == 0 {
				continue // it was closed behind the last answer
			}
			return 0, head, err.Error()
		}
		content, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		var lines strings.Builder
		_ = res.Header.Write(&lines)
		_ = res.Trailer.Write(&lines)
		if res.Close {
			w.close()
		}
		return res.StatusCode, head + res.Status + "\n" + lines.String(), string(content)
	}
}

// requestText writes a request as a client does that does not look at it.
func (g *gateway) requestText(method, target string, header http.Header, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost:%s\r\nAuthorization: Bearer %s\r\n", method, target, g.config.Port, g.token("/mcp"))
	for key, values := range header {
		for _, v := range values {
			b.WriteString(key + ": " + v + "\r\n")
		}
	}
	if method == http.MethodPost {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return b.String() + "\r\n" + string(body)
}

var anID = regexp.MustCompile(`"id" ?: ?("[^"]*"|[0-9]+)`)

// answerAll answers as an honest server does that reads carelessly.
func answerAll(w io.Writer, q *hostile.Received) bool {
	id := "1"
	if found := anID.FindSubmatch(q.Body); found != nil {
		id = string(found[1])
	}
	body := `{"jsonrpc":"2.0","id":` + id + `,"result":{}}`
	_, err := fmt.Fprintf(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return err == nil
}

// executed returns what a server would do of what it got that it should not.
func executed(got []hostile.Received) string {
	for i := range got {
		q := &got[i]
		what := q.Executes()
		if what == "" {
			what = q.Oddity()
		}
		if what == "" && q.Target != "/mcp" {
			what = "it was sent to " + q.Target
		}
		if what != "" {
			return fmt.Sprintf("%s\n%.1000s\n\n%.1000s", what, q.Head, q.Body)
		}
	}
	return ""
}

// TestNoAttackRunsWhatIsHidden sends every attack of a client's to a Caddy, byte for byte.
func TestNoAttackRunsWhatIsHidden(t *testing.T) {
	g, server := besieged(t)
	server.Answers(answerAll)
	sent, wentOn, executions := 0, 0, 0
	w := &line{t: t, g: g}
	defer w.close()
	for _, rev := range hostile.Revisions {
		for _, a := range slices.Concat(hostile.Attacks, hostile.HeaderAttacks) {
			for one := range a.Cases(rev) {
				sent++
				status, _, body := w.ask(g.requestText(http.MethodPost, "/mcp", one.Header, one.Body))
				got := server.Took()
				wentOn += len(got)
				if what := executed(got); what != "" {
					executions++
					t.Errorf("%s: %s, %s: a server would run it: %s", rev, a.Name, one.Name, what)
				}
				if passed := status == 200 && !strings.Contains(body, `"error"`); passed != a.Passes || passed != (len(got) > 0) {
					t.Errorf("%s: %s, %s: %d went on, answered with %d %.300s", rev, a.Name, one.Name, len(got), status, body)
				}
			}
		}
	}
	t.Logf("%d attacks × %d revisions × methods = %d requests through Caddy: %d went on, %d executions",
		len(hostile.Attacks)+len(hostile.HeaderAttacks), len(hostile.Revisions), sent, wentOn, executions)
	if sent < fewestAttacks || wentOn == 0 {
		t.Errorf("the matrix has shrunk: %d requests, of which %d went on", sent, wentOn)
	}
}

// TestNoBytesOnTheWireRunWhatIsHidden sends requests that two servers may read in two ways, and looks after each whether
// the next client gets its own answer.
func TestNoBytesOnTheWireRunWhatIsHidden(t *testing.T) {
	g, server := besieged(t)
	server.Answers(answerAll)
	honest := &line{t: t, g: g}
	defer honest.close()
	sent, wentOn, executions := 0, 0, 0
	try := func(name, text string) {
		sent++
		w := &line{t: t, g: g}
		defer w.close()
		err := w.write(text)
		if err == nil {
			err = w.conn.(*net.TCPConn).CloseWrite() // whoever waits for more gets none
		}
		if err == nil {
			_, _ = io.ReadAll(w.in) // an error means that the gateway has had enough
		}
		id := fmt.Sprintf(`"own-%d"`, sent)
		_, _, body := honest.ask(g.requestText(http.MethodPost, "/mcp", http.Header{"Content-Type": {"application/json"}}, []byte(`{"jsonrpc":"2.0","id":`+id+`,"method":"ping"}`)))
		if !strings.Contains(body, `"id":`+id+`,"result"`) {
			t.Errorf("%s: the next client gets %s", name, body)
		}
		got := server.Took()
		if what := executed(got); what != "" {
			executions++
			t.Errorf("%s: a server would run it: %s", name, what)
		}
		wentOn += len(got) - 1
	}
	for _, rev := range hostile.Revisions {
		for _, v := range hostile.Wires {
			try(rev+": "+v.Name, g.fill(v, rev))
		}
	}
	for _, path := range hostile.Paths {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
			try(method+" "+path, strings.ReplaceAll(g.fill(hostile.Wires[0], "2025-06-18"), "POST /mcp ", method+" "+path+" "))
		}
	}
	t.Logf("%d requests on the wire × %d revisions, and %d paths × 3 methods = %d: %d went on, %d executions",
		len(hostile.Wires), len(hostile.Revisions), len(hostile.Paths), sent, wentOn, executions)
	if sent < fewestWires || wentOn < len(hostile.Revisions) {
		t.Errorf("the matrix has shrunk: %d requests, of which %d went on", sent, wentOn)
	}
}

// fill puts what is known only here into a request.
func (g *gateway) fill(v hostile.Wire, rev string) string {
	text := v.Text
	if !v.Bare {
		head, body, found := strings.Cut(text, "\n\n")
		text = strings.ReplaceAll(head, "\n", "\r\n")
		if found {
			text += "\r\n\r\n" + strings.ReplaceAll(body, "\n", "\r\n")
		}
	}
	auth := "Authorization: Bearer " + g.token("/mcp")
	if rev != "2025-03-26" {
		auth += "\r\nMcp-Protocol-Version: " + rev
	}
	if rev == hostile.Modern {
		auth += "\r\nMcp-Method: tools/call"
		if !strings.Contains(text, "Mcp-Name") {
			auth += "\r\nMcp-Name: echo"
		}
	}
	call, echo := hostile.WireMessages(rev)
	var bytes strings.Builder
	for i := range len(call) {
		bytes.WriteString("1\r\n" + call[i:i+1] + "\r\n")
	}
	return strings.NewReplacer(
		"{host}", "localhost:"+g.config.Port, "{auth}", auth, "{mount}", "/mcp", "{call}", call, "{echo}", echo, "{bytes}", bytes.String(),
		"{len}", fmt.Sprint(len(call)), "{echolen}", fmt.Sprint(len(echo)), "{both}", fmt.Sprint(len(call)+len(echo)),
		"{hex}", fmt.Sprintf("%x", len(call)), "{echohex}", fmt.Sprintf("%x", len(echo)),
	).Replace(text)
}
