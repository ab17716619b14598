package oauth

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

func TestConfigurationsThatAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no issuer":               {func(c *Config) { c.Issuer = "" }, "issuer"},
		"an issuer without host":  {func(c *Config) { c.Issuer = "https://" }, "issuer"},
		"an issuer with a query":  {func(c *Config) { c.Issuer = "https://a.example?x" }, "issuer"},
		"an issuer with fragment": {func(c *Config) { c.Issuer = "https://a.example#x" }, "issuer"},
		"an issuer with user":     {func(c *Config) { c.Issuer = "https://u@a.example" }, "issuer"},
		"http on a public host":   {func(c *Config) { c.Issuer = "http://a.example" }, "https"},
		"another scheme":          {func(c *Config) { c.Issuer = "ftp://a.example" }, "https"},
		"capitals":                {func(c *Config) { c.Issuer = "https://A.example" }, "lower case"},
		"no store":                {func(c *Config) { c.Store = nil }, "Store"},
		"no resources":            {func(c *Config) { c.Resources = nil }, "Resources"},
		"no sealer":               {func(c *Config) { c.Sealer = nil }, "Sealer"},
		"a default that is none":  {func(c *Config) { c.DefaultResource = "github" }, "default resource"},
		"negative time":           {func(c *Config) { c.RefreshGrace = -time.Second }, "negative"},
		"tokens born expired":     {func(c *Config) { c.AccessTTL = 500 * time.Millisecond }, "1s or longer"},
		"refresh that is no use":  {func(c *Config) { c.RefreshTTL = time.Minute }, "refresh tokens have to live as long as access tokens (1h0m0s)"},
		"a provider twice":        {func(c *Config) { c.Providers = []identity.Provider{newLocalProvider(), newLocalProvider()} }, "twice"},
		"a bad static client":     {func(c *Config) { c.Static = []StaticClient{{ID: "a"}} }, "static client a"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{
				Issuer: testIssuer, Resources: func() []Resource { return nil }, Store: brokenStore{},
				Sealer: func(context.Context) (*seal.Sealer, error) { return nil, errStoreDown },
			}
			if _, err := New(cfg); err != nil {
				t.Fatalf("unchanged: %v", err)
			}
			tc.change(&cfg)
			if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.IdentityRefresh = 2 * time.Hour })
	c := f.server.cfg
	if c.AccessTTL != time.Hour || c.RefreshTTL != 720*time.Hour || c.RefreshGrace != 2*time.Minute || c.MaxStale != 2*time.Hour || c.Logger == nil || c.Pages == nil {
		t.Errorf("the defaults are %+v", c)
	}
}
