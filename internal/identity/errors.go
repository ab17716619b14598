package identity

import (
	"errors"
	"time"
)

// The outcomes of asking a provider, apart from success. Errors of providers match exactly one of them with errors.Is.
var (
	// ErrDenied means: signed in, but may not come in, as without an accepted organization. The error is a *Denied.
	ErrDenied = errors.New("identity: not admitted")
	// ErrUnavailable means the provider could not be asked, asked us to slow down, had trouble of its own, or gave an
	// answer that can't be trusted. It says nothing about the person. The error may be an *Unavailable that says when
	// to come back.
	ErrUnavailable = errors.New("identity: provider unavailable")
	// ErrEnded means the provider's session is over for good: revoked, expired, or the person is gone.
	ErrEnded = errors.New("identity: session ended")
	// ErrCallback means the answer of the sign-in page is unusable: no code, a code that is not good, a code that was
	// used before, or an error the provider reports. Signing in again may help.
	ErrCallback = errors.New("identity: sign-in answer refused")
	// ErrCredentials means the user name or the password is wrong; which of them is not said.
	ErrCredentials = errors.New("identity: wrong user name or password")
	// ErrRateLimited means too many attempts were made. The error may be a *RateLimited that says when to come back.
	ErrRateLimited = errors.New("identity: too many attempts")
)

// Denied is an ErrDenied with a sentence for the person. Reason is plain text, safe to show on a page to the person who
// signed in: it holds nothing about other people and no secret.
type Denied struct{ Reason string }

// Error implements error.
func (e *Denied) Error() string { return ErrDenied.Error() + ": " + e.Reason }

// Is makes errors.Is(e, ErrDenied) true.
func (e *Denied) Is(target error) bool { return target == ErrDenied }

// Unavailable is an ErrUnavailable with its cause.
type Unavailable struct {
	// RetryAfter is how long the provider asked us to stay away; zero if it didn't say.
	RetryAfter time.Duration
	// Err is the cause, for the log; it holds no secret.
	Err error
}

// Error implements error.
func (e *Unavailable) Error() string {
	if e.Err == nil {
		return ErrUnavailable.Error()
	}
	return ErrUnavailable.Error() + ": " + e.Err.Error()
}

// Is makes errors.Is(e, ErrUnavailable) true.
func (e *Unavailable) Is(target error) bool { return target == ErrUnavailable }

// Unwrap returns the cause.
func (e *Unavailable) Unwrap() error { return e.Err }

// RateLimited is an ErrRateLimited that says when the next attempt may succeed.
type RateLimited struct{ RetryAfter time.Duration }

// Error implements error.
func (e *RateLimited) Error() string { return ErrRateLimited.Error() }

// Is makes errors.Is(e, ErrRateLimited) true.
func (e *RateLimited) Is(target error) bool { return target == ErrRateLimited }
