package main

import (
	"bytes"
	"image/png"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// startDemo runs `caddy mcp demo` on a free port and returns its origin and what its people answer on its pages.
func startDemo(t *testing.T, flags ...string) (demo *process, origin string, people map[string]map[string]string) {
	t.Helper()
	dir, port := t.TempDir(), peers.FreePort(t)
	args := append([]string{"mcp", "demo", "--port", port}, flags...)
	demo = startProcess(t, dir, []string{"WORKOS_CLIENT_ID=", "WORKOS_API_KEY=", "WORKOS_CLIENT_SECRET="}, args...)
	if i := slices.Index(flags, "--port"); i >= 0 {
		port = flags[i+1] // the last one given counts
	}
	origin = "http://localhost:" + port
	demo.ready(origin)
	people = make(map[string]map[string]string)
	for _, match := range regexp.MustCompile(`(?m)^  (\w+) +password (\S+)`).FindAllStringSubmatch(demo.printed("Ctrl-C"), -1) {
		people[match[1]] = map[string]string{"decision": "allow", "username": match[1], "password": match[2]}
	}
	if len(people) != 2 {
		t.Fatalf("the demo names %d people, want alice and bob", len(people))
	}
	return demo, origin, people
}

func TestDemoShowsEachPersonTheirOwnTools(t *testing.T) {
	_, origin, people := startDemo(t)
	for _, revision := range revisions {
		t.Run(revision, func(t *testing.T) {
			alice := mustSignIn(t, origin+"/mcp", people["alice"], revision)
			if got := alice.InitializeResult().ProtocolVersion; got != revision {
				t.Errorf("speaks %s, want %s", got, revision)
			}
			if got, want := alice.tools(t), []string{"add", "delete_everything", "echo", "generateImage"}; !slices.Equal(got, want) {
				t.Errorf("alice sees %v, want %v", got, want)
			}
			picture, ok := alice.call(t, "generateImage", map[string]any{"prompt": "a red fox"}).Content[0].(*mcp.ImageContent)
			if !ok {
				t.Fatal("generateImage answers no image")
			}
			if _, err := png.Decode(bytes.NewReader(picture.Data)); err != nil {
				t.Error(err)
			}

			bob := mustSignIn(t, origin+"/mcp", people["bob"], revision)
			if got, want := bob.tools(t), []string{"add", "echo"}; !slices.Equal(got, want) {
				t.Errorf("bob sees %v, want %v", got, want)
			}
			if got := text(bob.call(t, "add", map[string]any{"a": 2, "b": 3})); got != "5" {
				t.Errorf("add answers bob %q", got)
			}
			bob.refused(t, "generateImage", map[string]any{"prompt": "a red fox"})
			bob.refused(t, "delete_everything", noArguments)
			bob.refused(t, "no_such_tool", noArguments)
		})
	}
}

func TestDemoHasASecondServer(t *testing.T) {
	_, origin, people := startDemo(t)
	bob := mustSignIn(t, origin+"/notes", people["bob"], "")
	if got, want := bob.tools(t), []string{"list_notes", "read_note"}; !slices.Equal(got, want) {
		t.Errorf("bob sees %v, want %v", got, want)
	}
	alice := mustSignIn(t, origin+"/notes", people["alice"], "")
	alice.call(t, "write_note", map[string]any{"title": "hello", "text": "from alice"})
	if got := text(bob.call(t, "read_note", map[string]any{"title": "hello"})); got != "from alice" {
		t.Errorf("bob reads %q", got)
	}
	bob.refused(t, "delete_note", map[string]any{"title": "hello"})
}

// TestDemoAnswersUnderItsOwnNameOnly holds that a web page that has pointed another name at this computer (DNS rebinding) reaches nothing:
// neither a server nor a page nor metadata.
func TestDemoAnswersUnderItsOwnNameOnly(t *testing.T) {
	_, origin, _ := startDemo(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(origin, "http://"), ":")
	for host, want := range map[string]int{
		"localhost:" + port: http.StatusOK, "rebound.example:" + port: http.StatusMisdirectedRequest, "127.0.0.1:" + port: http.StatusMisdirectedRequest,
	} {
		for _, path := range []string{"/", "/mcp", "/connections", "/.well-known/oauth-authorization-server", "/nothing"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, origin+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = host
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if got := answer.StatusCode; (got == http.StatusMisdirectedRequest) != (want == http.StatusMisdirectedRequest) {
				t.Errorf("%s%s answers %d", host, path, got)
			}
		}
	}
}

// TestDemoCommandWorksAsPrinted runs the client command that the demo prints: the real program, with its flags.
func TestDemoCommandWorksAsPrinted(t *testing.T) {
	demo, _, people := startDemo(t)
	greeting := demo.printed("Ctrl-C")
	_, after, found := strings.Cut(greeting, "npx -y @modelcontextprotocol/inspector@2.12.0 --cli ")
	if !found {
		t.Fatalf("the demo prints another command than is tested:\n%s", greeting)
	}
	line, _, _ := strings.Cut(strings.ReplaceAll(after, "\\\n", " "), "\n")
	args := words(t, line)

	for name, want := range map[string]string{"alice": "", "bob": "Tool 'generateImage' not found"} {
		t.Run(name, func(t *testing.T) {
			desktop, err := peers.NewDesktop(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var opened []error
			done := make(chan struct{})
			go func() {
				defer close(done)
				for address := range desktop.URLs {
					_, err := peers.NewBrowser(people[name]).Open(t.Context(), address, nil)
					opened = append(opened, err)
				}
			}()
			home := t.TempDir()
			out, err := peers.Inspector(t, desktop, home, args...).CombinedOutput()
			_ = desktop.Close()
			if <-done; len(opened) != 1 || opened[0] != nil {
				t.Errorf("it had these pages opened: %v, want one and all well", opened)
			}
			if want != "" {
				if err == nil || !strings.Contains(string(out), want) {
					t.Errorf("%v, without %q:\n%s", err, want, out)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			picture, err := os.ReadFile(filepath.Join(home, "fox.png"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
				t.Error(err)
			}
		})
	}
}

// words splits a command line as a shell does.
func words(t *testing.T, line string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `printf '%s\n' `+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestDemoSaysInOneLineThatItsPortIsTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	out, status := run(t, t.TempDir(), "mcp", "demo", "--port", port)
	if want := "Error: port " + port + " is in use by another program: stop it, or choose another port with --port\n"; out != want || status != 1 {
		t.Errorf("printed %q with status %d, want %q and 1", out, status, want)
	}
}

func TestDemoKeepsItsStateInADirectory(t *testing.T) {
	data, port := filepath.Join(t.TempDir(), "state"), peers.FreePort(t)
	demo, origin, people := startDemo(t, "--data", data, "--port", port)
	a := mustSignIn(t, origin+"/mcp", people["alice"], "")
	demo.interrupt()

	_, origin, again := startDemo(t, "--data", data, "--port", port)
	if people["alice"]["password"] != again["alice"]["password"] {
		t.Error("alice has another password now")
	}
	if status := initialize(t, &gateway{origin: origin}, a.tokens.all[0].AccessToken); status != http.StatusOK {
		t.Errorf("the token of before was answered with %d", status)
	}
}

func TestDemoEndsCleanlyAndLeavesNothing(t *testing.T) {
	demo, origin, people := startDemo(t)
	// A client that is still connected, with a stream open, must not keep the demo from ending.
	mustSignIn(t, origin+"/mcp", people["alice"], "2025-11-25")
	audit := regexp.MustCompile(`written to (\S+)`).FindStringSubmatch(demo.printed("Ctrl-C"))
	if audit == nil {
		t.Fatal("the demo does not say where its audit log is")
	}
	records, err := os.ReadFile(audit[1])
	if err != nil || !bytes.Contains(records, []byte("alice@example.com")) {
		t.Errorf("audit log: %v, %q", err, records)
	}
	took := demo.interrupt()
	if demo.err != nil {
		t.Errorf("ended with %v", demo.err)
	}
	if took.Seconds() > 10 {
		t.Errorf("took %v to end", took)
	}
	if _, err := os.Stat(filepath.Dir(audit[1])); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", filepath.Dir(audit[1]), err)
	}
	for _, quiet := range []string{"WARN", "ERROR", "panic", "DATA RACE"} {
		if strings.Contains(demo.out.String(), quiet) {
			t.Errorf("%q on the terminal:\n%s", quiet, demo.out.String())
		}
	}
}
