package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// tap is a proxy on this machine that hands every request and answer on as they are, and notes them.
type tap struct {
	url    string            // http://localhost:port
	tokens map[string]string // by path: what requests get as their token, if anything

	proxy http.Handler
	mu    sync.Mutex
	all   []*exchange
}

// exchange is one HTTP request and its answer.
type exchange struct {
	Number  string // the same at every tap on the way, but for the first: there it is given
	Method  string
	Request []byte
	Status  int
	Header  http.Header // of the answer

	mu     sync.Mutex
	answer bytes.Buffer
}

// exchangeHeader carries an exchange's number from tap to tap.
const exchangeHeader = "X-Exchange"

// newTap listens; where requests go is told later.
func newTap(t testing.TB) *tap {
	t.Helper()
	p := new(tap)
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	p.url = "http://localhost:" + server.URL[strings.LastIndexByte(server.URL, ':')+1:]
	return p
}

// to says where requests go, and returns the tap.
func (p *tap) to(t testing.TB, origin string) *tap {
	t.Helper()
	target, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		// A connection for each request: one that is kept can be closed by a reload in the moment in which it is chosen, and
		// net/http doesn't send a POST again.
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if token := p.tokens[r.In.URL.Path]; token != "" {
				r.Out.Header.Set("Authorization", "Bearer "+token)
			}
		},
	}
	p.mu.Lock() // requests of other programs are not ordered after it otherwise
	p.proxy = proxy
	p.mu.Unlock()
	return p
}

// ServeHTTP implements http.Handler.
func (p *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The body is read before anything is handed on: a server that answers early would otherwise have the proxy close it
	// while it is being sent, and tear the answer.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	e := &exchange{Number: r.Header.Get(exchangeHeader), Method: r.Method, Request: body}
	p.mu.Lock()
	if e.Number == "" {
		e.Number = strconv.Itoa(len(p.all))
		r.Header.Set(exchangeHeader, e.Number)
	}
	p.all = append(p.all, e)
	proxy := p.proxy
	p.mu.Unlock()
	proxy.ServeHTTP(&tapped{ResponseWriter: w, exchange: e}, r)
}

// taken returns the exchanges that there were since it was last called.
func (p *tap) taken() []*exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.all
	p.all = nil
	return all
}

// Answer returns what has come of the answer.
func (e *exchange) Answer() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Clone(e.answer.Bytes())
}

// tapped notes an answer on its way.
type tapped struct {
	http.ResponseWriter
	exchange *exchange
}

// WriteHeader implements http.ResponseWriter.
func (w *tapped) WriteHeader(status int) {
	w.exchange.mu.Lock()
	w.exchange.Status, w.exchange.Header = status, w.Header().Clone()
	w.exchange.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *tapped) Write(p []byte) (int, error) {
	w.exchange.mu.Lock()
	w.exchange.answer.Write(p)
	w.exchange.mu.Unlock()
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController, with which proxies flush.
func (w *tapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }
