package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// upstreamSchemes are those that an upstream's URL can have.
var upstreamSchemes = []string{"http", "https", "h2c"}

// dialNetworks are those that an address can begin with, besides those of sockets.
var dialNetworks = []string{"tcp", "tcp4", "tcp6"}

// checkUpstream says what is wrong with an upstream as it is written in a Caddyfile, with its path taken off.
func checkUpstream(address string) error {
	scheme, rest, isURL := strings.Cut(address, "://")
	switch {
	case hasPlaceholder(address):
		return nil // known once a request is there
	case strings.ContainsAny(address, "#?"):
		return fmt.Errorf("the upstream %q holds more than scheme, host, port and path", address)
	case strings.Contains(rest, "@") || !isURL && strings.Contains(address, "@"):
		// What stands before the @ may be a password, so it isn't shown.
		return errors.New(`an upstream can't hold a user and a password; give them in the block: ` +
			`credentials static { header Authorization "Basic {env.UPSTREAM_BASIC}" }`)
	case !isURL:
		return checkDial(address)
	}
	if !isOneOf(scheme, upstreamSchemes) {
		return fmt.Errorf("the upstream %q must begin with %s", address, orList([]string{"http://", "https://", "h2c://"}))
	}
	if strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::") || rest == "" {
		return fmt.Errorf("the upstream %q has no host", address)
	}
	if u, err := url.Parse(address); err == nil {
		return checkPort(address, u.Port())
	}
	return nil // a range of ports, which the proxy takes, or something that it says what is wrong with
}

// checkDial says what is wrong with the address of an upstream without a scheme.
func checkDial(address string) error {
	if hasPlaceholder(address) {
		return nil
	}
	before, after, hasSlash := strings.Cut(address, "/")
	switch {
	case hasSlash && (caddy.IsUnixNetwork(before) || caddy.IsFdNetwork(before)):
		return nil
	case hasSlash && !isOneOf(before, dialNetworks):
		return fmt.Errorf("the upstream %q has a path, and so needs a scheme: write http://%s or https://%s; or leave the path out and add the subdirective: endpoint /%s",
			address, address, address, after)
	case hasSlash:
		address = after
	}
	if _, port, err := net.SplitHostPort(address); err == nil {
		return checkPort(address, port)
	}
	return nil
}

// checkPort says what is wrong with the port of an upstream, or the range of them; it may be left out.
func checkPort(address, ports string) error {
	if ports == "" {
		return nil
	}
	for port := range strings.SplitSeq(ports, "-") {
		if port == "" || !isPort(port) {
			return fmt.Errorf("the upstream %q has no port that there is; a port is 1 to 65535", address)
		}
	}
	return nil
}

// isOneOf reports whether a word is one of a few.
func isOneOf(word string, words []string) bool {
	for _, other := range words {
		if strings.EqualFold(word, other) {
			return true
		}
	}
	return false
}
