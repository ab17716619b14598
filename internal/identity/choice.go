package identity

import "context"

// Choice is the error of a Finish that can't end yet: the person has signed in, and has to say as a member of which organization they come.
type Choice struct {
	// Options are what there is to choose from, at least two.
	Options []Option
	// Pending is what Choose needs. It is a secret: whoever stores it encrypts it.
	Pending []byte
}

// Option is an organization.
type Option struct {
	// ID is the provider's identifier.
	ID string `json:"id"`
	// Name is for display; it may be empty.
	Name string `json:"name,omitempty"`
}

// Error implements error.
func (*Choice) Error() string { return "identity: the person has to choose an organization" }

// Chooser is a Redirector that may have people choose an organization after they have signed in.
type Chooser interface {
	Redirector
	// Choose ends a sign-in with the option that has an id. Its errors are those of Finish; after an ErrUnavailable it may be tried again.
	Choose(ctx context.Context, pending []byte, id string) (*Person, error)
}
