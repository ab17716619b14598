package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// openPolicy allows everything there is.
const openPolicy = `role admin {
				allow * tools *
				allow * prompts *
				allow * resources **
				allow * templates **
			}`

// machineClients is a client without a person, which needs no browser.
const machineClients = `clients {
			static bot {
				secret a-secret-of-the-bot
				grant client_credentials
				role admin
			}
		}`

// onlyAlice is an identity block with one person, who is an admin.
func onlyAlice(t testing.TB) string {
	return "identity local {\n\t\t\tuser alice " + hash(t, alicePassword) + " {\n\t\t\t\trole admin\n\t\t\t}\n\t\t}"
}

// fronted is a gateway whose mounts are reached through a proxy on this machine, the front, which gives every request the
// token it needs and changes nothing else, Host and Origin included. It is for peers that know of no authorization.
type fronted struct {
	*gateway
	front *tap
}

// startFronted runs a gateway with these mounts (path to upstream host:port) behind a front.
func startFronted(t testing.TB, policy string, mounts map[string]string) *fronted {
	t.Helper()
	f := &fronted{front: newTap(t)}
	var site strings.Builder
	var defaultResource string
	site.WriteString("mcp_gateway") // the authorization server stays where it is
	for mount, upstream := range mounts {
		// The Host that arrives is the front's, so that is what the resource is called.
		fmt.Fprintf(&site, "\n\tmcp_gateway %s %s {\n\t\tserver %s\n\t\tresource %s%s\n\t}", mount, upstream, mount[1:], f.front.url, mount)
		defaultResource = f.front.url + mount
	}
	f.gateway = startGateway(t, gatewayConfig{
		Identity: onlyAlice(t),
		Clients:  machineClients, Policy: policy, Mounts: site.String(), Default: defaultResource,
	})
	f.front.tokens = make(map[string]string, len(mounts))
	for mount := range mounts {
		f.front.tokens[mount] = f.machineToken(t, f.front.url+mount)
	}
	f.front.to(t, f.origin)
	return f
}

// machineToken gets the client of [machineClients] a token for a resource.
func (g *gateway) machineToken(t testing.TB, resource string) string {
	t.Helper()
	return g.clientToken(t, "bot", resource)
}

// clientToken is machineToken for any client that has the same secret.
func (g *gateway) clientToken(t testing.TB, client, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {resource}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.origin+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(client, "a-secret-of-the-bot")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var token struct {
		Access string `json:"access_token"`
		Error  string `json:"error_description"`
	}
	if err := json.NewDecoder(response.Body).Decode(&token); err != nil || token.Access == "" {
		t.Fatalf("a token for %s: %s %s (%v)", resource, response.Status, token.Error, err)
	}
	return token.Access
}
