package identity

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// ErrMessage means that what arrived at a Messenger's address is not a message of the provider: unsigned, signed by somebody
// else, too old, or not to be read.
var ErrMessage = errors.New("identity: not a message of the provider")

// Messenger is a Provider that tells us by itself what happens to people, by webhooks at an address of ours. What it says is acted on at
// once, on every node.
type Messenger interface {
	Provider
	// Mailbox is the path of that address below the endpoints of the authorization server, such as "webhooks/workos". It is empty
	// if the provider is configured to send nothing.
	Mailbox() string
	// Open reads a message, having checked that it is the provider's and a fresh one. Errors are, or wrap, ErrMessage or
	// ErrUnavailable.
	Open(ctx context.Context, header http.Header, body []byte) (*Message, error)
}

// Message is what a Messenger has sent, or a Feed has said.
type Message struct {
	// ID names the message among all of the provider's. One that comes again is not acted on again. Empty: it is, which must then
	// do no harm.
	ID string
	// At is when it was made; zero if that is not known.
	At time.Time
	// Expires is until when the same may come again; Open will then refuse it as too old.
	Expires time.Time
	// Notices are what it says; none, if it is of no concern here.
	Notices []Notice
}

// Notice is one thing that has happened to people: sessions have ended, or what somebody may do has changed, which is then read anew and
// ends what has to end.
type Notice struct {
	// Over says that the sessions of Ended, which then names a Person or a Session, have ended. Otherwise it is the roles and permissions of
	// Person that may have changed, or of everybody if that is empty, in any organization or in Org; Session and Before don't count then.
	Over bool
	Ended
	// Reason is for logs and audit records, such as "session.revoked".
	Reason string
}
