package guard

import (
	"net/http"
	"strings"
	"testing"
)

// TestOnlyTheFirstEventMovesAClient has a server send endpoints where none belongs, or elsewhere.
func TestOnlyTheFirstEventMovesAClient(t *testing.T) {
	const good = "event: endpoint\ndata: /message\n\n"
	for name, test := range map[string]struct {
		header http.Header
		stream string
		want   string // events that arrive; of an endpoint its name
	}{
		"as it should be":             {nil, good, "endpoint"},
		"after a comment and a retry": {nil, ": hi\n\nretry: 5\n\n" + good, "endpoint"},
		"cut by CR":                   {nil, "event: endpoint\rdata: /message\r\r", "endpoint"},
		"cut by CRLF, with a BOM":     {nil, "\ufeffevent: endpoint\r\ndata: /message\r\n\r\n", "endpoint"},
		"a second endpoint":           {nil, good + "event: endpoint\ndata: /other\n\n" + "data: " + progress + "\n\n", "endpoint " + progress},
		"other names":                 {nil, good + "event: Endpoint\ndata: /other\n\nevent: error\ndata: " + progress + "\n\ndata: " + progress + "\n\n", "endpoint " + progress},
		"after a message":             {nil, "data: " + progress + "\n\n" + good + "data: " + progress + "\n\n", progress},
		"after data of no message":    {nil, "data\n\n" + good, ""},
		"with a session":              {http.Header{"Mcp-Session-Id": {"SESSION"}}, good, ""},
		"of another host":             {nil, "event: endpoint\ndata: http://evil.example/message\n\ndata: " + progress + "\n\n", ""},
		"of another host, no scheme":  {nil, "event: endpoint\ndata: //evil.example/message\n\n", ""},
		"with credentials":            {nil, "event: endpoint\ndata: http://a:b@UPSTREAM/message\n\n", ""},
		"with a fragment":             {nil, "event: endpoint\ndata: /message#a\n\n", ""},
		"with dot segments":           {nil, "event: endpoint\ndata: /a/../../admin\n\n", ""},
		"over two lines":              {nil, "event: endpoint\ndata: /message\ndata: /other\n\n", ""},
		"huge":                        {nil, "event: endpoint\ndata: /" + strings.Repeat("a", 1<<20) + "\n\n", ""},
		"empty":                       {nil, "event: endpoint\ndata:\n\n" + good, ""},
		"absolute":                    {nil, "event: endpoint\ndata: http://UPSTREAM/message\n\n", "endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 21, 7, 1} {
				if len(test.stream) > 1<<16 && size < 1<<21 {
					continue
				}
				g := newRig(t, nil)
				header := http.Header{}
				for k, v := range test.header {
					header[k] = v
					if v[0] == "SESSION" {
						header[k] = []string{g.initialize(t, "2025-03-26", "upstream-session")}
					}
				}
				g.answers(sseAnswer(strings.ReplaceAll(test.stream, "UPSTREAM", g.upstream.Listener.Addr().String()), size))
				r := g.send(http.MethodGet, header, "")
				got := events(r.body)
				for i := range got {
					if strings.HasPrefix(got[i], "/files?session=") {
						got[i] = "endpoint"
					}
				}
				if all := strings.Join(got, " "); all != test.want && strings.TrimSpace(all) != test.want {
					t.Errorf("in pieces of %d, %q arrives, want %q", size, all, test.want)
				}
				if strings.Contains(r.body, "evil") || strings.Contains(r.body, "/message") || strings.Contains(r.body, "/other") {
					t.Errorf("the client is told %q", r.body)
				}
			}
		})
	}
}

func TestAnEndpointOnTheAnswerToAMessageEndsIt(t *testing.T) {
	for _, rev := range allRevisions {
		g := newRig(t, sseAnswer("event: endpoint\ndata: /message\n\n", 99))
		r := g.send(http.MethodPost, headersFor(rev, "tools/list", "{}"), message(rev, "1", "tools/list", "{}"))
		if strings.Contains(r.body, "endpoint") || !strings.Contains(r.body, "-32603") {
			t.Errorf("%s: %s", rev, r.body)
		}
	}
}

// TestListsAreFilteredOnTheOldStream sends lists with hidden names in every cut.
func TestListsAreFilteredOnTheOldStream(t *testing.T) {
	list := tools(shownTool + `,{"name":"hidden_vault"}`)
	for _, end := range []string{"\n", "\r", "\r\n"} {
		for size := 1; size < 200; size += 1 + size/2 {
			stream := strings.Join([]string{
				"event: endpoint", "data: /message", "",
				"event: message", "data: " + list[:17], "data:" + list[17:], "",
				"event: ping", "data: " + list, "",
				"data: " + list + "x", "",
				"data: [" + list + "]", "",
				`data: {"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://hidden_vault/a"}}`, "",
				`data: {"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[{"name":"hidden_vault"}]}}`, "",
				"data: " + strings.Replace(list, `"name"`, `"\u006eame"`, 1), "", "",
			}, end)
			g := newRig(t, sseAnswer(stream, size))
			r := g.send(http.MethodGet, nil, "")
			if got := events(r.body); strings.Contains(r.body, "hidden") || len(got) < 2 || strings.ReplaceAll(got[1], "\n", "") != tools(shownTool) {
				t.Errorf("in pieces of %d with %q: %q", size, end, r.body)
			}
		}
	}
}

func TestStreamsOfAGrantAreBounded(t *testing.T) {
	up := newOldServer("/message")
	g := newRig(t, up.ServeHTTP)
	var last *oldClient
	for range maxListeners {
		last = g.listen(t)
	}
	r := g.send(http.MethodGet, nil, "")
	if r.status != http.StatusTooManyRequests {
		t.Errorf("one too many is answered with %d %s", r.status, r.body)
	}
	last.leave()
	g.mu.Lock()
	for len(g.outcomes) < 2 {
		g.ended.Wait()
	}
	g.mu.Unlock()
	g.listen(t)
}
