package oauth

import (
	"strings"
	"testing"
)

// The pair of RFC 7636 appendix B.
const (
	rfcVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	rfcChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

func TestVerifyChallenge(t *testing.T) {
	for _, tc := range []struct {
		name, verifier, challenge string
		want                      bool
	}{
		{"the RFC's own", rfcVerifier, rfcChallenge, true},
		{"another verifier", strings.Repeat("a", 43), rfcChallenge, false},
		{"plain", rfcChallenge, rfcChallenge, false},
		{"empty", "", rfcChallenge, false},
		{"both empty", "", "", false},
		{"longer", rfcVerifier + "a", rfcChallenge, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := verifyChallenge(tc.verifier, tc.challenge); got != tc.want {
				t.Errorf("verifyChallenge = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestPKCESyntax(t *testing.T) {
	for _, tc := range []struct {
		name, text          string
		challenge, verifier bool
	}{
		{"the RFC's challenge", rfcChallenge, true, true},
		{"42 characters", strings.Repeat("a", 42), false, false},
		{"44 characters", strings.Repeat("a", 44), false, true},
		{"128 characters", strings.Repeat("~", 128), false, true},
		{"129 characters", strings.Repeat("a", 129), false, false},
		{"padding", rfcChallenge[:42] + "=", false, false},
		{"bits that say nothing", rfcChallenge[:42] + "N", false, true},
		{"another alphabet", strings.Repeat("+", 43), false, false},
		{"a space", rfcVerifier + " ", false, false},
		{"a NUL", rfcVerifier + "\x00", false, false},
		{"letters outside ASCII", rfcVerifier + "é", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := validChallenge(tc.text); got != tc.challenge {
				t.Errorf("validChallenge = %v, want %v", got, tc.challenge)
			}
			if got := validVerifier(tc.text); got != tc.verifier {
				t.Errorf("validVerifier = %v, want %v", got, tc.verifier)
			}
		})
	}
}
