package caddymodule

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// mount is the directive that most of the tests have.
func mount(path string, upstream *upstreamServer, block ...string) string {
	line := "mcp_gateway " + path + " " + strings.TrimPrefix(upstream.URL, "http://")
	if len(block) > 0 {
		line += " {\n" + strings.Join(block, "\n") + "\n}"
	}
	return line + "\n"
}

func TestOnlyWhatThePolicyAllowsIsListedAndCalled(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream)})
	res, list := g.call("/mcp", "tools/list", "{}")
	if res.StatusCode != http.StatusOK || !strings.Contains(list, "get_weather") || strings.Contains(list, "delete_everything") {
		t.Errorf("list: %s %s", res.Status, list)
	}
	if res, answer := g.call("/mcp/", "tools/call", `{"name":"get_weather","arguments":{}}`); res.StatusCode != http.StatusOK || !strings.Contains(answer, "done") {
		t.Errorf("allowed call: %s %s", res.Status, answer)
	}
	asked := len(upstream.requests())
	if res, answer := g.call("/mcp", "tools/call", `{"name":"delete_everything","arguments":{}}`); res.StatusCode != http.StatusOK ||
		!strings.Contains(answer, "Unknown tool: delete_everything") {
		t.Errorf("denied call: %s %s", res.Status, answer)
	}
	if len(upstream.requests()) != asked {
		t.Error("the denied call reached the MCP server")
	}
}

func TestUpstreamSeesNothingOfTheAgents(t *testing.T) {
	upstream := newUpstream(t)
	t.Setenv("UPSTREAM_TOKEN", "upstream-secret")
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream, "endpoint /api/mcp?tenant=acme",
		"credentials static {", `header Authorization "Bearer {env.UPSTREAM_TOKEN}"`, "}") +
		mount("/named", upstream, "header_up Host mcp.internal", "header_up X-Forwarded-For {client_ip}", "header_up Via us")})
	r := g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
	for name, value := range map[string]string{
		"Cookie": "a=b", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https",
		"Forwarded": "for=1.2.3.4", "X-Real-Ip": "1.2.3.4", "X-User": "admin", "Origin": "http://localhost:3000", "Via": "1.1 evil",
		"Accept-Encoding": "gzip", "Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "Http2-Settings": "x",
	} {
		r.Header.Set(name, value)
	}
	r.URL.RawQuery = "tenant=other"
	if res, body := g.do(r); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, body)
	}
	got := upstream.last(t)
	if got.RequestURI != "/api/mcp?tenant=acme" {
		t.Errorf("asked for %s", got.RequestURI)
	}
	if host := strings.TrimPrefix(upstream.URL, "http://"); got.Host != host {
		t.Errorf("Host is %s, want %s", got.Host, host)
	}
	if auth := got.Header["Authorization"]; len(auth) != 1 || auth[0] != "Bearer upstream-secret" {
		t.Errorf("Authorization is %q", auth)
	}
	for _, name := range []string{
		"Cookie", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-Ip", "X-User", "Origin", "Via",
		"Upgrade", "Http2-Settings",
	} {
		if value, there := got.Header[name]; there {
			t.Errorf("%s: %q reached the MCP server", name, value)
		}
	}
	if got.ContentLength <= 0 || len(got.TransferEncoding) > 0 {
		t.Errorf("the body has no length: %d %v", got.ContentLength, got.TransferEncoding)
	}

	if res, body := g.call("/named", "tools/list", "{}"); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, body)
	}
	got = upstream.last(t)
	if got.Host != "mcp.internal" || got.Header.Get("X-Forwarded-For") == "" || got.Header.Get("Via") != "us" {
		t.Errorf("header_up has no effect: Host %s, header %v", got.Host, got.Header)
	}
}

// raw sends a request with a target as it is, and returns the answer. It tries again if it met a server on its way out.
func (g *gateway) raw(method, target string, header ...string) string {
	g.t.Helper()
	answer := g.rawOnce(method, target, header...)
	for tries := 0; answer == "" && tries < 3; tries++ {
		answer = g.rawOnce(method, target, header...)
	}
	return answer
}

func (g *gateway) rawOnce(method, target string, header ...string) string {
	g.t.Helper()
	conn, err := net.Dial("tcp", "localhost:"+g.config.Port)
	if err != nil {
		g.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	request := method + " " + target + " HTTP/1.1\r\n"
	if !strings.Contains(strings.Join(header, ","), "Host:") {
		header = append(header, "Host: localhost:"+g.config.Port)
	}
	for _, line := range append(header, "Connection: close", "") {
		request += line + "\r\n"
	}
	if _, err := io.WriteString(conn, request); err != nil {
		g.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		g.t.Fatalf("%s %s %q: %v after %.100q", method, target, header, err, answer)
	}
	return string(answer)
}

func TestNothingBelowTheMountReachesAnyUpstream(t *testing.T) {
	upstream := newUpstream(t)
	proxy := "reverse_proxy " + strings.TrimPrefix(upstream.URL, "http://")
	g := startGateway(t, gatewayConfig{
		Site: mount("/mcp", upstream) + mount("/mcp/inner", upstream) + "handle /mcp* {\n" + proxy + "\n}\nhandle {\n" + proxy + "\n}\nredir /mcp/y /elsewhere\n",
	})
	for _, target := range []string{
		"/mcp/x", "/mcp//", "/mcp/.", "/mcp/x/..", "/MCP", "/Mcp/", "/%6dcp", "/%6Dcp/x", "/%256dcp", "//mcp", "/./mcp", "/x/../mcp",
		"/x/..%2fmcp", `/x\..\mcp`, "/mcp%2f", "/mcp%2fx", "/mcp%5cx", "/mcp;a", "/mcp/inner/x", "/mcp/INNER", "/mcp/y", "/mcp%00",
		"/mcp%20", "http://localhost:" + g.config.Port + "/mcp/x", "/mcp/inner/../x", "/mcp/?x=/mcp", "/mcp/inner//",
	} {
		want := "404"
		if target == "/mcp/?x=/mcp" {
			want = "401" // the mount itself
		}
		if answer := g.raw(http.MethodGet, target); !strings.HasPrefix(answer, "HTTP/1.1 "+want) {
			t.Errorf("%s: %.60q", target, answer)
		}
	}
	if asked := upstream.requests(); len(asked) != 0 {
		t.Errorf("%d requests reached the MCP server, the first for %s", len(asked), asked[0].RequestURI)
	}
	for _, target := range []string{"/", "/mcps", "/x/mcp", "/other"} {
		if answer := g.raw(http.MethodPost, target); strings.HasPrefix(answer, "HTTP/1.1 404") {
			t.Errorf("%s is nobody's business here: %.60q", target, answer)
		}
	}
	if answer := g.raw(http.MethodPost, "/mcp/inner"); !strings.Contains(answer, "401 Unauthorized") || !strings.Contains(answer, "/mcp/inner\"") {
		t.Errorf("the nested mount: %.300q", answer)
	}
}

func TestAMountOfOneSiteExcusesNothingOnAnother(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream) + "reverse_proxy " + strings.TrimPrefix(upstream.URL, "http://") + "\n"})
	other := "other.localhost:" + g.config.Port
	g.config.Rest = "http://" + other + " {\n" + mount("/mcp", upstream) + mount("/mcp/inner", upstream) + "}\n"
	if err := g.load(); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/mcp/inner", "/mcp/inner/x", "/MCP/inner"} {
		if answer := g.raw(http.MethodPost, target); !strings.HasPrefix(answer, "HTTP/1.1 404") {
			t.Errorf("%s: %.60q", target, answer)
		}
	}
	if n := len(upstream.requests()); n > 0 {
		t.Errorf("%d requests reached the MCP server unguarded", n)
	}
	if answer := g.raw(http.MethodPost, "/mcp/inner", "Host: "+other); !strings.HasPrefix(answer, "HTTP/1.1 401") {
		t.Errorf("the nested mount: %.60q", answer)
	}
}

func TestRequestsAreRefusedBeforeTheyAreLookedAt(t *testing.T) {
	upstream := newUpstream(t)
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream), App: "origins https://app.example.com http://localhost:*"})
	own := "Host: localhost:" + g.config.Port
	for _, tt := range []struct {
		name, method string
		header       []string
		want         string
	}{
		{"no token", "POST", nil, "401"},
		{"no token, GET", "GET", nil, "401"},
		{"no token, HEAD", "HEAD", nil, "401"},
		{"no token, DELETE", "DELETE", nil, "401"},
		{"own host in capitals", "POST", []string{"Host: LOCALHOST:" + g.config.Port}, "401"},
		{"host of someone else", "POST", []string{"Host: evil.example"}, "421"},
		{"host of someone else, at our port", "POST", []string{"Host: evil.example:" + g.config.Port}, "421"},
		{"own host, other port", "POST", []string{"Host: localhost:1"}, "421"},
		{"own host, no port", "POST", []string{"Host: localhost"}, "421"},
		{"host with a dot at its end", "POST", []string{"Host: localhost.:" + g.config.Port}, "421"},
		{"address instead of the name", "POST", []string{"Host: 127.0.0.1:" + g.config.Port}, "421"},
		{"own origin", "POST", []string{own, "Origin: http://localhost:" + g.config.Port}, "401"},
		{"origin that is allowed", "POST", []string{own, "Origin: https://app.example.com"}, "401"},
		{"origin at any port", "POST", []string{own, "Origin: http://localhost:1"}, "401"},
		{"origin of someone else", "POST", []string{own, "Origin: https://evil.example"}, "403"},
		{"origin that begins alike", "POST", []string{own, "Origin: https://app.example.com.evil.example"}, "403"},
		{"origin of another scheme", "POST", []string{own, "Origin: http://app.example.com"}, "403"},
		{"origin null", "POST", []string{own, "Origin: null"}, "403"},
		{"origin with a path", "POST", []string{own, "Origin: https://app.example.com/"}, "403"},
		{"origin empty", "POST", []string{own, "Origin:"}, "403"},
		{"two origins", "POST", []string{own, "Origin: https://app.example.com", "Origin: https://evil.example"}, "403"},
		{"preflight from someone else", "OPTIONS", []string{own, "Origin: https://evil.example", "Access-Control-Request-Method: POST"}, "403"},
		{"preflight", "OPTIONS", []string{own, "Origin: https://app.example.com", "Access-Control-Request-Method: POST"}, "204"},
		{"options", "OPTIONS", nil, "204"},
		{"PUT", "PUT", nil, "405"},
		{"PATCH", "PATCH", nil, "405"},
		{"TRACE", "TRACE", nil, "405"},
		{"made-up method", "TOOLS", nil, "405"},
		{"websocket", "GET", []string{own, "Upgrade: websocket", "Connection: Upgrade"}, "400"},
		{"offer of h2c", "GET", []string{own, "Upgrade: h2c", "Http2-Settings: AAMAAABkAAQAAP__"}, "401"},
	} {
		if answer := g.raw(tt.method, "/mcp", tt.header...); !strings.HasPrefix(answer, "HTTP/1.1 "+tt.want) {
			t.Errorf("%s: %.200q, want %s", tt.name, answer, tt.want)
		}
	}
	if asked := upstream.requests(); len(asked) != 0 {
		t.Errorf("%d requests reached the MCP server", len(asked))
	}
}

func TestBrowsersAreToldWhatTheyMayReadAndSend(t *testing.T) {
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", newUpstream(t))})
	r := g.request(http.MethodOptions, "/mcp", "")
	r.Header.Del("Authorization")
	r.Header.Set("Origin", "http://localhost:6274")
	r.Header.Set("Access-Control-Request-Method", "POST")
	r.Header.Set("Access-Control-Request-Headers", "authorization, mcp-param-city")
	res, _ := g.do(r)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      "http://localhost:6274",
		"Access-Control-Allow-Headers":     "authorization, mcp-param-city",
		"Access-Control-Allow-Methods":     "GET, POST, DELETE, OPTIONS",
		"Access-Control-Allow-Credentials": "",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("preflight: %s is %q, want %q", name, got, want)
		}
	}
	for _, token := range []bool{true, false} {
		r := g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}`)
		r.Header.Set("Origin", "http://localhost:6274")
		if !token {
			r.Header.Del("Authorization")
		}
		res, _ := g.do(r)
		if got := res.Header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != "http://localhost:6274" {
			t.Errorf("token %v: %s: Access-Control-Allow-Origin is %q", token, res.Status, got)
		}
		exposed := strings.Join(res.Header.Values("Access-Control-Expose-Headers"), ", ")
		for _, name := range []string{"WWW-Authenticate", "Mcp-Session-Id", "Retry-After"} {
			if !strings.Contains(exposed, name) {
				t.Errorf("token %v: %s is not exposed (%s)", token, name, exposed)
			}
		}
		if !strings.Contains(strings.Join(res.Header.Values("Vary"), ","), "Origin") {
			t.Errorf("token %v: the answer doesn't vary by origin", token)
		}
	}
}

func TestFailuresOfTheServerAre502WithARequestID(t *testing.T) {
	gone := newUpstream(t)
	gone.Close()
	silent := newUpstream(t)
	release := make(chan struct{})
	silent.answer = func(http.ResponseWriter, *http.Request) { <-release }
	defer close(release)
	broken := newUpstream(t)
	broken.answer = func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	denying := newUpstream(t)
	denying.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Www-Authenticate", "Bearer")
		w.Header().Set("Set-Cookie", "evil=1")
		w.WriteHeader(http.StatusUnauthorized)
	}
	g := startGateway(t, gatewayConfig{Site: mount("/gone", gone) +
		mount("/silent", silent, "transport http {\nresponse_header_timeout 100ms\n}") + mount("/broken", broken) + mount("/denying", denying)})
	for _, path := range []string{"/gone", "/silent", "/broken", "/denying"} {
		res, body := g.call(path, "tools/list", "{}")
		if res.StatusCode != http.StatusBadGateway || !strings.Contains(body, "-32603") || !strings.Contains(body, "request id") {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
		if res.Header.Get("Set-Cookie") != "" || res.Header.Get("Www-Authenticate") != "" {
			t.Errorf("%s: the server's header reaches the client: %v", path, res.Header)
		}
	}
}

func TestHealthChecksAreTheProxysOwn(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		answerRPC(w, r)
	}
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream, "health_uri /healthz", "health_interval 20ms", "health_status 418",
		"health_headers {", "Host mcp.internal", "}")})
	eventually(t, "a health check", func() bool { return len(upstream.requests()) > 0 })
	if check := upstream.last(t); check.URL.Path != "/healthz" || check.Host != "mcp.internal" {
		t.Errorf("the check asks %s of %s", check.URL, check.Host)
	}
	if res, body := g.call("/mcp", "tools/list", "{}"); res.StatusCode != http.StatusOK {
		t.Errorf("%s %s", res.Status, body)
	}
}

func TestABrokenAnswerIsNotTakenForAWholeOne(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"open"}}`+"\n\n")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	g := startGateway(t, gatewayConfig{Site: mount("/mcp", upstream) + "handle_errors {\n respond \"an error page\"\n}\n"})
	res, err := client.Do(g.request(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_weather"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if strings.Contains(string(body), "an error page") {
		t.Errorf("an error page stands behind it: %s", body)
	}
	if err == nil && !strings.Contains(string(body), `"id":1`) {
		t.Errorf("it ends as if it were whole: %s", body)
	}
}

func TestOAuthEndpointsAnswerOnTheIssuersSiteAlone(t *testing.T) {
	upstream := newUpstream(t)
	other := peers.FreePort(t)
	g := startGateway(t, gatewayConfig{Site: "mcp_gateway", Rest: fmt.Sprintf("http://localhost:%s {\n%s}\n", other, mount("/mcp", upstream))})
	if answer := g.raw(http.MethodGet, "/.well-known/oauth-authorization-server"); !strings.Contains(answer, `"issuer":"http://localhost:`+g.config.Port+`"`) {
		t.Errorf("metadata of the issuer: %.300q", answer)
	}
	if answer := g.raw(http.MethodGet, "/.well-known/oauth-authorization-server", "Host: evil.example"); !strings.HasPrefix(answer, "HTTP/1.1 421") {
		t.Errorf("metadata for another host: %.100q", answer)
	}
	if answer := g.raw(http.MethodPost, "/mcp"); !strings.HasPrefix(answer, "HTTP/1.1 200") { // nobody's: Caddy's empty answer
		t.Errorf("the issuer's site has no mount: %.100q", answer)
	}
	issuer := g.config.Port
	g.config.Port = other
	if answer := g.raw(http.MethodGet, "/.well-known/oauth-authorization-server"); strings.Contains(answer, "issuer") {
		t.Errorf("metadata on another site: %.300q", answer)
	}
	want := `{"resource":"http://localhost:` + other + `/mcp","authorization_servers":["http://localhost:` + issuer + `"]`
	for _, target := range []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"} {
		if answer := g.raw(http.MethodGet, target); !strings.Contains(answer, want) {
			t.Errorf("%s: %.400q", target, answer)
		}
	}
	if answer := g.raw(http.MethodGet, "/.well-known/oauth-protected-resource/mcp/"); !strings.Contains(answer, `/mcp/"`) {
		t.Errorf("the form with a slash: %.400q", answer)
	}
}

func TestWhatASlowServerAnswersReachesItsCaller(t *testing.T) {
	upstream := newUpstream(t)
	slow := func() { <-time.After(3 * readingAge) } // by then it is asked anew who calls
	upstream.answer = func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "tools/list") {
			slow()
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":%s}`, toolList)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"part %d\"}}\n\n", i)
			_ = http.NewResponseController(w).Flush()
			slow()
		}
		if r.Method == http.MethodPost {
			fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[]}}\n\n")
		}
	}
	t.Setenv("UPSTREAM_TOKEN", "upstream-secret")
	g := startGateway(t, gatewayConfig{Site: mount("/bare", upstream) +
		mount("/mcp", upstream, "credentials static {", `header Authorization "Bearer {env.UPSTREAM_TOKEN}"`, "}")})
	for _, path := range []string{"/bare", "/mcp"} {
		if _, list := g.call(path, "tools/list", "{}"); !strings.Contains(list, "get_weather") {
			t.Errorf("%s: the list is %s", path, list)
		}
		if _, answer := g.call(path, "tools/call", `{"name":"get_weather"}`); !strings.Contains(answer, "part 2") || !strings.Contains(answer, `"result"`) {
			t.Errorf("%s: the stream of a call is %s", path, answer)
		}
		if _, stream := g.do(g.request(http.MethodGet, path, "")); !strings.Contains(stream, "part 2") {
			t.Errorf("%s: the stream is %s", path, stream)
		}
	}
}
