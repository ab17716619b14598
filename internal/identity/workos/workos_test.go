package workos

import (
	"strings"
	"testing"
)

func TestNewAcceptsWhatPeopleConfigure(t *testing.T) {
	for name, cfg := range map[string]Config{
		"one organization":     {ClientID: "client_1", APIKey: "sk_1", Organizations: []string{"org_1"}},
		"several":              {ClientID: "client_1", APIKey: "sk_1", Organizations: []string{"org_1", "org_2"}},
		"any":                  {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true},
		"OAuth provider":       {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, Provider: "GoogleOAuth"},
		"connection":           {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, Connection: "conn_1"},
		"domain hint":          {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, Provider: "MicrosoftOAuth", DomainHint: "acme.test"},
		"emulator":             {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, BaseURL: "http://localhost:4100/"},
		"emulator by address":  {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, BaseURL: "http://[::1]:4100"},
		"custom API domain":    {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, BaseURL: "https://auth.acme.test"},
		"a trailing slash off": {ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, BaseURL: "https://api.workos.com/"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if p.Name() != "workos" || p.Label() == "" {
				t.Errorf("named %q, labelled %q", p.Name(), p.Label())
			}
		})
	}
}

func TestNewSaysWhatToWriteInstead(t *testing.T) {
	good := Config{ClientID: "client_1", APIKey: "sk_1", Organizations: []string{"org_1"}}
	for name, c := range map[string]struct {
		spoil func(*Config)
		want  string
	}{
		"no client id":              {func(c *Config) { c.ClientID = "" }, "client_id is missing"},
		"client id with a slash":    {func(c *Config) { c.ClientID = "client_1/../x" }, "client_01H"},
		"no key":                    {func(c *Config) { c.APIKey = "" }, "api_key is missing"},
		"key with a line feed":      {func(c *Config) { c.APIKey = "sk_1\n" }, "api_key holds a space"},
		"no organization":           {func(c *Config) { c.Organizations = nil }, "organization is missing"},
		"organization by name":      {func(c *Config) { c.Organizations = []string{"Acme"} }, `organization "Acme" is not the id`},
		"organization twice":        {func(c *Config) { c.Organizations = []string{"org_1", "org_1"} }, "org_1 is written twice"},
		"any and one":               {func(c *Config) { c.AnyOrganization = true }, "not both"},
		"provider and connection":   {func(c *Config) { c.Provider, c.Connection = "GoogleOAuth", "conn_1" }, "either provider or connection"},
		"unknown provider":          {func(c *Config) { c.Provider = "google" }, "GoogleOAuth"},
		"connection by name":        {func(c *Config) { c.Connection = "okta" }, "conn_01H"},
		"domain hint that is none":  {func(c *Config) { c.DomainHint = "@acme.test" }, `domain_hint "@acme.test" is not a domain`},
		"plain http":                {func(c *Config) { c.BaseURL = "http://api.workos.com" }, "must be https"},
		"http on a lookalike":       {func(c *Config) { c.BaseURL = "http://localhost.evil.test" }, "must be https"},
		"no URL":                    {func(c *Config) { c.BaseURL = "api.workos.com" }, "is not the URL of an API"},
		"user info":                 {func(c *Config) { c.BaseURL = "https://a:b@api.workos.com" }, "is not the URL of an API"},
		"all faults are told, both": {func(c *Config) { c.ClientID, c.APIKey = "", "" }, "api_key is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good
			c.spoil(&cfg)
			_, err := New(cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s", err, c.want)
			}
			if err != nil && cfg.APIKey != "" && strings.Contains(err.Error(), cfg.APIKey) {
				t.Errorf("the key is in %v", err)
			}
		})
	}
}

// Two environments of WorkOS side by side are two providers, with people and webhooks of their own.
func TestANamedEnvironmentIsAProviderOfItsOwn(t *testing.T) {
	cfg := Config{Name: "staging", ClientID: "client_1", APIKey: "sk_1", AnyOrganization: true, WebhookSecret: strings.Repeat("s", 32)}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name() != "staging" || !strings.Contains(p.Label(), "staging") || p.Mailbox() != "webhooks/staging" {
		t.Errorf("named %q, labelled %q, webhooks at %q", p.Name(), p.Label(), p.Mailbox())
	}
	cfg.Name = "Staging/../x"
	if _, err := New(cfg); err == nil {
		t.Error("a name that can't be in an address is taken")
	}
}
