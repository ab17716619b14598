package foreign

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// An answer to introspection is judged by all that it says.
func TestAnswersAboutTokens(t *testing.T) {
	now := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	i := New(Config{Issuer: "https://auth.example.com", ClientID: "a", ClientSecret: "b"}, nil, func() time.Time { return now }, zap.NewNop)
	good := `"active":true,"sub":"alice","client_id":"agent","aud":"https://mcp.example.com/github"`
	for answer, fine := range map[string]bool{
		`{` + good + `}`: true,
		`{` + good + `,"iss":"https://auth.example.com","token_type":"bearer","exp":1800000000}`: true,
		`{"active":true,"client_id":"ci","aud":["x"]}`:                                           true,
		`{}`:                                           false,
		`{"sub":"alice","aud":"x"}`:                    false,
		`{"active":"true","sub":"a"}`:                  false,
		`{"active":false,"sub":"alice"}`:               false,
		`{"Active":true,"sub":"a"}`:                    false,
		`{"active":true,"aud":"x"}`:                    false,
		`{"active":true,"sub":"alice"}`:                false,
		`{"active":true,"sub":7,"aud":7}`:              false,
		`{` + good + `,"iss":"https://other.example"}`: false,
		`{` + good + `,"iss":7}`:                       false,
		`{` + good + `,"token_type":"refresh_token"}`:  false,
		`{` + good + `,"token_type":"DPoP"}`:           false,
		`{` + good + `,"cnf":{"jkt":"x"}}`:             false,
		`{` + good + `,"exp":1}`:                       false,
		`{` + good + `,"exp":"soon"}`:                  false,
		`{` + good + `,"nbf":1900000000}`:              false,
	} {
		var claims issuer.Claims
		if err := json.Unmarshal([]byte(answer), &claims); err != nil {
			t.Fatal(err)
		}
		got, err := i.judge(claims)
		if fine != (err == nil) || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", answer, got, err)
		}
	}
}

// FuzzVerify holds that nothing made up is a token, whatever it looks like, and that none makes trouble.
func FuzzVerify(f *testing.F) {
	for _, seed := range []string{
		"", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20ifQ.AAAA",
		"eyJhbGciOiJSUzI1NiIsImtpZCI6Ii4uLyJ9.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJleHAiOjllOTk5fQ.AA",
	} {
		f.Add(seed)
	}
	now := func() time.Time { return time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC) }
	i := New(Config{Issuer: "https://auth.example.com", JWKS: "http://127.0.0.1:0/jwks"}, nil, now, zap.NewNop)
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := i.Verify(t.Context(), token); err == nil || !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%q: %+v, %v", token, got, err)
		}
	})
}
