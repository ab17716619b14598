package workos

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/workos/workos-go/v4/pkg/workos_errors"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// failure is a call to WorkOS that didn't succeed, reduced to what may be logged. The SDK's own error texts hold whole
// bodies and pending authentication tokens, and must go neither into a log nor onto a page.
type failure struct {
	p    *Provider
	what string // "exchange the code", for the log
	// status is the HTTP status; zero if no answer came or it couldn't be read.
	status     int
	code       string // WorkOS' own error code, such as invalid_grant
	message    string // compared, never shown
	requestID  string
	retryAfter time.Duration
	// pending and choices belong to organization_selection_required.
	pending string
	choices []organization
	cause   error // when status is zero
}

// slug is the form of WorkOS' error codes; anything else might be a message with a person's data in it.
var slug = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,80}$`)

func (p *Provider) failure(what string, err error, n *note) *failure {
	f := &failure{p: p, what: what, retryAfter: n.retryAfter}
	h, ok := httpError(err)
	if !ok {
		f.cause = err
		return f
	}
	f.status, f.message, f.pending = h.Code, h.Message, h.PendingAuthenticationToken
	if slug.MatchString(h.ErrorCode) {
		f.code = h.ErrorCode
	}
	if slug.MatchString(h.RequestID) {
		f.requestID = h.RequestID
	}
	if f.code == workos_errors.OrganizationSelectionRequiredCode {
		// The SDK fills in the organizations only if the answer also held the user.
		var body struct {
			Organizations []workos_errors.PendingAuthenticationOrganizationInfo `json:"organizations"`
		}
		if json.Unmarshal([]byte(h.RawBody), &body) == nil {
			for _, o := range body.Organizations {
				f.choices = append(f.choices, organization{id: o.ID, name: o.Name})
			}
		}
	}
	return f
}

// httpError finds the part that all of the SDK's errors for an HTTP answer share.
func httpError(err error) (workos_errors.HTTPError, bool) {
	var (
		plain     workos_errors.HTTPError
		email     *workos_errors.EmailVerificationRequiredError
		enroll    *workos_errors.MFAEnrollmentError
		challenge *workos_errors.MFAChallengeError
		selection *workos_errors.OrganizationSelectionRequiredError
		sso       *workos_errors.SSORequiredError
		methods   *workos_errors.OrganizationAuthenticationMethodsRequiredError
	)
	switch {
	case errors.As(err, &plain):
	case errors.As(err, &email):
		plain = email.HTTPError
	case errors.As(err, &enroll):
		plain = enroll.HTTPError
	case errors.As(err, &challenge):
		plain = challenge.HTTPError
	case errors.As(err, &selection):
		plain = selection.HTTPError
	case errors.As(err, &sso):
		plain = sso.HTTPError
	case errors.As(err, &methods):
		plain = methods.HTTPError
	default:
		return plain, false
	}
	return plain, true
}

// transient reports whether the same request may well succeed a moment later: no usable answer, or trouble at WorkOS.
// A 429 is not: it asks us to stay away.
func (f *failure) transient() bool {
	return f.status == 0 || f.status >= 500 || f.status == http.StatusRequestTimeout
}

// ours reports whether WorkOS refuses us rather than the person: a wrong client_id or api_key.
func (f *failure) ours() bool {
	switch f.code {
	case "invalid_client", "unauthorized_client", "unauthorized", "invalid_client_id", "invalid_client_secret":
		return true
	}
	return f.status == http.StatusUnauthorized
}

// stepUp holds the sentences for what WorkOS asks of a person that only its own sign-in page can ask for. AuthKit asks
// before it returns a code, so these come up with other sign-in pages, or when an organization's rules change.
var stepUp = map[string]string{
	workos_errors.EmailVerificationRequiredCode:                 "Your e-mail address has not been verified yet. Verify it with your organization's sign-in page, then try again.",
	workos_errors.MFAEnrollmentCode:                             "Your organization requires a second factor, and your account has none yet. Set one up, then try again.",
	workos_errors.MFAChallengeCode:                              "Your organization requires a second factor that this sign-in did not ask for. Ask the person who runs this gateway.",
	workos_errors.SSORequiredCode:                               "Your organization requires its single sign-on. Try again and sign in that way.",
	workos_errors.OrganizationAuthenticationMethodsRequiredCode: "Your organization does not accept this way of signing in. Try again and use another one.",
}

// exchanged turns the failure of a sign-in step into an error of package identity.
func (f *failure) exchanged() error {
	if reason, ok := stepUp[f.code]; ok {
		f.log()
		return &identity.Denied{Reason: reason}
	}
	switch {
	case f.code == "organization_membership_not_found":
		return &identity.Denied{Reason: notAMember}
	case f.status == http.StatusBadRequest, f.status == http.StatusNotFound, f.status == http.StatusUnprocessableEntity:
		if !f.ours() {
			return fmt.Errorf("%w: %s", identity.ErrCallback, f)
		}
	}
	return f.err()
}

// refreshed turns the failure of a refresh into an error of package identity. Only what WorkOS says about this very
// session ends it; everything else is WorkOS' trouble or ours, and the session may still be good.
func (f *failure) refreshed() error {
	_, mustSignIn := stepUp[f.code]
	switch {
	case f.transient(), f.ours(), f.status == http.StatusTooManyRequests:
		return f.err()
	case mustSignIn, f.code == "invalid_grant", f.code == "user_not_found",
		f.code == "organization_membership_not_found", f.code == workos_errors.OrganizationSelectionRequiredCode,
		// A bare 404 may as well come from a wrong base_url.
		f.status == http.StatusNotFound && f.code != "" && strings.HasPrefix(f.message, "User"):
		return fmt.Errorf("%w: %s", identity.ErrEnded, f)
	}
	return f.err()
}

// err logs the failure and returns it as an ErrUnavailable.
func (f *failure) err() error {
	f.log()
	return f.unavailable()
}

// unavailable returns the failure as an ErrUnavailable.
func (f *failure) unavailable() error {
	return &identity.Unavailable{RetryAfter: f.retryAfter, Err: errors.New(f.String())}
}

func (f *failure) log() {
	fields := []zap.Field{zap.String("call", f.what), zap.Int("status", f.status), zap.String("code", f.code), zap.String("request_id", f.requestID)}
	if f.cause != nil {
		fields = append(fields, zap.String("error", clip(f.cause.Error())))
	}
	if f.ours() {
		f.p.log.Error("WorkOS refuses our client_id or api_key", fields...)
		return
	}
	f.p.log.Warn("WorkOS did not do what was asked", fields...)
}

// String implements fmt.Stringer; the text may be logged.
func (f *failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "could not %s", f.what)
	switch {
	case f.cause != nil:
		fmt.Fprintf(&b, ": %s", clip(f.cause.Error()))
	default:
		fmt.Fprintf(&b, ": status %d", f.status)
		if f.code != "" {
			fmt.Fprintf(&b, ", %s", f.code)
		}
		if f.requestID != "" {
			fmt.Fprintf(&b, " (request %s)", f.requestID)
		}
	}
	return b.String()
}

// clip bounds a text for the log.
func clip(s string) string {
	const limit = 300
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
