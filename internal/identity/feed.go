package identity

import (
	"context"
	"time"
)

// Feed is a Provider that says what has happened to people when it is asked for it: instead of sending messages to an address of ours
// (see Messenger), or beside that, for what was lost on the way.
type Feed interface {
	Provider
	// FeedInterval is how often to ask.
	FeedInterval() time.Duration
	// Since returns messages in the order in which they were made, a page of them at most, and whether there are more: those after the
	// one with the ID after or, if that is empty, those from a time on. The IDs are those that a Messenger's messages have. Errors are,
	// or wrap, ErrUnavailable.
	Since(ctx context.Context, after string, from time.Time) (messages []Message, more bool, err error)
}
