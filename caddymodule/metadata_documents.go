package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
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

// documentCaches hold the documents that have been fetched, by the private addresses they may be fetched from. They outlive reloads.
var documentCaches = caddy.NewUsagePool()

// pooledDocuments is a cache in the pool.
type pooledDocuments struct{ *oauth.DocumentCache }

// Destruct implements caddy.Destructor. There is nothing to close.
func (pooledDocuments) Destruct() error { return nil }

// joinDocuments takes part in what is known of clients' metadata documents, and returns what the authorization server has to know; nil
// if they are off.
func (app *App) joinDocuments() (*oauth.Documents, error) {
	m := app.Clients.MetadataDocuments
	if m == nil {
		m = new(MetadataDocuments)
	}
	if err := m.check(); err != nil || m.Disabled {
		return nil, err
	}
	private, err := m.private()
	if err != nil {
		return nil, err
	}
	// What could once be fetched from a private address must not be known any more where that is no longer allowed.
	key := fmt.Sprint(private)
	pooled, _, err := documentCaches.LoadOrNew(key, func() (caddy.Destructor, error) {
		return pooledDocuments{oauth.NewDocumentCache(fetch.NewClient(fetch.Options{Private: private}), time.Now)}, nil
	})
	if err != nil {
		return nil, err
	}
	app.documentsKey = key
	return &oauth.Documents{Cache: pooled.(pooledDocuments).DocumentCache, Allow: m.Allow}, nil
}

// partDocuments gives up the place that joinDocuments took.
func (app *App) partDocuments() error {
	if app.documentsKey == "" {
		return nil
	}
	_, err := documentCaches.Delete(app.documentsKey)
	app.documentsKey = ""
	return err
}

// private returns the private networks, each once and in order.
func (m *MetadataDocuments) private() ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range m.PrivateAddresses {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		networks = append(networks, network.Masked())
	}
	slices.SortFunc(networks, netip.Prefix.Compare)
	return slices.Compact(networks), nil
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
	_, err := m.private()
	return err
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

// Interface guards.
var (
	_ caddyfile.Unmarshaler = (*MetadataDocuments)(nil)
	_ caddy.Destructor      = pooledDocuments{}
)
