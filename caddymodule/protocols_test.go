package caddymodule

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// secureGateway is a gateway with a site on TLS besides, whose mount /mcp clients reach over any version of HTTP.
type secureGateway struct {
	*gateway
	port    string
	clients map[string]*http.Client // by protocol
}

// startSecure runs a gateway with the mount /mcp before an upstream.
func startSecure(t *testing.T, upstream *upstreamServer, global, site string) *secureGateway {
	t.Helper()
	g := &secureGateway{port: peers.FreePort(t)}
	address := "https://localhost:" + g.port
	g.gateway = startGateway(t, gatewayConfig{
		Global: "skip_install_trust\nauto_https disable_redirects\n" + global,
		App:    "default_resource " + address + "/mcp",
		Site:   "mcp_gateway",
		Rest:   address + " {\n tls internal\n log\n" + site + "\n" + mount("/mcp", upstream) + "}\n",
	})
	trusting := &tls.Config{InsecureSkipVerify: true} //nolint:gosec // a certificate that the test had made
	quic := &http3.Transport{TLSClientConfig: trusting.Clone(), DisableCompression: true}
	t.Cleanup(func() { _ = quic.Close() })
	g.clients = map[string]*http.Client{
		"HTTP/1.1": {Transport: &http.Transport{TLSClientConfig: trusting.Clone(), DisableCompression: true}},
		"HTTP/2.0": {Transport: &http.Transport{TLSClientConfig: trusting.Clone(), DisableCompression: true, ForceAttemptHTTP2: true}},
		"HTTP/3.0": {Transport: quic},
	}
	eventually(t, "there is a certificate", func() bool {
		connection, err := tls.Dial("tcp", "localhost:"+g.port, trusting)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
	return g
}

// send sends a request to the mount.
func (g *secureGateway) send(ctx context.Context, protocol, method, body string, header ...string) *http.Response {
	g.t.Helper()
	address := "https://localhost:" + g.port + "/mcp"
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+g.tokenFor(address))
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("Mcp-Protocol-Version", "2025-06-18")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := g.clients[protocol].Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Proto != protocol {
		g.t.Fatalf("%s, answered %s with %s", protocol, res.Proto, res.Status)
	}
	return res
}

// listTools asks for the tools.
const listTools = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`

// note is a notification with a number.
func note(n int) string {
	return fmt.Sprintf(`data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%d}}`, n)
}

// lockstep is an upstream that writes each event only when the test says that the client has the one before.
type lockstep struct {
	next chan struct{} // one for each event
	gone chan struct{} // once for each stream that the gateway left
	last chan string   // what the stream ends with: "answer", "break"
}

func (l *lockstep) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for n := 0; ; n++ {
		select {
		case <-l.next:
			fmt.Fprint(w, note(n), "\n\n")
			_ = http.NewResponseController(w).Flush()
		case how := <-l.last:
			if how == "break" {
				fmt.Fprint(w, "data: {") // in the midst of an event
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			fmt.Fprint(w, `data: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}`+"\n\n")
			return
		case <-r.Context().Done():
			l.gone <- struct{}{}
			return
		}
	}
}

// TestEveryProtocolCarriesStreams runs calls and streams over each version of HTTP, with and without a content coding and
// an access log around: an event arrives before the next is written, who leaves is noticed at the other side, and what
// breaks off there ends in order here.
func TestEveryProtocolCarriesStreams(t *testing.T) {
	for setting, options := range map[string][2]string{
		"alone":        {"", ""},
		"under encode": {"order encode before mcp_gateway\n", "encode gzip zstd"},
	} {
		t.Run(setting, func(t *testing.T) {
			upstream := newUpstream(t)
			steps := &lockstep{make(chan struct{}), make(chan struct{}), make(chan string)}
			g := startSecure(t, upstream, options[0], options[1])
			for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
				upstream.answers(answerRPC)
				res := g.send(t.Context(), protocol, http.MethodPost, listTools)
				list, err := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if err != nil || !bytes.Contains(list, []byte("get_weather")) || bytes.Contains(list, []byte("delete_everything")) {
					t.Fatalf("%s: %s %v", protocol, list, err)
				}
				upstream.answers(steps.ServeHTTP)
				for _, message := range []string{"", callWeather} {
					method := http.MethodPost
					if message == "" {
						method = http.MethodGet
					}
					for _, end := range []string{"leave", "answer", "break"} {
						ctx, leave := context.WithCancel(t.Context())
						res := g.send(ctx, protocol, method, message, "Accept-Encoding", "gzip, zstd")
						if coding := res.Header.Get("Content-Encoding"); coding != "" {
							t.Errorf("%s: a stream is coded in %s", protocol, coding)
						}
						lines := bufio.NewScanner(res.Body)
						for n := range 5 {
							steps.next <- struct{}{}
							if !lines.Scan() || lines.Text() != note(n) || !lines.Scan() {
								t.Fatalf("%s, %s: event %d is %q, %v", protocol, method, n, lines.Text(), lines.Err())
							}
						}
						if end == "leave" {
							leave()
							select {
							case <-steps.gone:
							case <-time.After(patience):
								t.Fatalf("%s, %s: the server never learns that the client has left", protocol, method)
							}
							continue
						}
						steps.last <- end
						var rest []string
						for lines.Scan() {
							rest = append(rest, lines.Text())
						}
						all := strings.Join(rest, "\n")
						switch {
						case lines.Err() != nil:
							t.Errorf("%s, %s, %s: it is torn: %v", protocol, method, end, lines.Err())
						case method == http.MethodPost && end == "answer" && !strings.Contains(all, `"id":1,"result"`),
							method == http.MethodPost && end == "break" && !strings.Contains(all, `"id":1,"error"`),
							method == http.MethodGet && end == "break" && all != "":
							t.Errorf("%s, %s, %s: it ends with %q", protocol, method, end, all)
						}
						_ = res.Body.Close()
						leave()
					}
				}
			}
		})
	}
}

// TestEncodeCodesWhatItIsPutBefore holds that lists are coded, to the same bytes, where the operator puts encode before the
// gateway, and nowhere else.
func TestEncodeCodesWhatItIsPutBefore(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprint("ordered ", ordered), func(t *testing.T) {
			upstream := newUpstream(t)
			padding := strings.Repeat("long text ", 400)
			upstream.answers(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"get_weather","description":%q},{"name":"delete_everything"}]}}`, padding)
			})
			global := ""
			if ordered {
				global = "order encode before mcp_gateway\n"
			}
			g := startSecure(t, upstream, global, "encode gzip")
			for protocol := range g.clients {
				plain := g.send(t.Context(), protocol, http.MethodPost, listTools)
				want, err := io.ReadAll(plain.Body)
				_ = plain.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				res := g.send(t.Context(), protocol, http.MethodPost, listTools, "Accept-Encoding", "gzip")
				var reader io.Reader = res.Body
				if coded := res.Header.Get("Content-Encoding") == "gzip"; coded != ordered {
					t.Errorf("%s: coded: %v", protocol, coded)
				} else if coded {
					if reader, err = gzip.NewReader(res.Body); err != nil {
						t.Fatal(err)
					}
				}
				got, err := io.ReadAll(reader)
				_ = res.Body.Close()
				if err != nil || !bytes.Equal(got, want) || bytes.Contains(got, []byte("delete_everything")) {
					t.Errorf("%s: %.100s, %v, want %.100s", protocol, got, err, want)
				}
			}
		})
	}
}

// TestAClientThatDoesNotReadHoldsTheServerBack has a server write as much as it can to a client that does not read: what is
// in the gateway must not grow with it.
func TestAClientThatDoesNotReadHoldsTheServerBack(t *testing.T) {
	const most = 64 << 20 // the kernels' buffers on the way, and the windows of HTTP/2 and HTTP/3, are within that
	upstream := newUpstream(t)
	var written atomic.Int64
	gone := make(chan struct{})
	event := note(0) + strings.Repeat(" ", 16<<10) + "\n\n"
	upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for written.Load() < 4*most {
			n, err := io.WriteString(w, event)
			if written.Add(int64(n)); err != nil {
				break
			}
		}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	g := startSecure(t, upstream, "", "")
	for protocol := range g.clients {
		written.Store(0)
		ctx, leave := context.WithCancel(t.Context())
		g.send(ctx, protocol, http.MethodGet, "")
		before, still := int64(-1), 0
		eventually(t, protocol+": the server is held back", func() bool {
			now := written.Load()
			if still++; now != before || now == 0 {
				still = 0
			}
			before = now
			return still == 50
		})
		if before > most {
			t.Errorf("%s: the server wrote %d MiB to a client that does not read", protocol, before>>20)
		}
		t.Logf("%s: %d KiB", protocol, before>>10)
		leave()
		select {
		case <-gone:
		case <-time.After(patience):
			t.Fatalf("%s: the server never learns that the client has left", protocol)
		}
	}
}

// TestAClientThatSendsSlowlyIsBoundedByTheServersTimeouts has a client that never finishes its message: the MCP server hears
// nothing of it, and the operator's read_body ends it.
func TestAClientThatSendsSlowlyIsBoundedByTheServersTimeouts(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Global: "servers {\n timeouts {\n read_body 200ms\n }\n}\n", Site: mount("/mcp", upstream)})
	token := g.token("/mcp")
	connection, err := net.Dial("tcp", "localhost:"+g.config.Port)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "POST /mcp HTTP/1.1\r\nHost: localhost:%s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", g.config.Port, token)
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(connection)
	if err != nil || len(answer) > 0 && !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
		t.Errorf("%q, %v", answer, err)
	}
	if len(upstream.requests()) > 0 {
		t.Error("the MCP server was asked")
	}
}
