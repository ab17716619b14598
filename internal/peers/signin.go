package peers

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed signin.mjs
var signInScript []byte

// SignIn says how a client made with one of the TypeScript SDKs signs in.
type SignIn struct {
	SDK string `json:"sdk"` // v1 (@modelcontextprotocol/sdk) or v2 (@modelcontextprotocol/client)
	URL string `json:"url"` // of the MCP server
	// Redirect is where a person's browser is sent back to, and Document the address of the client's metadata document; without one it
	// registers.
	Redirect string `json:"redirect"`
	Document string `json:"document,omitempty"`
	// ClientAuth is how it asks, when it registers, to prove itself at the token endpoint, such as client_secret_basic; "" leaves that to
	// the authorization server.
	ClientAuth string `json:"clientAuth,omitempty"`
	// Call names a tool that is called again and again until the client has refreshed its token. Optional.
	Call      string         `json:"call,omitempty"`
	Arguments map[string]any `json:"arguments,omitempty"`
	// Machine is the client id of a client that acts for itself instead, and Client that of a person's client that an operator has set up,
	// at an authorization server called Issuer. Secret is the client's, if it has one.
	Machine string `json:"machine,omitempty"`
	Client  string `json:"client,omitempty"`
	Issuer  string `json:"issuer,omitempty"`
	Secret  string `json:"secret,omitempty"`
	// Key is the private key that the client proves itself with, as a JWK with its alg. Optional for a person's client.
	Key json.RawMessage `json:"key,omitempty"`
}

// SignedIn is what came of it.
type SignedIn struct {
	Failed string   `json:"failed"` // why it could not connect
	Tools  []string `json:"tools"`  // what it sees, sorted
	Client string   `json:"client"` // its client id; "" for a machine
	// ClientAuth is how the authorization server had it prove itself, if it registered.
	ClientAuth string `json:"clientAuth"`
	// Answers are what all its calls were answered with, each once.
	Answers []string `json:"answers"`
	// Opened is how often it wanted a browser.
	Opened int `json:"opened"`
}

// TypeScriptSignIn signs a client in. open is the person's browser: it goes to an address and returns the one where that ended.
func TypeScriptSignIn(t testing.TB, in SignIn, open func(address string) string) SignedIn {
	t.Helper()
	task, err := json.Marshal(struct {
		SignIn
		Modules string `json:"modules"`
	}{in, filepath.Join(NPM(t), "node_modules")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, Node(t), "--input-type=module", "--eval", string(signInScript))
	var errs output
	cmd.Stderr = &errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // how it ended shows in what it wrote
	defer stdin.Close()
	say := func(line string) {
		if _, err := io.WriteString(stdin, line+"\n"); err != nil {
			t.Fatalf("a TypeScript client: %v\n%s", err, errs.tail())
		}
	}
	say(string(task))
	var got SignedIn
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if line := lines.Text(); line[:1] != "{" {
			say(open(line))
		} else if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("a TypeScript client: %v in %.500q", err, line)
		} else {
			return got
		}
	}
	t.Fatalf("a TypeScript client said nothing\n%s", errs.tail())
	return got
}
