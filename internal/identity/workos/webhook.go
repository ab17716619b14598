package workos

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
	"github.com/workos/workos-go/v4/pkg/webhooks"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	// mailboxes is where WorkOS sends its webhooks, with the provider's name after it.
	mailboxes = "webhooks/"
	// signatureHeader carries the time and signature of a webhook.
	signatureHeader = "Workos-Signature"
	// tolerance is how far a webhook's time may be from ours, either way. WorkOS signs anew when it tries again.
	tolerance = 3 * time.Minute
	// minWebhookSecret is the length in bytes of the shortest secret that is taken for one.
	minWebhookSecret = 16
	// maxEventID bounds the id of an event in bytes.
	maxEventID = 128
)

var _ identity.Messenger = (*Provider)(nil)

// Mailbox implements identity.Messenger.
func (p *Provider) Mailbox() string {
	if p.cfg.WebhookSecret == "" {
		return ""
	}
	return mailboxes + p.cfg.Name
}

// Open implements identity.Messenger: a webhook is signed with the secret that the endpoint has in WorkOS.
func (p *Provider) Open(_ context.Context, header http.Header, body []byte) (*identity.Message, error) {
	signed := header.Values(signatureHeader)
	if len(signed) != 1 {
		return nil, fmt.Errorf("%w: %d signatures", identity.ErrMessage, len(signed))
	}
	at, err := p.checkSignature(signed[0], body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", identity.ErrMessage, err)
	}
	var e event
	// Of what is of no concern here the form is none either: what is not taken is sent again for days.
	if err := json.Unmarshal(body, &e); err != nil && (e.Event == "" || slices.Contains(followed, e.Event)) {
		return nil, fmt.Errorf("%w: no event: %s", identity.ErrMessage, clip(err.Error()))
	}
	if e.ID == "" || len(e.ID) > maxEventID {
		return nil, fmt.Errorf("%w: an event without a usable id", identity.ErrMessage)
	}
	return e.message(at.Add(tolerance)), nil
}

// Errors of signatures.
var (
	errSignatureForm = errors.New("the signature header is not of the form t=…, v1=…")
	errSignature     = errors.New("the signature is not good")
	errWebhookTime   = errors.New("it was signed too long ago, or will be")
)

// checkSignature checks the time and the signature of a webhook, and returns the time.
//
// The SDK has the last word about the signature. But it cuts the header up without looking, compares as fast as it can, and minds no time
// that is to come; so what it gets is in order, is known to be good, and has been compared by the clock.
func (p *Provider) checkSignature(header string, body []byte) (time.Time, error) {
	stamp, signature, ok := strings.Cut(header, ",")
	stamp, timed := strings.CutPrefix(stamp, "t=")
	signature, versioned := strings.CutPrefix(strings.TrimPrefix(signature, " "), "v1=")
	if !ok || !timed || !versioned || len(stamp) > 13 || len(signature) != hex.EncodedLen(sha256.Size) {
		return time.Time{}, errSignatureForm
	}
	n, err := strconv.ParseUint(stamp, 10, 64)
	if err != nil {
		return time.Time{}, errSignatureForm
	}
	mac := hmac.New(sha256.New, []byte(p.cfg.WebhookSecret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(signature)) {
		return time.Time{}, errSignature
	}
	sdk := webhooks.NewClient(p.cfg.WebhookSecret)
	sdk.SetNow(p.now)
	sdk.SetTolerance(math.MaxInt64)
	if _, err := sdk.ValidatePayload("t="+stamp+", v1="+signature, string(body)); err != nil {
		return time.Time{}, err
	}
	// WorkOS counts milliseconds, its emulator seconds.
	at := time.UnixMilli(int64(n))
	if len(stamp) <= 10 {
		at = time.Unix(int64(n), 0)
	}
	if age := p.now().Sub(at); age > tolerance || age < -tolerance {
		return time.Time{}, errWebhookTime
	}
	return at, nil
}

// event is a webhook, or one of the events that the API lists, as far as it is of concern here.
type event struct {
	ID      string `json:"id"`
	Event   string `json:"event"`
	Created string `json:"created_at"`
	Data    struct {
		ID           string `json:"id"`
		User         string `json:"user_id"`
		Organization string `json:"organization_id"`
		Status       string `json:"status"`
	} `json:"data"`
}

// message is what an event says, which is remembered until expires.
func (e *event) message(expires time.Time) *identity.Message {
	m := &identity.Message{ID: e.ID, Expires: expires, Notices: e.notices()}
	if at, err := time.Parse(time.RFC3339, e.Created); err == nil {
		m.At = at
	}
	return m
}

// notices says what an event means to people who have granted something.
func (e *event) notices() []identity.Notice {
	changed := identity.Notice{Reason: e.Event, Ended: identity.Ended{Org: e.Data.Organization}}
	switch e.Event {
	case "session.revoked":
		return e.over(identity.Ended{Session: e.Data.ID, Person: e.Data.User})
	case "user.deleted":
		return e.over(identity.Ended{Person: e.Data.ID})
	case "organization_membership.created":
		changed.Person = e.Data.User
	case "organization_membership.updated":
		if e.Data.Status != "" && e.Data.Status != string(usermanagement.Active) {
			return e.left()
		}
		changed.Person = e.Data.User
	case "organization_membership.deleted":
		return e.left()
	case "organization.deleted":
		changed.Org = e.Data.ID
	case "role.created", "role.updated", "role.deleted", "organization_role.created", "organization_role.updated", "organization_role.deleted",
		"permission.created", "permission.updated", "permission.deleted":
	default:
		return nil
	}
	if changed.Person == "" && strings.HasPrefix(e.Event, "organization_membership.") {
		return nil
	}
	return []identity.Notice{changed}
}

// over says that sessions have ended.
func (e *event) over(ended identity.Ended) []identity.Notice {
	if ended.Person == "" && ended.Session == "" {
		return nil
	}
	return []identity.Notice{{Over: true, Ended: ended, Reason: e.Event}}
}

// left says that somebody has left an organization. They may have come back since: what they granted after the event stays, and is asked
// about like all that is theirs there.
func (e *event) left() []identity.Notice {
	if e.Data.Organization == "" {
		return nil
	}
	ended := identity.Ended{Person: e.Data.User, Org: e.Data.Organization}
	if at, err := time.Parse(time.RFC3339, e.Created); err == nil {
		ended.Before = at
	}
	return e.over(ended)
}
