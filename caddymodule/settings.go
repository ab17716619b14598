package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
)

// Defaults of the app.
const (
	defaultAccessTTL       = time.Hour
	defaultRefreshTTL      = 30 * 24 * time.Hour
	defaultRefreshGrace    = 2 * time.Minute
	defaultPersonalTTL     = 90 * 24 * time.Hour
	defaultKeyRotation     = 30 * 24 * time.Hour
	defaultIdentityRefresh = 5 * time.Minute
	defaultMaxStale        = time.Hour
)

// setDefaults fills in what was left out.
func (app *App) setDefaults() {
	for _, span := range []struct {
		target *caddy.Duration
		value  time.Duration
	}{
		{&app.AccessTokenTTL, defaultAccessTTL},
		{&app.RefreshTokenTTL, defaultRefreshTTL},
		{&app.RefreshGrace, defaultRefreshGrace},
		{&app.ApprovalTimeout, guard.DefaultApprovalTimeout},
		{&app.KeyRotation, defaultKeyRotation},
		{&app.PersonalTokenTTL, defaultPersonalTTL},
		{&app.IdentityRefresh, defaultIdentityRefresh},
		{&app.IdentityMaxStale, max(defaultMaxStale, time.Duration(app.IdentityRefresh))},
	} {
		if *span.target == 0 {
			*span.target = caddy.Duration(span.value)
		}
	}
	if app.OAuthPath == "" {
		app.OAuthPath = "/"
	}
	if app.Consent == "" {
		app.Consent = "once"
	}
	if app.Origins == nil {
		app.Origins = []string{"http://localhost:*", "http://127.0.0.1:*"}
	}
	if app.StoreRaw == nil {
		app.StoreRaw = json.RawMessage(`{"module":"caddy"}`)
	}
	app.storeConfig = string(app.StoreRaw)
	if len(app.AuditRaw) == 0 { // an empty list doesn't turn auditing off
		app.AuditRaw = []json.RawMessage{json.RawMessage(`{"module":"log"}`)}
	}
}

// maxContact is how long the text may be that says whom to ask, in characters: it stands in the middle of sentences.
const maxContact = 200

// checkContact says what is wrong with whom people are to ask.
func checkContact(contact string) error {
	if utf8.RuneCountInString(contact) > maxContact || strings.ContainsFunc(contact, unicode.IsControl) {
		return fmt.Errorf("contact has to be one line of at most %d characters, such as it@example.com", maxContact)
	}
	return nil
}

// check looks at every setting that needs nothing else to be judged, and resolves the placeholders in them.
func (app *App) check() error {
	issuer, err := resolve("issuer", app.Issuer)
	if err != nil {
		return err
	}
	if app.issuer, err = parseIssuer(issuer); err != nil {
		return err
	}
	if err := checkOAuthPath(app.OAuthPath); err != nil {
		return err
	}
	if app.DefaultResource != "" {
		if app.DefaultResource, err = resolve("default_resource", app.DefaultResource); err != nil {
			return err
		}
	}
	if app.Contact != "" {
		if app.Contact, err = resolve("contact", app.Contact); err != nil {
			return err
		}
	}
	if err := checkContact(app.Contact); err != nil {
		return err
	}
	origins, err := resolveAll("origins", app.Origins)
	if err != nil {
		return err
	}
	if app.origins, err = parseOrigins(origins); err != nil {
		return err
	}
	if app.Consent != "once" && app.Consent != "always" {
		return fmt.Errorf("consent can be once or always, not %s", app.Consent)
	}
	for name, span := range map[string]caddy.Duration{
		"access_token_ttl":   app.AccessTokenTTL,
		"refresh_token_ttl":  app.RefreshTokenTTL,
		"refresh_grace":      app.RefreshGrace,
		"approval_timeout":   app.ApprovalTimeout,
		"key_rotation":       app.KeyRotation,
		"personal_token_ttl": app.PersonalTokenTTL,
		"identity_refresh":   app.IdentityRefresh,
		"identity_max_stale": app.IdentityMaxStale,
	} {
		if err := checkSpan(name, time.Duration(span)); err != nil {
			return err
		}
	}
	if app.IdentityMaxStale < app.IdentityRefresh {
		return errors.New("max_stale must not be shorter than identity_refresh")
	}
	return nil
}

// parseIssuer reads the origin of the authorization server.
func parseIssuer(text string) (origin, error) {
	issuer, err := parseOrigin(text)
	if err != nil {
		return origin{}, fmt.Errorf("issuer: %w", err)
	}
	if !issuer.secure() {
		return origin{}, fmt.Errorf("issuer: %s must be https: plain http is for loopback only (RFC 8414 section 2)", issuer)
	}
	return issuer, nil
}
