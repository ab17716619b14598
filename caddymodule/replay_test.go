package caddymodule

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// replay sends what a client sends, as a script in testdata/clients has it, for clients that can't be run in a test. A script is
// made of exchanges with an empty line between them:
//
//	> POST /token                       a request; or OPEN, which is a person's browser, as alice, who allows everything
//	> accept: application/json          its header
//	> grant_type=refresh_token&…        its body: whatever is no header
//	< 200                               the status
//	< cache-control: no-store           a header
//	< has "token_type":"Bearer"         the body holds this
//	< lacks error                       and not that
//	< save refresh = refresh_token      keep a member of the JSON under a name
//	< away https://a.example/cb         where the browser was sent
//	< query iss = $origin               a parameter that it was sent with
//	< save code = code                  for a browser, keep one of those
//
// Lines that begin with # are comments. $name stands for what was kept; $origin, $host, $verifier and $challenge are there from the start.
type replay struct {
	t    *testing.T
	g    *gateway
	vars map[string]string
}

var replayVariable = regexp.MustCompile(`\$[a-z_]+`)

// fill puts in what names stand for.
func (p *replay) fill(text string) string {
	return replayVariable.ReplaceAllStringFunc(text, func(name string) string {
		value, known := p.vars[name[1:]]
		if !known {
			p.t.Fatalf("nothing was kept as %s", name)
		}
		return value
	})
}

// run runs a script.
func (p *replay) run(script string) {
	for _, exchange := range strings.Split(script, "\n\n") {
		var sent, want []string
		for line := range strings.Lines(exchange) {
			line = strings.TrimRight(line, "\n")
			switch {
			case strings.HasPrefix(line, "> "):
				sent = append(sent, p.fill(line[2:]))
			case strings.HasPrefix(line, "< "):
				want = append(want, line[2:])
			case line != "" && !strings.HasPrefix(line, "#"):
				p.t.Fatalf("what is %q?", line)
			}
		}
		if len(sent) == 0 {
			continue
		}
		seen := p.send(sent)
		for _, expectation := range want {
			p.hold(sent[0], seen, expectation)
		}
	}
}

// seen is an answer, or where a browser ended.
type seen struct {
	status int
	header http.Header
	body   string
	away   *url.URL
}

var replayHeader = regexp.MustCompile(`^[A-Za-z0-9-]+: `)

// send makes one exchange.
func (p *replay) send(lines []string) seen {
	method, target, _ := strings.Cut(lines[0], " ")
	if strings.HasPrefix(target, "/") {
		target = p.g.url(target)
	}
	if method == "OPEN" {
		browser := peers.NewBrowser(map[string]string{"username": "alice", "password": "wonderland", "decision": "allow"})
		page, err := browser.Open(p.t.Context(), target, func(u *url.URL) bool { return u.Host != p.vars["host"] })
		if err != nil || page.Status != 0 {
			p.t.Fatalf("the browser at %s: %+v, %v", target, page, err)
		}
		return seen{away: page.URL}
	}
	header, body := make(http.Header), ""
	for _, line := range lines[1:] {
		if name, value, found := strings.Cut(line, ": "); found && replayHeader.MatchString(line) {
			header.Add(name, value)
		} else {
			body += line
		}
	}
	r, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = header
	res, text := p.g.do(r)
	return seen{status: res.StatusCode, header: res.Header, body: text}
}

var replayStatus = regexp.MustCompile(`^[0-9]{3}$`)

// hold checks one expectation.
func (p *replay) hold(request string, got seen, want string) {
	p.t.Helper()
	complain := func(what any) {
		p.t.Errorf("%s: want %s, got %v\n%d %.600s", request, want, what, got.status, got.body)
	}
	word, rest, _ := strings.Cut(want, " ")
	switch {
	case replayStatus.MatchString(want):
		if fmt.Sprint(got.status) != want {
			complain(got.status)
		}
	case word == "has":
		if !strings.Contains(got.body, p.fill(rest)) {
			complain("something else")
		}
	case word == "lacks":
		if strings.Contains(got.body, p.fill(rest)) {
			complain("it all the same")
		}
	case word == "away":
		if address, _, _ := strings.Cut(got.away.String(), "?"); address != p.fill(rest) {
			complain(address)
		}
	case word == "query":
		name, value, _ := strings.Cut(rest, " = ")
		if is := got.away.Query().Get(name); is != p.fill(value) {
			complain(is)
		}
	case word == "save":
		name, member, _ := strings.Cut(rest, " = ")
		if p.vars[name] = p.member(got, member); p.vars[name] == "" {
			complain("nothing")
		}
	case replayHeader.MatchString(want):
		name, value, _ := strings.Cut(want, ": ")
		if is := strings.Join(got.header.Values(name), " AND "); is != p.fill(value) {
			complain(is)
		}
	default:
		p.t.Fatalf("what is %q?", want)
	}
}

// member returns a member of an answer, or a parameter that a browser was sent with.
func (p *replay) member(got seen, name string) string {
	if got.away != nil {
		return got.away.Query().Get(name)
	}
	var members map[string]any
	if err := json.Unmarshal([]byte(got.body), &members); err != nil {
		return ""
	}
	text, _ := members[name].(string)
	return text
}

// TestClientsThatCannotBeRunHere replays what clients send that are no packages: what is known of them is in the comments of the
// scripts. Each goes from the first request without a token to calls, and to what it does with an expired one.
func TestClientsThatCannotBeRunHere(t *testing.T) {
	scripts, err := filepath.Glob("testdata/clients/*.replay")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	upstream := newUpstream(t)
	upstream.answer = sessionful
	g := startGateway(t, gatewayConfig{
		Site: mount("/mcp", upstream), App: "origins http://localhost:* https://playground.example", Policy: "role member {\n allow * tools list_*\n}\neveryone {\n allow * tools get_*\n}",
	})
	verifier := strings.Repeat("verifier-", 6)
	challenge := sha256.Sum256([]byte(verifier))
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".replay"), func(t *testing.T) {
			text, err := os.ReadFile(script)
			if err != nil {
				t.Fatal(err)
			}
			own := *g
			own.t = t
			(&replay{t: t, g: &own, vars: map[string]string{
				"origin": g.url(""), "host": "localhost:" + g.config.Port, "verifier": verifier,
				"challenge": base64.RawURLEncoding.EncodeToString(challenge[:]),
			}}).run(string(text))
		})
	}
}
