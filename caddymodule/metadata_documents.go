package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/fetch"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// MetadataDocuments says which clients may describe themselves by a client ID metadata document: their client ID is the https URL of
// it, and the gateway fetches it from there.
type MetadataDocuments struct {
	// Whether there are no such clients. Default: false.
	Disabled bool `json:"disabled,omitempty"`

	// The domains where documents may be: a name such as claude.ai, or *.example.com for all below one. Default: all.
	Allow []string `json:"allow,omitempty"`

	// The addresses and networks, such as 10.0.0.5 or 10.0.0.0/8, that documents and keys may be fetched from although they
	// are not of the public internet. Default: none, so that nobody can make the gateway knock at doors behind it.
	PrivateAddresses []string `json:"private_addresses,omitempty"`
}

// documents returns what the authorization server has to know of them; nil if they are off.
func (m *MetadataDocuments) documents() (*oauth.Documents, error) {
	if m == nil {
		m = new(MetadataDocuments)
	}
	if err := m.check(); err != nil || m.Disabled {
		return nil, err
	}
	var private []netip.Prefix
	for _, text := range m.PrivateAddresses {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		private = append(private, network)
	}
	return &oauth.Documents{Client: fetch.NewClient(fetch.Options{Private: private}), Allow: m.Allow}, nil
}

// check says what is wrong with the settings.
func (m *MetadataDocuments) check() error {
	if m.Disabled && len(m.Allow)+len(m.PrivateAddresses) > 0 {
		return errors.New("metadata_documents are off, so there is nothing to allow")
	}
	for _, domain := range m.Allow {
		if err := oauth.CheckDomain(domain); err != nil {
			return fmt.Errorf("metadata_documents: allow %s: %w", domain, err)
		}
	}
	for _, text := range m.PrivateAddresses {
		if _, err := parseNetwork(text); err != nil {
			return err
		}
	}
	return nil
}

// parseNetwork reads an address, or a network in the form of RFC 4632.
func parseNetwork(text string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(text)
	if err != nil {
		var ip netip.Addr
		if ip, err = netip.ParseAddr(text); err == nil && ip.Zone() == "" {
			network = netip.PrefixFrom(ip, ip.BitLen())
		}
	}
	if err != nil || !network.IsValid() || network.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("metadata_documents: private_addresses: %s is no address or network such as 10.0.0.5, 10.0.0.0/8 or fd00::/8", text)
	}
	return network, nil
}

// UnmarshalCaddyfile sets them up from Caddyfile tokens. Syntax:
//
//	metadata_documents on|off {
//	    allow             <domains...>
//	    private_addresses <addresses or networks...>
//	}
func (m *MetadataDocuments) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	at := d.Token()
	var word string
	if err := oneOf(&word, "on", "off")(d); err != nil {
		return err
	}
	m.Disabled = word == "off"
	err := readOptions(d, options{
		"allow*":             words(&m.Allow),
		"private_addresses*": words(&m.PrivateAddresses),
	})
	if err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return errAt(at, err)
	}
	return nil
}

// Interface guard.
var _ caddyfile.Unmarshaler = (*MetadataDocuments)(nil)
