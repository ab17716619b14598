package workos

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const webhookSecret = "a secret of webhooks"

var webhookTime = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

// hooked makes a provider that gets webhooks.
func hooked(t testing.TB) *Provider {
	p, err := New(Config{
		ClientID: "client_1", APIKey: "sk_1", Organizations: []string{"org_1"}, WebhookSecret: webhookSecret,
		Now: func() time.Time { return webhookTime },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signature signs a body as WorkOS does.
func signature(secret, stamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "." + body))
	return "t=" + stamp + ", v1=" + hex.EncodeToString(mac.Sum(nil))
}

// millis is a time as WorkOS writes it.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func TestWebhooksSayWhatHasHappened(t *testing.T) {
	at := time.Date(2026, 7, 28, 11, 59, 0, 0, time.UTC)
	over := func(reason string, ended identity.Ended) []identity.Notice {
		return []identity.Notice{{Over: true, Ended: ended, Reason: reason}}
	}
	changed := func(reason string, whom identity.Ended) []identity.Notice {
		return []identity.Notice{{Ended: whom, Reason: reason}}
	}
	for name, c := range map[string]struct {
		event, data string
		want        []identity.Notice
	}{
		"a session was revoked": {
			"session.revoked", `{"object":"session","id":"session_1","user_id":"user_1","organization_id":"org_1"}`,
			over("session.revoked", identity.Ended{Session: "session_1", Person: "user_1"}),
		},
		"a person was deleted":  {"user.deleted", `{"object":"user","id":"user_1","email":"a@b.test"}`, over("user.deleted", identity.Ended{Person: "user_1"})},
		"a person nobody names": {"user.deleted", `{}`, nil},
		"a role was given": {
			"organization_membership.updated", `{"id":"om_1","user_id":"user_1","organization_id":"org_1","status":"active","role":{"slug":"admin"}}`,
			changed("organization_membership.updated", identity.Ended{Person: "user_1", Org: "org_1"}),
		},
		"a person joined": {
			"organization_membership.created", `{"user_id":"user_1","organization_id":"org_1","status":"active"}`,
			changed("organization_membership.created", identity.Ended{Person: "user_1", Org: "org_1"}),
		},
		"a membership nobody has": {"organization_membership.created", `{"organization_id":"org_1"}`, nil},
		"a membership was deactivated": {
			"organization_membership.updated", `{"user_id":"user_1","organization_id":"org_1","status":"inactive"}`,
			over("organization_membership.updated", identity.Ended{Person: "user_1", Org: "org_1", Before: at}),
		},
		"a person left": {
			"organization_membership.deleted", `{"user_id":"user_1","organization_id":"org_1"}`,
			over("organization_membership.deleted", identity.Ended{Person: "user_1", Org: "org_1", Before: at}),
		},
		"a person left nowhere":       {"organization_membership.deleted", `{"user_id":"user_1"}`, nil},
		"an organization was deleted": {"organization.deleted", `{"id":"org_1"}`, changed("organization.deleted", identity.Ended{Org: "org_1"})},
		"a role was changed":          {"role.updated", `{"slug":"admin"}`, changed("role.updated", identity.Ended{})},
		"an organization's role was changed": {
			"organization_role.updated", `{"slug":"admin","organization_id":"org_1"}`, changed("organization_role.updated", identity.Ended{Org: "org_1"}),
		},
		"a permission was changed": {"permission.deleted", `{"slug":"delete"}`, changed("permission.deleted", identity.Ended{})},
		"what is of no concern":    {"connection.activated", `{"id":"conn_1"}`, nil},
		// Refused, it would be sent again for days.
		"what is of no concern, in another form": {"flag.updated", `[{"status":{}}]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"id":"event_1","event":"` + c.event + `","data":` + c.data + `,"created_at":"2026-07-28T11:59:00.000Z"}`
			header := http.Header{signatureHeader: {signature(webhookSecret, millis(webhookTime), body)}}
			got, err := hooked(t).Open(t.Context(), header, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if got.ID != "event_1" || !got.Expires.Equal(webhookTime.Add(tolerance)) || !reflect.DeepEqual(got.Notices, c.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWebhooksOfOthersAreRefused(t *testing.T) {
	body := `{"id":"event_1","event":"user.deleted","data":{"id":"user_1"}}`
	good := signature(webhookSecret, millis(webhookTime), body)
	_, hexed, _ := strings.Cut(good, "v1=")
	for name, c := range map[string]struct {
		signatures []string
		body       string
		good       bool
	}{
		"good":                      {[]string{good}, body, true},
		"good, in seconds":          {[]string{signature(webhookSecret, strconv.FormatInt(webhookTime.Unix(), 10), body)}, body, true},
		"good, without a space":     {[]string{strings.Replace(good, " ", "", 1)}, body, true},
		"of just now":               {[]string{signature(webhookSecret, millis(webhookTime.Add(-tolerance)), body)}, body, true},
		"unsigned":                  {nil, body, false},
		"signed twice":              {[]string{good, good}, body, false},
		"another body":              {[]string{good}, body + " ", false},
		"another secret":            {[]string{signature("another secret entirely", millis(webhookTime), body)}, body, false},
		"too old":                   {[]string{signature(webhookSecret, millis(webhookTime.Add(-tolerance-time.Second)), body)}, body, false},
		"from tomorrow":             {[]string{signature(webhookSecret, millis(webhookTime.Add(24*time.Hour)), body)}, body, false},
		"with another time":         {[]string{"t=" + millis(webhookTime.Add(time.Second)) + ", v1=" + hexed}, body, false},
		"empty":                     {[]string{""}, body, false},
		"only a time":               {[]string{"t=1"}, body, false},
		"nothing in it":             {[]string{","}, body, false},
		"short parts":               {[]string{"t,v"}, body, false},
		"a time that is none":       {[]string{signature(webhookSecret, "now", body)}, body, false},
		"a time below zero":         {[]string{signature(webhookSecret, "-1", body)}, body, false},
		"a signature cut short":     {[]string{good[:len(good)-1]}, body, false},
		"a signature in capitals":   {[]string{strings.ToUpper(good)}, body, false},
		"signed, but no JSON":       {[]string{signature(webhookSecret, millis(webhookTime), "{")}, "{", false},
		"signed, but without an id": {[]string{signature(webhookSecret, millis(webhookTime), "{}")}, "{}", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := hooked(t).Open(t.Context(), http.Header{signatureHeader: c.signatures}, []byte(c.body))
			if c.good != (err == nil) || c.good != (got != nil) || err != nil && !errors.Is(err, identity.ErrMessage) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestWithoutAWebhookSecretThereIsNoMailbox(t *testing.T) {
	p, err := New(Config{ClientID: "client_1", APIKey: "sk_1", Organizations: []string{"org_1"}})
	if err != nil || p.Mailbox() != "" {
		t.Errorf("the mailbox is %q, %v", p.Mailbox(), err)
	}
	if _, err := New(Config{ClientID: "client_1", APIKey: "sk_1", Organizations: []string{"org_1"}, WebhookSecret: "short"}); err == nil {
		t.Error("a short secret was taken")
	}
	if got := hooked(t).Mailbox(); got != "webhooks/workos" {
		t.Errorf("the mailbox is %q", got)
	}
}

// FuzzWebhook holds that no signature and no body does harm, and that nothing is believed that was not signed.
func FuzzWebhook(f *testing.F) {
	body := `{"id":"event_1","event":"user.deleted","data":{"id":"user_1"}}`
	f.Add(signature(webhookSecret, millis(webhookTime), body), body)
	f.Add("t=1, v1=2", `{"id":1}`)
	f.Add("t,v", `[]`)
	f.Add("", `{"id":"e","event":"organization_membership.deleted","data":{"user_id":"u","organization_id":"o"},"created_at":"x"}`)
	p := hooked(f)
	f.Fuzz(func(t *testing.T, header, body string) {
		m, err := p.Open(t.Context(), http.Header{signatureHeader: {header}}, []byte(body))
		if (m == nil) == (err == nil) {
			t.Errorf("got %+v, %v", m, err)
		}
		// The same body, signed: it is read or refused, and nothing else.
		m, err = p.Open(t.Context(), http.Header{signatureHeader: {signature(webhookSecret, millis(webhookTime), body)}}, []byte(body))
		if (m == nil) == (err == nil) || err != nil && !errors.Is(err, identity.ErrMessage) {
			t.Errorf("signed: got %+v, %v", m, err)
		}
	})
}
