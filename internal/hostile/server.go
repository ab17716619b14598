package hostile

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Server is an MCP server that answers with whatever bytes it is given, and keeps what it was sent. It is safe for
// concurrent use.
type Server struct {
	Address string // host and port

	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	answer Reply
	conns  map[net.Conn]bool
	got    []Received
}

// Reply writes the answer to one request. It returns whether the connection can be used again.
type Reply func(w io.Writer, q *Received) (again bool)

// Received is a request with its head as it was on the wire.
type Received struct {
	Request
	Head string
}

// NewServer starts a server, which ends with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: listener.Addr().String(), listener: listener, conns: make(map[net.Conn]bool)}
	s.serving.Go(s.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		for conn := range s.conns {
			_ = conn.Close()
		}
		s.conns = nil
		s.mu.Unlock()
		s.serving.Wait()
	})
	return s
}

// Answers sets how requests are answered from now on.
func (s *Server) Answers(with Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = with
}

// Took returns the requests since it was called last.
func (s *Server) Took() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.conns == nil {
			_ = conn.Close()
		} else {
			s.conns[conn] = true
			s.serving.Go(func() { s.serve(conn) })
		}
		s.mu.Unlock()
	}
}

// serve reads the requests of a connection as strictly as net/http does, and keeps what is behind the last of them, too.
func (s *Server) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	var wire bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &wire))
	for {
		before := wire.Len() - in.Buffered()
		r, err := http.ReadRequest(in)
		if err != nil {
			if rest := wire.Bytes()[before:]; len(rest) > 0 {
				s.keep(Received{Request{"", "", nil, bytes.Clone(rest)}, string(rest)})
			}
			return
		}
		head, _, _ := strings.Cut(string(wire.Bytes()[before:]), "\r\n\r\n")
		body, err := io.ReadAll(r.Body)
		q := Received{Request{r.Method, r.RequestURI, r.Header, body}, head}
		answer := s.keep(q)
		if err != nil || answer == nil || !answer(conn, &q) {
			return
		}
	}
}

// keep notes a request, and returns how it is to be answered.
func (s *Server) keep(q Received) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, q)
	return s.answer
}

// Oddity says what in the head of a request could have two servers disagree where it ends, or what it is. It is empty
// if nothing could.
func (q *Received) Oddity() string {
	lines := strings.Split(q.Head, "\r\n")
	first := strings.Split(lines[0], " ")
	if len(first) != 3 || first[2] != "HTTP/1.1" {
		return "the first line is " + lines[0]
	}
	seen := map[string]int{}
	for _, line := range lines[1:] {
		name, value, found := strings.Cut(line, ":")
		switch {
		case !found || name == "" || strings.ContainsAny(name, " \t\x00"):
			return "a line is " + line
		case strings.ContainsAny(value, "\r\n\x00"):
			return "a line breaks: " + line
		}
		seen[strings.ToLower(name)]++
	}
	for _, once := range []string{
		"host", "content-length", "content-type", "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "last-event-id",
	} {
		if seen[once] > 1 {
			return once + " is there twice"
		}
	}
	for _, never := range []string{"transfer-encoding", "content-encoding", "trailer", "te", "upgrade", "expect", "cookie", "range"} {
		if seen[never] > 0 {
			return never + " is there"
		}
	}
	if seen["host"] != 1 || len(q.Body) > 0 && seen["content-length"] != 1 {
		return "there is no host, or no length"
	}
	return ""
}
