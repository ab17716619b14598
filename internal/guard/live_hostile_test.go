package guard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestAStrangersSubscriptionIsNoStreamOfASession has a subscription of revision 2026-07-28, which has no sessions, name the
// session of somebody else: neither does the session's client hear less, nor the subscription anything too early.
func TestAStrangersSubscriptionIsNoStreamOfASession(t *testing.T) {
	const params = `{"notifications":{"toolsListChanged":true}}`
	g := newRig(t, nil)
	handle := g.initialize(t, "2025-11-25", "upstream-session")
	g.answers(newSaying().ServeHTTP)
	client := g.hear(t, http.MethodGet, withSession("2025-11-25", handle), "")
	eventually(t, "the stream is open", func() bool { l := g.live.Load(); return l != nil && l.ready.Load() })
	owners := g.live.Load()

	g.client = "client-b"
	header := headersFor("2026-07-28", "subscriptions/listen", params)
	header.Set("Mcp-Session-Id", handle)
	g.hear(t, http.MethodPost, header, message("2026-07-28", "1", "subscriptions/listen", params))
	eventually(t, "the subscription is open", func() bool { return g.live.Load() != owners })

	g.become("guest")
	if g.live.Load().Changed() {
		t.Error("the subscription is told before it is acknowledged")
	}
	if !owners.Changed() {
		t.Fatal("the session's own client is not told any more")
	}
	owners.Tell()
	client.wants(toolsChanged, promptsChanged, resourcesChanged)
}

// TestAClientThatDoesNotReadCanNotKeepAStreamThatEnds has clients that fill what is between them and the gateway, and read
// nothing.
func TestAClientThatDoesNotReadCanNotKeepAStreamThatEnds(t *testing.T) {
	for _, secure := range []bool{false, true} { // HTTP/1.1, HTTP/2
		g := newRig(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			event := []byte("data: " + progress + strings.Repeat(" ", 16<<10) + "\n\n")
			for r.Context().Err() == nil {
				if _, err := w.Write(event); err != nil {
					return
				}
			}
		})
		if secure {
			g.front = httptest.NewUnstartedServer(g)
			g.front.EnableHTTP2 = true
			g.front.StartTLS()
			t.Cleanup(g.front.Close)
		}
		g.guard.farewell = time.Millisecond
		ctx, leave := context.WithCancel(context.Background())
		defer leave()
		g.open(ctx, http.MethodGet, http.Header{"Accept": {"text/event-stream"}}, "")
		eventually(t, "the stream is open", func() bool { l := g.live.Load(); return l != nil && l.ready.Load() })
		g.live.Load().End()
		eventually(t, "the stream is over", func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.outcomes) == 1
		})
		leave()
	}
}
