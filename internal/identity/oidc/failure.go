package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// failure is a request to the provider that did not succeed, reduced to what may be logged: x/oauth2's own texts hold whole answers.
type failure struct {
	p    *Provider
	what string // "exchange the code", for the log
	// status is the HTTP status; zero if no answer came or it could not be read.
	status int
	// code is the provider's error code, such as invalid_grant (RFC 6749 section 5.2).
	code       string
	retryAfter time.Duration
	cause      error // when status is zero
}

// errorForm is what an error code looks like; anything else might be a message with a person's data in it.
var errorForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,80}$`)

// failed reads an error.
func (p *Provider) failed(what string, err error) *failure {
	f := &failure{p: p, what: what}
	if answered, ok := errors.AsType[*oauth2.RetrieveError](err); ok && answered.Response != nil {
		f.status, f.retryAfter = answered.Response.StatusCode, identity.RetryAfter(answered.Response.Header, p.now())
		if errorForm.MatchString(answered.ErrorCode) {
			f.code = answered.ErrorCode
		}
		return f
	}
	if answered, ok := errors.AsType[*issuer.StatusError](err); ok {
		f.status = answered.Status
		return f
	}
	f.cause = err
	return f
}

// transient reports whether the same request may well succeed a moment later. A 429 is not: it asks us to stay away.
func (f *failure) transient() bool {
	return f.status == 0 || f.status >= http.StatusInternalServerError || f.status == http.StatusRequestTimeout
}

// ours reports whether the provider refuses us rather than the person.
func (f *failure) ours() bool {
	return f.status == http.StatusUnauthorized || slices.Contains([]string{"invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type"}, f.code)
}

// exchanged turns the failure of a code's exchange into an error of package identity.
func (f *failure) exchanged() error {
	if f.status == http.StatusBadRequest && f.code == "invalid_grant" {
		return fmt.Errorf("%w: %s", identity.ErrCallback, f)
	}
	return f.unavailable()
}

// over are the codes by which a provider says that it will not go on without the person (RFC 6749 section 5.2, OpenID Connect Core
// section 3.1.2.6).
var over = []string{"invalid_grant", "interaction_required", "login_required", "consent_required", "account_selection_required"}

// refreshed turns the failure of a refresh into an error of package identity. Only what the provider says about this very session ends
// it; everything else is its trouble or ours, and the session may still be good.
func (f *failure) refreshed() error {
	if !f.transient() && !f.ours() && slices.Contains(over, f.code) {
		return fmt.Errorf("%w: %s", identity.ErrEnded, f)
	}
	return f.unavailable()
}

// unavailable logs the failure and returns it as an ErrUnavailable.
func (f *failure) unavailable() error {
	fields := []zap.Field{zap.String("provider", f.p.Name()), zap.String("issuer", f.p.cfg.Issuer), zap.String("error", f.String())}
	if f.ours() {
		f.p.log.Error("the OpenID provider refuses our client_id, client_secret or scopes", fields...)
	} else {
		f.p.log.Warn("the OpenID provider did not do what was asked", fields...)
	}
	return &identity.Unavailable{RetryAfter: f.retryAfter, Err: errors.New(f.String())}
}

// String implements fmt.Stringer; the text may be logged.
func (f *failure) String() string {
	switch {
	case f.cause != nil:
		return fmt.Sprintf("could not %s: %s", f.what, clip(f.cause.Error()))
	case f.code != "":
		return fmt.Sprintf("could not %s: status %d, %s", f.what, f.status, f.code)
	}
	return fmt.Sprintf("could not %s: status %d", f.what, f.status)
}

// clip bounds a text for the log.
func clip(s string) string {
	const limit = 300
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
