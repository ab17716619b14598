package identity

import (
	"context"
	"time"
)

// Ended says which sessions at a provider have ended. Person or Session is set, or both.
type Ended struct {
	// Person is the ID of a person.
	Person string
	// Session is the SessionID of the one session that has ended; empty: all sessions of Person have.
	Session string
	// Org narrows it to sessions in an organization; empty: all.
	Org string
	// Before leaves out what was granted later than that; the zero time leaves out nothing.
	Before time.Time
}

// Logout is what a provider says by a logout token.
type Logout struct {
	Ended
	// Token is the provider's identifier of the token (jti), by which a second copy of it is known.
	Token string
}

// LogoutVerifier is a provider that tells us when sessions end (OpenID Connect Back-Channel Logout 1.0).
type LogoutVerifier interface {
	Provider
	// VerifyLogout checks a logout token, and that it was issued within the last minutes. Errors are, or wrap, ErrCallback, if it is
	// none of this provider for us, or ErrUnavailable.
	VerifyLogout(ctx context.Context, token string) (*Logout, error)
}
