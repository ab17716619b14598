package fetch

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// testHost is a name that the certificate of net/http/httptest is good for.
const testHost = "example.com"

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// names is a resolver that knows what a test says: the addresses of a name.
func names(t testing.TB, lookup func(name string) []string) *net.Resolver {
	t.Helper()
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			// As over TCP: each message after its length (RFC 1035 section 4.2.2).
			for {
				var length [2]byte
				if _, err := io.ReadFull(ours, length[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(ours, query); err != nil {
					return
				}
				reply := answerQuery(query, lookup)
				if _, err := ours.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
					return
				}
			}
		}()
		return theirs, nil
	}}
}

// answerQuery answers one DNS query.
func answerQuery(query []byte, lookup func(name string) []string) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m = dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	for _, text := range lookup(strings.TrimSuffix(q.Name.String(), ".")) {
		ip, header := netip.MustParseAddr(text), dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}
		switch {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			header.Type = dnsmessage.TypeA
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			header.Type = dnsmessage.TypeAAAA
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	packed, _ := m.Pack()
	return packed
}

// host is a web server on loopback, under the name testHost.
type host struct {
	*httptest.Server
	asked atomic.Int64
	port  string

	mu    sync.Mutex
	serve http.HandlerFunc
}

// newHost starts one; serve answers.
func newHost(t testing.TB, serve http.HandlerFunc) *host {
	t.Helper()
	h := &host{serve: serve}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked.Add(1)
		h.mu.Lock()
		serve := h.serve
		h.mu.Unlock()
		serve(w, r)
	}))
	h.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that are broken off are what some tests want
	h.StartTLS()
	t.Cleanup(h.Close)
	_, h.port, _ = net.SplitHostPort(h.Listener.Addr().String())
	return h
}

// now lets the server answer something else.
func (h *host) now(serve http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serve = serve
}

// address is that of a document there.
func (h *host) address(path string) string { return "https://" + testHost + ":" + h.port + path }

// client is one that may reach the server, unless o says otherwise.
func (h *host) client(t testing.TB, o Options) *Client {
	t.Helper()
	o.Roots = x509.NewCertPool()
	o.Roots.AddCert(h.Certificate())
	if o.Resolver == nil {
		o.Resolver = names(t, func(string) []string { return []string{"127.0.0.1"} })
	}
	return NewClient(o)
}

// clock is a clock that stands still.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// text writes a document that is fine.
func text(w http.ResponseWriter, body string, headers ...string) {
	w.Header().Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		w.Header().Set(headers[i], headers[i+1])
	}
	_, _ = io.WriteString(w, body)
}

// parseText is a parser of JSON strings.
func parseText(_ string, body []byte) (string, error) {
	var s string
	if err := json.Unmarshal(body, &s); err != nil {
		return "", &Refusal{Reason: "is no string", Err: err}
	}
	return s, nil
}
