package workos

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

func TestStart(t *testing.T) {
	f := newFake(t)
	for name, c := range map[string]struct {
		adjust func(*Config)
		anew   bool
		want   url.Values // beside those every URL has
	}{
		"several organizations": {nil, false, url.Values{"provider": {"authkit"}}},
		"anew":                  {nil, true, url.Values{"provider": {"authkit"}, "max_age": {"0"}}},
		"one organization":      {func(c *Config) { c.Organizations = []string{"org_1"} }, false, url.Values{"provider": {"authkit"}, "organization_id": {"org_1"}}},
		"OAuth provider":        {func(c *Config) { c.Organizations, c.Provider = []string{"org_1"}, "GoogleOAuth" }, false, url.Values{"provider": {"GoogleOAuth"}}},
		"domain hint": {
			func(c *Config) { c.Provider, c.DomainHint = "MicrosoftOAuth", "acme.test" }, false, url.Values{"provider": {"MicrosoftOAuth"}, "domain_hint": {"acme.test"}},
		},
		"connection": {func(c *Config) { c.Organizations, c.Connection = []string{"org_1"}, "conn_1" }, false, url.Values{"connection_id": {"conn_1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, secret, err := f.provider(c.adjust).Start(t.Context(), identity.Start{
				RedirectURI: "https://mcp.acme.test/callback", State: "st&te", LoginHint: "alice@acme.test", Anew: c.anew,
			})
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(got)
			if err != nil || !strings.HasPrefix(got, f.url+"/user_management/authorize?") {
				t.Fatalf("got %s, %v", got, err)
			}
			c.want.Set("client_id", "client_1")
			c.want.Set("redirect_uri", "https://mcp.acme.test/callback")
			c.want.Set("response_type", "code")
			c.want.Set("state", "st&te")
			c.want.Set("login_hint", "alice@acme.test")
			c.want.Set("code_challenge_method", "S256")
			c.want.Set("code_challenge", oauth2.S256ChallengeFromVerifier(string(secret)))
			if !reflect.DeepEqual(u.Query(), c.want) {
				t.Errorf("got  %v\nwant %v", u.Query(), c.want)
			}
			if strings.Contains(got, string(secret)) {
				t.Error("the verifier is in the URL")
			}
		})
	}
}

func TestStartMakesANewVerifierEachTime(t *testing.T) {
	p := newFake(t).provider(nil)
	_, one, _ := p.Start(t.Context(), identity.Start{RedirectURI: "https://x.test/callback", State: "s"})
	_, two, _ := p.Start(t.Context(), identity.Start{RedirectURI: "https://x.test/callback", State: "s"})
	if len(one) < 43 || string(one) == string(two) {
		t.Errorf("verifiers %q and %q", one, two)
	}
}

// callback is a good answer of the sign-in page.
func callback() identity.Finish {
	return identity.Finish{
		RedirectURI: "https://mcp.acme.test/callback",
		Query:       url.Values{"code": {"code_1"}, "state": {"s"}},
		Secret:      []byte("verifier_1"),
	}
}

func TestFinishReturnsThePerson(t *testing.T) {
	f := newFake(t)
	f.authenticate[byCode] = func(c call) reply {
		if c.body["code"] != "code_1" || c.body["code_verifier"] != "verifier_1" {
			t.Errorf("redeemed %v", c.body)
		}
		return f.session("rt_1", map[string]any{"org_id": "org_2", "role": "member", "permissions": []string{"image_generation"}})
	}
	got, err := f.provider(nil).Finish(t.Context(), callback())
	if err != nil {
		t.Fatal(err)
	}
	want := &identity.Person{
		Provider: "workos", ID: "user_1", Email: "alice@acme.test", Name: "Alice Jones", Org: "org_2", OrgName: "Org org_2",
		Roles: []string{"member"}, Permissions: []string{"image_generation"},
		Claims:    map[string]any{"sid": "session_1", "org_id": "org_2", "email_verified": true},
		SessionID: "session_1",
		Session:   packSession("rt_1"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if n := f.count("/user_management/organization_memberships"); n != 0 {
		t.Errorf("asked for memberships %d times although the session was fine", n)
	}
}

func TestFinishTellsOfAnImpersonator(t *testing.T) {
	f := newFake(t)
	claims := map[string]any{"org_id": "org_1", "role": "member"}
	f.authenticate[byCode] = func(call) reply {
		r := f.session("rt_1", claims)
		r.body.(map[string]any)["impersonator"] = map[string]any{"email": "staff@acme.test", "reason": "help"}
		return r
	}
	if got, err := f.provider(nil).Finish(t.Context(), callback()); err != nil || got.Impersonator != "staff@acme.test" {
		t.Errorf("from the answer: %+v, %v", got, err)
	}
	claims["act"] = map[string]any{"sub": "other@acme.test"}
	if got, err := f.provider(nil).Finish(t.Context(), callback()); err != nil || got.Impersonator != "other@acme.test" {
		t.Errorf("from the token: %+v, %v", got, err)
	}
}

func TestFinishRefusesBadCallbacks(t *testing.T) {
	f := newFake(t)
	p := f.provider(nil)
	for name, in := range map[string]identity.Finish{
		"no code":           {Query: url.Values{}, Secret: []byte("v")},
		"empty code":        {Query: url.Values{"code": {""}}, Secret: []byte("v")},
		"two codes":         {Query: url.Values{"code": {"a", "b"}}, Secret: []byte("v")},
		"code too long":     {Query: url.Values{"code": {strings.Repeat("c", maxCode+1)}}, Secret: []byte("v")},
		"no verifier":       {Query: url.Values{"code": {"c"}}},
		"an error":          {Query: url.Values{"error": {"access_denied"}}, Secret: []byte("v")},
		"an error and code": {Query: url.Values{"error": {"access_denied"}, "code": {"c"}}, Secret: []byte("v")},
		"an empty error":    {Query: url.Values{"error": {""}, "code": {"c"}}, Secret: []byte("v")},
		"a hostile error":   {Query: url.Values{"error": {"<script>"}}, Secret: []byte("v")},
	} {
		person, err := p.Finish(t.Context(), in)
		if person != nil || !errors.Is(err, identity.ErrCallback) {
			t.Errorf("%s: got %+v, %v", name, person, err)
		}
		if err != nil && strings.Contains(err.Error(), "<") {
			t.Errorf("%s: hostile text in %v", name, err)
		}
	}
	if len(f.calls) != 0 {
		t.Errorf("asked WorkOS: %v", f.calls)
	}
}

// selection is the answer that asks for an organization, as WorkOS gives it.
func selection(orgs ...string) reply {
	list := make([]map[string]any, 0, len(orgs))
	for _, o := range orgs {
		list = append(list, map[string]any{"id": o, "name": "Org " + o})
	}
	return reply{status: http.StatusForbidden, body: map[string]any{
		"code": "organization_selection_required", "message": "choose", "pending_authentication_token": "pending_1",
		"organizations": list, "user": map[string]any{"id": "user_1", "email": "alice@acme.test"},
	}}
}

func TestFinishSettlesTheOrganization(t *testing.T) {
	anyOrganization := func(c *Config) { c.Organizations, c.AnyOrganization = nil, true }
	denied := func(reason string) string { return "denied: " + reason }
	for name, c := range map[string]struct {
		adjust      func(*Config)
		first       map[string]any // claims of the first session
		selection   []string       // or the organizations to choose from
		memberships []map[string]any
		want        string // the organization, or the reason of a denial
	}{
		"already in an accepted one":      {first: map[string]any{"org_id": "org_1", "role": "r"}, want: "org_1"},
		"in none, member of one":          {memberships: []map[string]any{member("org_2", "active")}, want: "org_2"},
		"in none, member of two":          {memberships: []map[string]any{member("org_2", "active"), member("org_1", "active")}, want: "choose org_1 org_2"},
		"in another, member of ours too":  {first: map[string]any{"org_id": "org_9", "role": "admin"}, memberships: []map[string]any{member("org_9", "active"), member("org_1", "active")}, want: "org_1"},
		"in another only":                 {first: map[string]any{"org_id": "org_9", "role": "admin"}, memberships: []map[string]any{member("org_9", "active")}, want: denied(notAMember)},
		"in none, member of none":         {want: denied(notAMember)},
		"membership is pending":           {memberships: []map[string]any{member("org_1", "pending")}, want: denied(notAMember)},
		"membership is inactive":          {memberships: []map[string]any{member("org_1", "inactive")}, want: denied(notAMember)},
		"another person's membership":     {memberships: []map[string]any{{"user_id": "user_2", "organization_id": "org_1", "status": "active"}}, want: denied(notAMember)},
		"organization without a role":     {first: map[string]any{"org_id": "org_1"}, memberships: []map[string]any{member("org_1", "active")}, want: "org_1"},
		"no role and no membership":       {first: map[string]any{"org_id": "org_1"}, want: denied(notAMember)},
		"any, in one":                     {adjust: anyOrganization, first: map[string]any{"org_id": "org_9", "role": "r"}, want: "org_9"},
		"any, member of one":              {adjust: anyOrganization, memberships: []map[string]any{member("org_9", "active")}, want: "org_9"},
		"any, member of several":          {adjust: anyOrganization, memberships: []map[string]any{member("org_8", "active"), member("org_9", "active")}, want: "choose org_8 org_9"},
		"any, member of none":             {adjust: anyOrganization, want: denied(notAMember)},
		"any, a role without a place":     {adjust: anyOrganization, first: map[string]any{"role": "admin"}, want: denied(notAMember)},
		"selection with two of ours":      {selection: []string{"org_9", "org_2", "org_1"}, want: "choose org_1 org_2"},
		"selection with one of ours":      {selection: []string{"org_9", "org_2"}, want: "org_2"},
		"selection without ours":          {selection: []string{"org_8", "org_9"}, want: denied(notAMember)},
		"selection with any and several":  {adjust: anyOrganization, selection: []string{"org_8", "org_9"}, want: "choose org_8 org_9"},
		"selection with any and just one": {adjust: anyOrganization, selection: []string{"org_9"}, want: "org_9"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.memberships = c.memberships
			f.authenticate[byCode] = func(call) reply {
				if c.selection != nil {
					return selection(c.selection...)
				}
				return f.session("rt_1", c.first)
			}
			f.authenticate[bySelection] = func(call call) reply {
				if call.body["pending_authentication_token"] != "pending_1" {
					t.Errorf("selected with %v", call.body)
				}
				return f.session("rt_2", map[string]any{"org_id": call.body["organization_id"], "role": "member"})
			}
			f.authenticate[byRefresh] = func(call call) reply {
				if call.body["refresh_token"] != "rt_1" {
					t.Errorf("moved with %v", call.body)
				}
				return f.session("rt_2", map[string]any{"org_id": call.body["organization_id"], "role": "member"})
			}
			provider := f.provider(c.adjust)
			person, err := provider.Finish(t.Context(), callback())
			if choice := (*identity.Choice)(nil); errors.As(err, &choice) {
				last := chooseLast(t, provider, choice, c.want)
				person, err, c.want = last, nil, last.Org
			}
			if denial := (*identity.Denied)(nil); errors.As(err, &denial) {
				if got := "denied: " + denial.Reason; got != c.want || person != nil || !errors.Is(err, identity.ErrDenied) {
					t.Errorf("got %+v, %q, want %q", person, got, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if person.Org != c.want {
				t.Errorf("got %s, want %s", person.Org, c.want)
			}
			moved := f.count(byRefresh)+f.count(bySelection) > 0
			if want := map[bool]string{true: "rt_2", false: "rt_1"}[moved]; unpackSession(person.Session) != want {
				t.Errorf("kept %s, want %s", person.Session, want)
			}
		})
	}
}

// chooseLast chooses the last of the organizations that are offered, which have to be those of want, "choose " and their ids; others can't
// be chosen.
func chooseLast(t *testing.T, p *Provider, choice *identity.Choice, want string) *identity.Person {
	t.Helper()
	got := "choose"
	for _, option := range choice.Options {
		got += " " + option.ID
		if option.Name == "" {
			t.Errorf("%s has no name", option.ID)
		}
	}
	if got != want {
		t.Fatalf("got to %s, want to %s", got, want)
	}
	for _, id := range []string{"org_7", ""} {
		if person, err := p.Choose(t.Context(), choice.Pending, id); person != nil || !errors.Is(err, identity.ErrCallback) {
			t.Errorf("chose %q: %+v, %v", id, person, err)
		}
	}
	last := choice.Options[len(choice.Options)-1].ID
	person, err := p.Choose(t.Context(), choice.Pending, last)
	if err != nil || person.Org != last || person.ID != "user_1" || person.Email == "" {
		t.Fatalf("chose %s: %+v, %v", last, person, err)
	}
	return person
}

func TestChoosingWithoutASignIn(t *testing.T) {
	p := newFake(t).provider(nil)
	for _, pending := range []string{"", "{}", "null", `{"options":["org_1"]}`, `{"options":["org_9"],"pending":"p"}`} {
		if person, err := p.Choose(t.Context(), []byte(pending), "org_1"); person != nil || !errors.Is(err, identity.ErrCallback) {
			t.Errorf("%s: %+v, %v", pending, person, err)
		}
	}
	// The configuration may have changed meanwhile.
	if person, err := p.Choose(t.Context(), []byte(`{"options":["org_9"],"pending":"p"}`), "org_9"); person != nil || !errors.Is(err, identity.ErrDenied) {
		t.Errorf("an organization that may come in no more: %+v, %v", person, err)
	}
}

func TestFinishNeedsTheOrganizationItAskedFor(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"none":           {},
		"another":        {"org_id": "org_9", "role": "admin"},
		"another person": {"org_id": "org_1", "role": "admin", "sub": "user_2"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.memberships = []map[string]any{member("org_1", "active")}
			f.authenticate[byCode] = always(f.session("rt_1", nil))
			f.authenticate[byRefresh] = always(f.session("rt_2", claims))
			if person, err := f.provider(nil).Finish(t.Context(), callback()); person != nil || !errors.Is(err, identity.ErrUnavailable) {
				t.Errorf("got %+v, %v", person, err)
			}
		})
	}
}

func TestFinishRefusesATokenOfAnotherUser(t *testing.T) {
	f := newFake(t)
	f.authenticate[byCode] = always(f.session("rt_1", map[string]any{"sub": "user_2", "org_id": "org_1", "role": "r"}))
	if person, err := f.provider(nil).Finish(t.Context(), callback()); person != nil || !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("got %+v, %v", person, err)
	}
}

func TestFinishClassifiesFailures(t *testing.T) {
	for name, c := range map[string]struct {
		reply reply
		want  error
	}{
		"code unknown, today's form":   {reply{status: 400, body: map[string]any{"error": "invalid_grant", "error_description": "The code 'x' has expired or is invalid."}}, identity.ErrCallback},
		"code unknown, emulator":       {reply{status: 400, body: map[string]any{"code": "invalid_code", "message": "Invalid code"}}, identity.ErrCallback},
		"user unknown":                 {reply{status: 404, body: map[string]any{"code": "not_found", "message": "User not found"}}, identity.ErrCallback},
		"unprocessable":                {reply{status: 422, body: map[string]any{"message": "no", "errors": []any{}}}, identity.ErrCallback},
		"our secret is wrong":          {reply{status: 400, body: map[string]any{"error": "invalid_client", "error_description": "Invalid client secret."}}, identity.ErrUnavailable},
		"our key is wrong":             {reply{status: 401, body: map[string]any{"message": "Unauthorized"}}, identity.ErrUnavailable},
		"forbidden":                    {reply{status: 403, body: map[string]any{"message": "Forbidden"}}, identity.ErrUnavailable},
		"too many":                     {reply{status: 429, body: map[string]any{"message": "slow down"}}, identity.ErrUnavailable},
		"server error":                 {reply{status: 500, body: map[string]any{"message": "oops"}}, identity.ErrUnavailable},
		"a page of a proxy":            {reply{status: 502, body: "<html>", header: map[string]string{"Content-Type": "text/html"}}, identity.ErrUnavailable},
		"connection cut":               {reply{}, identity.ErrUnavailable},
		"not JSON":                     {reply{status: 200, body: "<html>"}, identity.ErrUnavailable},
		"endless":                      {reply{status: 200, body: `{"x":"` + strings.Repeat("x", maxAnswer) + `"}`}, identity.ErrUnavailable},
		"no token":                     {reply{status: 200, body: "{}"}, identity.ErrUnavailable},
		"e-mail not verified":          {reply{status: 403, body: map[string]any{"code": "email_verification_required", "message": "m", "pending_authentication_token": "secret_1"}}, identity.ErrDenied},
		"second factor wanted":         {reply{status: 403, body: map[string]any{"code": "mfa_challenge", "message": "m", "user": map[string]any{"id": "u"}}}, identity.ErrDenied},
		"second factor to be set up":   {reply{status: 403, body: map[string]any{"code": "mfa_enrollment", "message": "m", "user": map[string]any{"id": "u"}}}, identity.ErrDenied},
		"single sign-on wanted":        {reply{status: 403, body: map[string]any{"error": "sso_required", "error_description": "m", "pending_authentication_token": "secret_1"}}, identity.ErrDenied},
		"another way to sign in":       {reply{status: 403, body: map[string]any{"error": "organization_authentication_methods_required", "error_description": "m"}}, identity.ErrDenied},
		"selection without a token":    {reply{status: 403, body: map[string]any{"code": "organization_selection_required", "message": "m"}}, identity.ErrUnavailable},
		"a choice without the user":    {reply{status: 403, body: map[string]any{"code": "organization_selection_required", "message": "m", "pending_authentication_token": "p", "organizations": []any{}}}, identity.ErrDenied},
		"a code that isn't a code":     {reply{status: 400, body: map[string]any{"code": "Hello alice@acme.test!", "message": "m"}}, identity.ErrCallback},
		"an error that says a secret":  {reply{status: 400, body: map[string]any{"code": "x", "message": "secret_1"}}, identity.ErrCallback},
		"secrets in plain text errors": {reply{status: 400, body: "secret_1", header: map[string]string{"Content-Type": "text/plain"}}, identity.ErrCallback},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.authenticate[byCode] = always(c.reply)
			person, err := f.provider(nil).Finish(t.Context(), callback())
			if person != nil || !errors.Is(err, c.want) {
				t.Errorf("got %+v, %v, want %v", person, err, c.want)
			}
			for _, secret := range []string{"secret_1", "alice@", "code_1", "verifier_1", "sk_test"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s is in %v", secret, err)
				}
			}
			if n := f.count(byCode); n != 1 {
				t.Errorf("sent the code %d times", n)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	f := newFake(t)
	f.authenticate[byCode] = always(reply{status: 307, header: map[string]string{"Location": elsewhere.URL}, body: "{}"})
	if person, err := f.provider(nil).Finish(t.Context(), callback()); person != nil || !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("got %+v, %v", person, err)
	}
	if followed {
		t.Error("the API key went elsewhere")
	}
}

func TestFinishSurvivesTheLackOfAName(t *testing.T) {
	f := newFake(t)
	f.authenticate[byCode] = always(f.session("rt_1", map[string]any{"org_id": "org_1", "role": "member"}))
	p := f.provider(nil)
	p.orgs.Endpoint = f.url + "/nowhere"
	person, err := p.Finish(t.Context(), callback())
	if err != nil || person.OrgName != "" || person.Org != "org_1" {
		t.Errorf("got %+v, %v", person, err)
	}
}

func TestNamesOfOrganizationsAreKept(t *testing.T) {
	f := newFake(t)
	p := f.provider(nil)
	for range 3 {
		if got := p.organizationName(t.Context(), "org_1"); got != "Org org_1" {
			t.Fatalf("got %q", got)
		}
	}
	if n := f.count("/organizations/org_1"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}
