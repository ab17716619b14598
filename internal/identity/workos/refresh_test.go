package workos

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// alice is a signed-in person in org_1.
func alice() *identity.Person {
	return &identity.Person{
		Provider: "workos", ID: "user_1", Email: "alice@acme.test", Name: "Alice", Org: "org_1", OrgName: "Acme",
		Roles: []string{"admin"}, Permissions: []string{"all"}, Impersonator: "staff@acme.test",
		Claims:    map[string]any{"sid": "session_1", "tier": "gold", "email_verified": true},
		SessionID: "session_1",
		Session:   packSession("rt_1"),
	}
}

func TestRefreshReadsRolesAnew(t *testing.T) {
	f := newFake(t)
	f.authenticate[byRefresh] = func(c call) reply {
		if c.body["refresh_token"] != "rt_1" || c.body["organization_id"] != "" {
			t.Errorf("refreshed with %v", c.body)
		}
		return f.session("rt_2", map[string]any{"org_id": "org_1", "role": "member", "permissions": []string{"some"}})
	}
	old := alice()
	got, err := f.provider(nil).Refresh(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	want := alice()
	want.Roles, want.Permissions, want.Session = []string{"member"}, []string{"some"}, packSession("rt_2")
	want.Claims = map[string]any{"sid": "session_1", "org_id": "org_1", "email_verified": true}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !reflect.DeepEqual(old, alice()) {
		t.Error("the old person was changed")
	}
}

func TestRefreshClassifiesFailures(t *testing.T) {
	for name, c := range map[string]struct {
		reply reply
		want  error
		sent  int
	}{
		"session revoked":          {reply{status: 400, body: map[string]any{"error": "invalid_grant", "error_description": "Session has already ended."}}, identity.ErrEnded, 1},
		"token spent, emulator":    {reply{status: 400, body: map[string]any{"code": "invalid_grant", "message": "Invalid refresh token"}}, identity.ErrEnded, 1},
		"user deleted":             {reply{status: 404, body: map[string]any{"code": "not_found", "message": "User not found"}}, identity.ErrEnded, 1},
		"membership gone":          {reply{status: 400, body: map[string]any{"code": "organization_membership_not_found", "message": "m"}}, identity.ErrEnded, 1},
		"single sign-on wanted":    {reply{status: 403, body: map[string]any{"error": "sso_required", "error_description": "m"}}, identity.ErrEnded, 1},
		"second factor wanted":     {reply{status: 403, body: map[string]any{"code": "mfa_enrollment", "message": "m", "user": map[string]any{"id": "u"}}}, identity.ErrEnded, 1},
		"wrong base URL":           {reply{status: 404, body: map[string]any{"code": "not_found", "message": "Not Found"}}, identity.ErrUnavailable, 1},
		"404 of a proxy":           {reply{status: 404, body: "User-agent: *", header: map[string]string{"Content-Type": "text/plain"}}, identity.ErrUnavailable, 1},
		"our secret is wrong":      {reply{status: 400, body: map[string]any{"error": "invalid_client", "error_description": "m"}}, identity.ErrUnavailable, 1},
		"our key is wrong":         {reply{status: 401, body: map[string]any{"message": "Unauthorized"}}, identity.ErrUnavailable, 1},
		"our request is wrong":     {reply{status: 400, body: map[string]any{"error": "invalid_request", "error_description": "m"}}, identity.ErrUnavailable, 1},
		"unknown 4xx":              {reply{status: 418, body: map[string]any{"code": "teapot", "message": "m"}}, identity.ErrUnavailable, 1},
		"too many":                 {reply{status: 429, body: map[string]any{"message": "slow down"}}, identity.ErrUnavailable, 1},
		"server error":             {reply{status: 500, body: map[string]any{"message": "oops"}}, identity.ErrUnavailable, 2},
		"error that looks ended":   {reply{status: 500, body: map[string]any{"error": "invalid_grant", "error_description": "m"}}, identity.ErrUnavailable, 2},
		"limit that looks ended":   {reply{status: 429, body: map[string]any{"error": "invalid_grant", "error_description": "m"}}, identity.ErrUnavailable, 1},
		"maintenance with an hour": {reply{status: 503, header: map[string]string{"Retry-After": "60"}, body: "{}"}, identity.ErrUnavailable, 1},
		"connection cut":           {reply{}, identity.ErrUnavailable, 2},
		"not JSON":                 {reply{status: 200, body: "<html>"}, identity.ErrUnavailable, 2},
		"empty":                    {reply{status: 200, body: "{}"}, identity.ErrUnavailable, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.authenticate[byRefresh] = always(c.reply)
			person, err := f.provider(nil).Refresh(t.Context(), alice())
			if person != nil || !errors.Is(err, c.want) {
				t.Errorf("got %+v, %v, want %v", person, err, c.want)
			}
			for _, other := range []error{identity.ErrEnded, identity.ErrUnavailable, identity.ErrDenied} {
				if other != c.want && errors.Is(err, other) {
					t.Errorf("%v is also %v", err, other)
				}
			}
			if n := f.count(byRefresh); n != c.sent {
				t.Errorf("sent %d times, want %d", n, c.sent)
			}
			if err != nil && strings.Contains(err.Error(), "rt_1") {
				t.Errorf("the refresh token is in %v", err)
			}
		})
	}
}

func TestRefreshTellsWhenToComeBack(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second,
		testNow.Add(90 * time.Second).Format(http.TimeFormat):  90 * time.Second,
		testNow.Add(-90 * time.Second).Format(http.TimeFormat): 0,
		"999999999": time.Hour,
		"-5":        0,
		"soon":      0,
		"":          0,
	} {
		f := newFake(t)
		f.authenticate[byRefresh] = always(reply{status: 429, header: map[string]string{"Retry-After": header}, body: "{}"})
		_, err := f.provider(nil).Refresh(t.Context(), alice())
		var unavailable *identity.Unavailable
		if !errors.As(err, &unavailable) || unavailable.RetryAfter != want {
			t.Errorf("%q: got %#v, want %v", header, err, want)
		}
	}
}

func TestRefreshRepeatsALostAnswer(t *testing.T) {
	f := newFake(t)
	lost := true
	f.authenticate[byRefresh] = func(c call) reply {
		if lost {
			lost = false
			return reply{}
		}
		if c.body["refresh_token"] != "rt_1" {
			t.Errorf("repeated with %v", c.body)
		}
		return f.session("rt_2", map[string]any{"org_id": "org_1", "role": "member"})
	}
	got, err := f.provider(nil).Refresh(t.Context(), alice())
	if err != nil || unpackSession(got.Session) != "rt_2" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRefreshNeverLosesARotatedSession(t *testing.T) {
	for name, prepare := range map[string]func(*fake){
		"keys out of reach": func(f *fake) { f.jwksStatus = 503 },
		"token unusable": func(f *fake) {
			f.authenticate[byRefresh] = always(f.session("rt_2", map[string]any{"iss": "https://elsewhere.test", "org_id": "org_1"}))
		},
		"memberships out of reach": func(f *fake) {
			f.listStatus = 500
			f.authenticate[byRefresh] = always(f.session("rt_2", map[string]any{}))
		},
		"moving back fails": func(f *fake) {
			f.memberships = []map[string]any{member("org_1", "active")}
			f.authenticate[byRefresh] = func(c call) reply {
				if c.body["organization_id"] != "" {
					return reply{status: 500, body: "{}"}
				}
				return f.session("rt_2", map[string]any{})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.authenticate[byRefresh] = always(f.session("rt_2", map[string]any{"org_id": "org_1", "role": "member"}))
			prepare(f)
			got, err := f.provider(nil).Refresh(t.Context(), alice())
			if !errors.Is(err, identity.ErrUnavailable) || errors.Is(err, identity.ErrEnded) {
				t.Fatalf("got %v", err)
			}
			want := alice()
			want.Session = packSession("rt_2")
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestRefreshKeepsTheTokenWorkOSDidNotRotate(t *testing.T) {
	f := newFake(t)
	f.authenticate[byRefresh] = always(f.session("", map[string]any{"org_id": "org_1", "role": "member"}))
	got, err := f.provider(nil).Refresh(t.Context(), alice())
	if err != nil || unpackSession(got.Session) != "rt_1" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRefreshStaysInTheOrganization(t *testing.T) {
	for name, c := range map[string]struct {
		claims      map[string]any // of the refreshed session
		moved       map[string]any // of the one moved back
		memberships []map[string]any
		want        error
	}{
		"gone to another of ours, still a member": {map[string]any{"org_id": "org_2", "role": "admin"}, map[string]any{"org_id": "org_1", "role": "member"}, []map[string]any{member("org_1", "active")}, nil},
		"gone to another of ours for good":        {map[string]any{"org_id": "org_2", "role": "admin"}, nil, []map[string]any{member("org_2", "active")}, identity.ErrEnded},
		"in none, member of none":                 {map[string]any{}, nil, nil, identity.ErrEnded},
		"in none, membership inactive":            {map[string]any{}, nil, []map[string]any{member("org_1", "inactive")}, identity.ErrEnded},
		"no role, still a member":                 {map[string]any{"org_id": "org_1"}, nil, []map[string]any{member("org_1", "active")}, nil},
		"no role, no longer a member":             {map[string]any{"org_id": "org_1"}, nil, nil, identity.ErrEnded},
		"does not come back":                      {map[string]any{}, map[string]any{"org_id": "org_2", "role": "admin"}, []map[string]any{member("org_1", "active")}, identity.ErrEnded},
		"comes back as another":                   {map[string]any{}, map[string]any{"org_id": "org_1", "role": "admin", "sub": "user_2"}, []map[string]any{member("org_1", "active")}, identity.ErrEnded},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.memberships = c.memberships
			f.authenticate[byRefresh] = func(call call) reply {
				if call.body["organization_id"] != "" {
					if call.body["refresh_token"] != "rt_2" || call.body["organization_id"] != "org_1" {
						t.Errorf("moved with %v", call.body)
					}
					return f.session("rt_3", c.moved)
				}
				return f.session("rt_2", c.claims)
			}
			got, err := f.provider(nil).Refresh(t.Context(), alice())
			if !errors.Is(err, c.want) || (got == nil) != (c.want != nil) {
				t.Fatalf("got %+v, %v, want %v", got, err, c.want)
			}
			if got != nil && got.Org != "org_1" {
				t.Errorf("went on in %s", got.Org)
			}
		})
	}
}

func TestRefreshRefusesWhatTheConfigurationNoLongerAccepts(t *testing.T) {
	f := newFake(t)
	old := alice()
	old.Org = "org_9"
	if got, err := f.provider(nil).Refresh(t.Context(), old); got != nil || !errors.Is(err, identity.ErrDenied) {
		t.Errorf("got %+v, %v", got, err)
	}
	if p := f.provider(nil); !p.Outdated(old) || p.Outdated(alice()) {
		t.Errorf("outdated: %v in org_9, %v in an accepted one", p.Outdated(old), p.Outdated(alice()))
	}
	old = alice()
	old.Session = []byte("?")
	if got, err := f.provider(nil).Refresh(t.Context(), old); got != nil || !errors.Is(err, identity.ErrEnded) {
		t.Errorf("without a token: %+v, %v", got, err)
	}
	if len(f.calls) != 0 {
		t.Errorf("asked WorkOS: %v", f.calls)
	}
}

func TestRefreshRefusesTheSessionOfAnother(t *testing.T) {
	f := newFake(t)
	f.authenticate[byRefresh] = always(f.session("rt_2", map[string]any{"sub": "user_2", "org_id": "org_1", "role": "admin"}))
	if got, err := f.provider(nil).Refresh(t.Context(), alice()); got != nil || !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRefreshIsFinishedWhenTheCallerIsGone(t *testing.T) {
	f := newFake(t)
	f.authenticate[byRefresh] = always(f.session("rt_2", map[string]any{"org_id": "org_1", "role": "member"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err := f.provider(nil).Refresh(ctx, alice())
	if err != nil || unpackSession(got.Session) != "rt_2" {
		t.Errorf("got %+v, %v", got, err)
	}
}
