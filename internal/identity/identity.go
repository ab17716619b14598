// Package identity says who a person is. A Provider is one way of finding out: a hosted sign-in the browser is sent to
// (Redirector), or a form of our own whose answer is checked here (Verifier). Those whose sessions live on at the
// provider (Refresher) keep a person's roles live after the sign-in.
//
// The package itself holds only the words the authorization server and the providers share; each provider lives in a
// folder of its own.
package identity

import (
	"context"
	"net/url"
)

// Person is who signed in, as the provider vouched for at one moment. It can be serialised as JSON. A Person handed out
// by a provider is not touched by it again; whoever holds one treats it as read-only.
type Person struct {
	// Provider is the Name of the provider that vouches for this person.
	Provider string `json:"provider"`
	// ID is the provider's own identifier of the person; only together with Provider is it unique.
	ID    string `json:"id"`
	Email string `json:"email,omitempty"`
	// Name is for display.
	Name string `json:"name,omitempty"`
	// Org is the provider's identifier of the organization the session is in; empty where the provider has none.
	Org string `json:"org,omitempty"`
	// OrgName is for display; it may be empty although Org is set.
	OrgName     string   `json:"org_name,omitempty"`
	Roles       []string `json:"roles,omitempty"`
	Permissions []string `json:"permissions,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	// Claims are further facts from the provider's session, as plain JSON values.
	Claims map[string]any `json:"claims,omitempty"`
	// Impersonator is the e-mail address or identifier of a member of staff who acts as this person; empty otherwise.
	Impersonator string `json:"impersonator,omitempty"`
	// SessionID is the provider's own name for the session that began with the sign-in, by which the provider says that it has ended
	// (sid of OpenID Connect Back-Channel Logout 1.0 section 2.1). It is no secret; empty where the provider doesn't say.
	SessionID string `json:"session_id,omitempty"`
	// Session is what Refresh needs. It is a secret: whoever stores a Person encrypts it.
	Session []byte `json:"session,omitempty"`
}

// Provider is one way to sign in. Implementations are safe for concurrent use.
type Provider interface {
	// Name identifies the provider in stored records and in people's ids, such as "workos" or "local". It never changes, and CheckName
	// finds nothing wrong with it.
	Name() string
	// Label names the provider on pages, such as "WorkOS".
	Label() string
}

// Redirector is a provider that signs people in on pages of its own.
type Redirector interface {
	Provider
	// Start says where to send the browser. It asks the provider for nothing but what that publishes about itself, if that is not
	// known yet; errors are, or wrap, ErrUnavailable. The secret (a PKCE verifier, a nonce) must reach
	// Finish and nobody else: the caller keeps it in its own sealed transaction.
	Start(ctx context.Context, in Start) (redirect string, secret []byte, err error)
	// Finish turns the provider's answer into a person. The caller has already checked state. Errors are, or wrap,
	// ErrCallback, ErrDenied or ErrUnavailable.
	Finish(ctx context.Context, in Finish) (*Person, error)
}

// Start is what a sign-in begins with.
type Start struct {
	// RedirectURI is our own callback, registered with the provider.
	RedirectURI string
	// State binds the answer to the browser that asked; it comes back in Finish.Query.
	State string
	// LoginHint is an e-mail address to fill in on the provider's page; optional.
	LoginHint string
	// Anew asks the provider to have the person sign in although they are signed in there (OpenID Connect Core section 3.1.2.1,
	// prompt=login). A provider that has no way to do so leaves it.
	Anew bool
}

// Finish is what a sign-in ends with.
type Finish struct {
	// RedirectURI is the one given to Start.
	RedirectURI string
	// Query are the parameters the provider's redirect carried.
	Query url.Values
	// Secret is what Start returned.
	Secret []byte
}

// Verifier is a provider whose sign-in form is ours.
type Verifier interface {
	Provider
	// Verify checks a password. Errors are, or wrap, ErrCredentials or ErrRateLimited. Whose attempt it is, as far as limits
	// go, is in ctx: see WithOrigin.
	Verify(ctx context.Context, user, password string) (*Person, error)
}

// Refresher is a provider whose session outlives the sign-in.
type Refresher interface {
	// Refresh asks the provider for the person as they are now: roles and permissions are read anew, the organization
	// stays the one of p, and Session is replaced. The old Session may be spent the moment the provider answers, so the
	// returned Person must be stored before it is used.
	//
	// Errors are, or wrap, ErrEnded or ErrDenied, after which the person's grants must end, or ErrUnavailable, after
	// which p stays good and Refresh should be tried again soon. A Person returned together with an ErrUnavailable is
	// p, still with the old rights, but with the Session the provider has already replaced: store it, then treat the
	// error as usual. An error of no known kind is to be treated as ErrUnavailable.
	//
	// p is not changed. Calls for the same person must not overlap: providers rotate sessions. A Refresh that has begun
	// is finished even if ctx is cancelled, since its answer may hold the only copy of the session; it has a time limit
	// of its own, well under a minute.
	Refresh(ctx context.Context, p *Person) (*Person, error)
}

// Configured is a Refresher whose configuration alone decides over people, or over some of them. As it may have been replaced since
// a person was read, it can be asked without waiting for the next Refresh.
type Configured interface {
	Refresher
	// Outdated reports whether the configuration alone says that p is not what Refresh would return now. It is quick. The Refresh of
	// somebody who is outdated asks nobody either, and may overlap with others.
	Outdated(p *Person) bool
}

// Directory is a Provider that can say who a person is by their id alone: for people who come with an access token that another
// server has issued, and whose session is not ours.
type Directory interface {
	Provider
	// Lookup returns the person as they are now, with the rights they have in org, or, if org is empty, in the organization that
	// a sign-in would choose. The Person has no Session. Errors are, or wrap, ErrDenied, if nobody has that id or they may not
	// come in, or ErrUnavailable.
	Lookup(ctx context.Context, id, org string) (*Person, error)
}
