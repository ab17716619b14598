package guard

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/hostile"
)

// fewestRequests is how many requests of attacks there are at least: the matrix does not shrink unnoticed.
const fewestRequests = 10_000

// TestNoRequestRunsWhatIsHidden sends every attack, for every method it is for, in every revision, by itself, in a
// batch, and over HTTP+SSE. What goes on must not make any server do what is hidden.
func TestNoRequestRunsWhatIsHidden(t *testing.T) {
	g, c := fuzzGuard(t)
	place := endpointOf(t, g, c)
	attacks := slices.Concat(hostile.Attacks, hostile.HeaderAttacks)
	sent, wentOn, executed := 0, 0, 0
	try := func(way string, one hostile.Case) {
		sent++
		on, w := passTo(g, c, one.Target, one.Header.Clone(), one.Body)
		wentOn += len(on)
		for _, r := range on {
			q := hostile.Request{Method: r.method, Header: r.header, Body: r.body}
			if what := q.Executes(); what != "" {
				executed++
				t.Errorf("%s: %s, %s: a server would run it: %s\n%v %.2000s", way, one.Attack.Name, one.Name, what, r.header, r.body)
			}
		}
		refused := w.Code >= 400 || strings.Contains(w.Body.String(), `"error"`)
		if one.Attack.Passes == (len(on) == 0) || one.Attack.Passes == refused {
			t.Errorf("%s: %s, %s: %d went on, answered with %d %s", way, one.Attack.Name, one.Name, len(on), w.Code, w.Body)
		}
	}
	for _, rev := range hostile.Revisions {
		for _, a := range attacks {
			for one := range a.Cases(rev) {
				try(rev, one)
				if batch, can := one.InBatch(); can && rev == "2025-03-26" && !a.Passes {
					try(rev+", batch", batch)
				}
				if !isModern(rev) && !a.Passes {
					one.Target = place
					try(rev+", HTTP+SSE", one)
				}
			}
		}
	}
	t.Logf("%d attacks × %d revisions × methods × Streamable HTTP, batches and HTTP+SSE = %d requests: %d went on, %d executions",
		len(attacks), len(hostile.Revisions), sent, wentOn, executed)
	if sent < fewestRequests || wentOn == 0 {
		t.Errorf("the matrix has shrunk: %d requests, %d of them go on", sent, wentOn)
	}
}

// endpointOf opens a stream of HTTP+SSE, and returns the place for messages that the client is told.
func endpointOf(t testing.TB, g *Guard, c Caller) (place string) {
	t.Helper()
	w := httptest.NewRecorder()
	_, err := g.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/files", nil), c, func(w http.ResponseWriter, r *http.Request) error {
		hop := HopOf(r.Context())
		hop.Asked, hop.Upstream = httptest.NewRequest(http.MethodGet, "http://upstream.example/sse", nil).URL, "one"
		w.Header().Set("Content-Type", typeStream)
		return inPieces(w, "event: endpoint\ndata: /messages?id=1\n\n", inOne)
	})
	place, found := strings.CutPrefix(strings.TrimSpace(w.Body.String()), "event: endpoint\ndata: ")
	if err != nil || !found {
		t.Fatalf("the stream is answered with %d %q, %v", w.Code, w.Body, err)
	}
	return place
}
