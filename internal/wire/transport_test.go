package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server answers connections with a script, and counts them.
type server struct {
	*Transport
	host  string
	dials atomic.Int64
}

// serve starts a server that hands each connection to script, with its number, and closes it when that returns.
func serve(t *testing.T, script func(n int64, c net.Conn, r *bufio.Reader)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{host: listener.Addr().String()}
	s.Transport = &Transport{MaxIdle: 4, IdleTimeout: time.Minute, MaxHead: 1 << 12}
	s.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		s.dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	go func() {
		for n := int64(1); ; n++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				script(n, c, bufio.NewReader(c))
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		s.Close()
	})
	return s
}

// each answers every request of a connection with the same text.
func each(text string) func(int64, net.Conn, *bufio.Reader) {
	return func(_ int64, c net.Conn, r *bufio.Reader) {
		for read(r) == nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// read reads a request.
func read(r *bufio.Reader) error {
	request, err := http.ReadRequest(r)
	if err == nil {
		_, err = io.Copy(io.Discard, request.Body)
	}
	return err
}

// post makes a request.
func post(ctx context.Context, host, body string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/mcp", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	return r
}

// ask sends a request and returns the status and the body of its answer.
func (s *server) ask(t *testing.T) (string, error) {
	t.Helper()
	res, err := s.RoundTrip(post(t.Context(), s.host, "{}"))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return fmt.Sprintf("%d %s", res.StatusCode, text), err
}

const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func TestAnswersAndWhetherTheConnectionIsUsedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
		dials      int64 // for two requests
	}{
		"length":               {hello, "200 hello", 1},
		"chunks":               {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "200 hello", 1},
		"trailers":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", "200 hello", 1},
		"nothing":              {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", "202 ", 1},
		"no content":           {"HTTP/1.1 204 No Content\r\n\r\n", "204 ", 1},
		"informational first":  {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + hello, "200 hello", 1},
		"to be closed":         {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", "200 hello", 2},
		"an older version":     {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello", 2},
		"an older one, kept":   {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", "200 hello", 1},
		"more than was asked":  {hello + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", "200 hello", 2},
		"more after no body":   {"HTTP/1.1 204 No Content\r\n\r\npoison", "204 ", 2},
		"a status of no class": {"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", "99 ", 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, each(c.text))
			for range 2 {
				if got, err := s.ask(t); err != nil || got != c.want {
					t.Fatalf("%q, %v; want %q", got, err, c.want)
				}
			}
			if got := s.dials.Load(); got != c.dials {
				t.Errorf("%d connections, want %d", got, c.dials)
			}
		})
	}
}

func TestWhatIsNoAnswerIsAnError(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":              "",
		"half a head":          "HTTP/1.1 200 OK\r\nContent-Le",
		"half a body":          "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"half a chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhello",
		"no last chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"no HTTP":              "SSH-2.0-x\r\n\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"a head without end":   "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<13) + "\r\n\r\n",
		"heads without end":    strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1<<9) + hello,
		"other protocol":       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello",
		"a coding not defined": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(_ int64, c net.Conn, r *bufio.Reader) {
				_ = read(r)
				_, _ = io.WriteString(c, text)
			})
			if got, err := s.ask(t); err == nil {
				t.Errorf("got %q", got)
			}
			if len(s.idle.idle[s.host]) > 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

// TestWhatIsSaidUnaskedIsNoAnswer holds that a server, or whoever gets it to say more than it is asked, can't put an answer
// before the one to the next person's request.
func TestWhatIsSaidUnaskedIsNoAnswer(t *testing.T) {
	said := make(chan struct{})
	s := serve(t, func(n int64, c net.Conn, r *bufio.Reader) {
		for read(r) == nil {
			_, _ = io.WriteString(c, hello)
			if n == 1 {
				<-said
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
				said <- struct{}{}
			}
		}
	})
	for range 2 {
		if got, err := s.ask(t); err != nil || got != "200 hello" {
			t.Fatalf("%q, %v", got, err)
		}
		if s.dials.Load() == 1 {
			said <- struct{}{}
			<-said
		}
	}
	if s.dials.Load() != 2 {
		t.Error("the connection was used again")
	}
}

func TestAConnectionThatTheServerEndedIsNotUsed(t *testing.T) {
	closed := make(chan struct{}, 2)
	s := serve(t, func(_ int64, c net.Conn, r *bufio.Reader) {
		_ = read(r)
		_, _ = io.WriteString(c, hello)
		_ = c.Close()
		closed <- struct{}{}
	})
	for range 2 {
		if got, err := s.ask(t); err != nil || got != "200 hello" {
			t.Fatalf("%q, %v", got, err)
		}
		<-closed
	}
}

// TestAnAnswerMayComeBeforeTheRequestIsRead holds that the longest body that suits doesn't wait for the server to read it.
func TestAnAnswerMayComeBeforeTheRequestIsRead(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	s := serve(t, func(_ int64, c net.Conn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
		<-over
	})
	res, err := s.RoundTrip(post(t.Context(), s.host, strings.Repeat(" ", MaxBody)))
	if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatal(res, err)
	}
}

func TestInformationalAnswersAreTold(t *testing.T) {
	s := serve(t, each("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"+hello))
	var told []string
	stop := errors.New("enough")
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if told = append(told, fmt.Sprint(code, header)); len(told) == 2 {
			return stop
		}
		return nil
	}}
	ctx := httptrace.WithClientTrace(t.Context(), trace)
	res, err := s.RoundTrip(post(ctx, s.host, "{}"))
	if err != nil || res.StatusCode != http.StatusOK || len(told) != 1 || told[0] != "103 map[Link:[x]]" {
		t.Fatal(res, err, told)
	}
	_ = res.Body.Close()
	if _, err = s.RoundTrip(post(ctx, s.host, "{}")); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestTheEndOfTheContextEndsTheRequest(t *testing.T) {
	for name, text := range map[string]string{
		"before the head": "",
		"within the head": "HTTP/1.1 200 OK\r\n",
		"within the body": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			ctx, cancel := context.WithCancel(t.Context())
			s := serve(t, func(_ int64, c net.Conn, r *bufio.Reader) {
				defer close(ended)
				_ = read(r)
				_, _ = io.WriteString(c, text)
				if name != "within the body" {
					cancel()
				}
				_, _ = io.Copy(io.Discard, r) // until the connection ends
			})
			res, err := s.RoundTrip(post(ctx, s.host, "{}"))
			if err == nil {
				_, _ = io.ReadFull(res.Body, make([]byte, 5))
				cancel()
				for range 2 {
					if _, err = io.ReadAll(res.Body); !errors.Is(err, context.Canceled) {
						t.Fatal(err)
					}
				}
			}
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			<-ended
		})
	}
}

func TestTheEndOfTheContextEndsDialing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &Transport{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		return nil, errors.New("as the dialer words it")
	}}
	if _, err := s.RoundTrip(post(ctx, "h", "{}")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAnAnswerNotReadEndsItsConnection holds that what is left of one answer is never taken for the next.
func TestAnAnswerNotReadEndsItsConnection(t *testing.T) {
	s := serve(t, each(hello))
	res, err := s.RoundTrip(post(t.Context(), s.host, "{}"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(res.Body, make([]byte, 1))
	_ = res.Body.Close()
	if _, err := res.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Error(err)
	}
	if got, err := s.ask(t); err != nil || got != "200 hello" || s.dials.Load() != 2 {
		t.Errorf("%q, %v after %d connections", got, err, s.dials.Load())
	}
}

func TestConnectionsThatAreKeptAreBounded(t *testing.T) {
	s := serve(t, each(hello))
	var open []io.ReadCloser
	for range 9 {
		res, err := s.RoundTrip(post(t.Context(), s.host, "{}"))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, res.Body)
	}
	for _, body := range open {
		_, _ = io.Copy(io.Discard, body)
	}
	if kept := s.idle.idle[s.host]; len(kept) != s.MaxIdle {
		t.Errorf("%d are kept, want %d", len(kept), s.MaxIdle)
	}
	for _, c := range s.idle.idle[s.host][:2] {
		c.since = c.since.Add(-s.IdleTimeout)
	}
	s.idle.sweep(s.IdleTimeout)
	if kept := s.idle.idle[s.host]; len(kept) != s.MaxIdle-2 {
		t.Errorf("%d are kept after the first two were for too long", len(kept))
	}
	for _, c := range s.idle.idle[s.host] {
		c.since = c.since.Add(-s.IdleTimeout)
	}
	s.idle.sweep(s.IdleTimeout)
	if len(s.idle.idle) != 0 || s.idle.sweeps != nil {
		t.Error("something is left of them")
	}
	if _, err := s.ask(t); err != nil || len(s.idle.idle[s.host]) != 1 {
		t.Error(err, "and then none is kept")
	}
	s.Close()
	if _, err := s.ask(t); err != nil || len(s.idle.idle) != 0 {
		t.Error(err, "a connection is kept that nobody closes")
	}
}

// TestTheRequestIsTheOneThatNetHTTPSends holds that a server can't tell the two ways from each other.
func TestTheRequestIsTheOneThatNetHTTPSends(t *testing.T) {
	var seen []string
	var text bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text.Reset()
		_ = r.Write(&text)
		seen = append(seen, fmt.Sprint(text.String(), r.TransferEncoding, r.ContentLength, r.Close))
	}))
	defer server.Close()
	plain := &http.Transport{DisableCompression: true}
	defer plain.CloseIdleConnections()
	own := &Transport{Dial: new(net.Dialer).DialContext, MaxHead: 1 << 20}
	defer own.Close()
	for _, way := range []http.RoundTripper{plain, own} {
		r := post(t.Context(), server.Listener.Addr().String(), `{"a":1}`)
		r.URL.RawQuery, r.Host = "q=%20", "elsewhere.example"
		r.Header = http.Header{"Accept": {"a", "b"}, "User-Agent": {""}, "X-Nothing": nil, "X-Lines": {"a\r\nX-Smuggled: b"}, "Bad Name": {"x"}}
		if way == http.RoundTripper(plain) {
			r.Header = http.Header{"Accept": {"a", "b"}, "User-Agent": {""}, "X-Lines": {"a  X-Smuggled: b"}} // it refuses the others
		}
		res, err := way.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	if len(seen) != 2 || seen[0] != seen[1] {
		t.Errorf("net/http sends\n%s\nthis\n%s", seen[0], seen[1])
	}
}

func TestWhatSuits(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"another method":       func(r *http.Request) { r.Method = http.MethodGet },
		"a body to come":       func(r *http.Request) { r.GetBody = nil },
		"no body":              func(r *http.Request) { r.ContentLength = 0 },
		"a body of no length":  func(r *http.Request) { r.ContentLength = -1 },
		"a long body":          func(r *http.Request) { r.ContentLength = MaxBody + 1 },
		"the last request":     func(r *http.Request) { r.Close = true },
		"trailers":             func(r *http.Request) { r.Trailer = http.Header{"X": nil} },
		"a transfer encoding":  func(r *http.Request) { r.TransferEncoding = []string{"chunked"} },
		"another protocol":     func(r *http.Request) { r.Header.Set("Upgrade", "h2c") },
		"waiting for go-ahead": func(r *http.Request) { r.Header.Set("Expect", "100-continue") },
	} {
		r := post(t.Context(), "h", "{}")
		if Suits(r) != Supported {
			t.Fatal("a plain request does not suit")
		}
		if change(r); Suits(r) {
			t.Errorf("%s suits", name)
		}
	}
}

// FuzzAnswer holds that this reads an answer as net/http's transport does, whatever the server sends.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{hello, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + hello,
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nto the end", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "HTTP/1.1 101 x\r\n\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dial := func(context.Context, string, string) (net.Conn, error) { return script(text), nil }
		own := &Transport{Dial: dial, MaxHead: 10 << 20}
		plain := &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true}
		var got [2]string
		for i, way := range []http.RoundTripper{own, plain} {
			res, err := way.RoundTrip(post(t.Context(), "h", "{}"))
			if err != nil || res.StatusCode == http.StatusSwitchingProtocols {
				got[i] = "none"
				continue
			}
			body, err := io.ReadAll(res.Body)
			got[i] = fmt.Sprintf("%d %v %q %v %v", res.StatusCode, res.Header, body, res.Trailer, err != nil)
			_ = res.Body.Close()
		}
		if got[0] != got[1] {
			t.Errorf("%q is read as\n%s, by net/http as\n%s", text, got[0], got[1])
		}
	})
}

// scripted is a connection to a server that, once it is asked, says something and then nothing more.
type scripted struct {
	net.Conn
	rest   *strings.Reader
	asked  context.Context
	ask    context.CancelFunc
	closed atomic.Bool
}

func script(text string) *scripted {
	s := &scripted{rest: strings.NewReader(text)}
	s.asked, s.ask = context.WithCancel(context.Background())
	return s
}

func (s *scripted) Read(p []byte) (int, error) {
	<-s.asked.Done()
	if s.closed.Load() {
		return 0, net.ErrClosed
	}
	return s.rest.Read(p)
}

func (s *scripted) Write(p []byte) (int, error) {
	s.ask()
	return len(p), nil
}

func (s *scripted) Close() error {
	s.closed.Store(true)
	s.ask()
	return nil
}

func BenchmarkRoundTrip(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer server.Close()
	host := server.Listener.Addr().String()
	own := &Transport{Dial: new(net.Dialer).DialContext, MaxIdle: 4, MaxHead: 1 << 20}
	defer own.Close()
	plain := &http.Transport{DisableCompression: true}
	defer plain.CloseIdleConnections()
	for name, way := range map[string]http.RoundTripper{"own": own, "net-http": plain} {
		b.Run(name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				res, err := way.RoundTrip(post(ctx, host, "{}"))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		})
	}
}
