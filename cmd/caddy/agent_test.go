package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// revisions are the protocol revisions that clients are tried with.
var revisions = []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"}

// redirect is where agents have their answers sent. Nobody listens there: the browser stops before.
const redirect = "http://localhost:9/callback"

// agent is the Go SDK's MCP client in the hands of a person.
type agent struct {
	*mcp.ClientSession
	tokens *recorder
}

// recorder notes every token that comes out of a source.
type recorder struct {
	source oauth2.TokenSource
	all    []oauth2.Token
}

// Token implements oauth2.TokenSource.
func (r *recorder) Token() (*oauth2.Token, error) {
	token, err := r.source.Token()
	if err == nil && (len(r.all) == 0 || r.all[len(r.all)-1].AccessToken != token.AccessToken) {
		r.all = append(r.all, *token)
	}
	return token, err
}

// signIn connects an agent to a mount, in a protocol revision ("" for the newest), as the person whose answers the pages
// get: it registers, has the person sign in and consent, and gets its token. A login_hint among the answers tells an
// identity provider without pages who that is.
func signIn(ctx context.Context, endpoint string, person map[string]string, revision string) (*agent, error) {
	return signInWith(ctx, endpoint, peers.NewBrowser(person), revision)
}

// signInWith is signIn in a browser of the caller's, who may have more to do with it.
func signInWith(ctx context.Context, endpoint string, browser *peers.Browser, revision string) (*agent, error) {
	a := &agent{tokens: &recorder{}}
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName:   "Go SDK agent",
			RedirectURIs: []string{redirect},
			GrantTypes:   []string{"authorization_code", "refresh_token"},
		}},
		RedirectURL:              redirect,
		RequestRefreshToken:      true,
		AuthorizationCodeFetcher: fetchCode(browser),
		NewTokenSource: func(ctx context.Context, config *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
			a.tokens.source = config.TokenSource(context.WithoutCancel(ctx), token)
			return a.tokens, nil
		},
	})
	if err != nil {
		return nil, err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "go-sdk-agent", Version: "1"}, nil)
	a.ClientSession, err = client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: endpoint, OAuthHandler: handler},
		&mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// fetchCode returns what has a browser sign its person in, and brings back the answer.
func fetchCode(browser *peers.Browser) auth.AuthorizationCodeFetcher {
	return func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
		address := args.URL
		if hint := browser.Answers["login_hint"]; hint != "" {
			address += "&login_hint=" + url.QueryEscape(hint)
		}
		page, err := browser.Open(ctx, address, atRedirect)
		if err != nil {
			return nil, err
		}
		answer := page.URL.Query()
		if code := answer.Get("error"); code != "" {
			return nil, fmt.Errorf("%s: %s", code, answer.Get("error_description"))
		}
		if answer.Get("code") == "" {
			return nil, fmt.Errorf("the browser ended at %s: %s", page.URL, page.Text)
		}
		return &auth.AuthorizationResult{Code: answer.Get("code"), State: answer.Get("state"), Iss: answer.Get("iss")}, nil
	}
}

// atRedirect reports whether an address is that of the agent.
func atRedirect(u *url.URL) bool { return strings.HasPrefix(u.String(), redirect) }

// mustSignIn is signIn for a test that can't go on without.
func mustSignIn(t *testing.T, endpoint string, person map[string]string, revision string) *agent {
	t.Helper()
	a, err := signIn(t.Context(), endpoint, person, revision)
	if err != nil {
		t.Fatalf("sign in as %s%s: %v", person["username"], person["login_hint"], err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// tools lists the names of the tools the agent sees, sorted.
func (a *agent) tools(t *testing.T) []string {
	t.Helper()
	list, err := a.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	slices.Sort(names)
	return names
}

// call calls a tool and returns its result.
func (a *agent) call(t *testing.T, name string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	result, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return result
}

// refused calls a tool that must be unknown to the agent's person.
func (a *agent) refused(t *testing.T, name string, args map[string]any) {
	t.Helper()
	result, err := a.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	var answer *jsonrpc.Error
	switch {
	case err == nil:
		t.Errorf("%s was called and answered %v", name, result.Content)
	case !errors.As(err, &answer):
		t.Errorf("%s: %v, want a JSON-RPC error", name, err)
	case answer.Code != jsonrpc.CodeInvalidParams || answer.Message != "Unknown tool: "+name:
		t.Errorf("%s: %d %q, want %d %q", name, answer.Code, answer.Message, jsonrpc.CodeInvalidParams, "Unknown tool: "+name)
	}
}

// noArguments are the arguments of a tool that takes none. (A nil map would be sent as null, which is no object.)
var noArguments = map[string]any{}

// text is the text of a tool's result.
func text(result *mcp.CallToolResult) string {
	var all strings.Builder
	for _, content := range result.Content {
		if part, ok := content.(*mcp.TextContent); ok {
			all.WriteString(part.Text)
		}
	}
	return all.String()
}
