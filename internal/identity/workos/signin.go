package workos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/workos/workos-go/v4/pkg/usermanagement"
	"github.com/workos/workos-go/v4/pkg/workos_errors"
	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

const (
	// signInTimeout bounds a whole Finish, which may take several calls.
	signInTimeout = 25 * time.Second
	// maxCode bounds an authorization code in bytes.
	maxCode = 2048
)

// errOtherUser says that an answer does not fit its token.
var errOtherUser = errors.New("session token is of another user than the answer")

// Start implements identity.Redirector. The secret is the PKCE verifier (RFC 7636). Although we authenticate with the API
// key as well, it matters: without it a code caught from one browser could be fed to our callback by another.
func (p *Provider) Start(_ context.Context, in identity.Start) (string, []byte, error) {
	verifier := oauth2.GenerateVerifier()
	opts := usermanagement.GetAuthorizationURLOpts{
		ClientID:            p.cfg.ClientID,
		RedirectURI:         in.RedirectURI,
		State:               in.State,
		LoginHint:           in.LoginHint,
		DomainHint:          p.cfg.DomainHint,
		CodeChallenge:       oauth2.S256ChallengeFromVerifier(verifier),
		CodeChallengeMethod: "S256",
		Provider:            p.cfg.Provider,
		ConnectionID:        p.cfg.Connection,
	}
	// Only AuthKit takes an organization beside the provider; to the others it is a selector of its own.
	if p.cfg.Provider == authKit && len(p.cfg.Organizations) == 1 {
		opts.OrganizationID = p.cfg.Organizations[0]
	}
	u, err := p.users.GetAuthorizationURL(opts)
	if err != nil {
		return "", nil, fmt.Errorf("workos: authorization URL: %w", err)
	}
	if in.Anew {
		// The endpoint takes max_age as OpenID Connect Core section 3.1.2.1 has it, where 0 means the same as prompt=login; this
		// version of the SDK has no field for it. Its own prompt is for some OAuth providers alone.
		q := u.Query()
		q.Set("max_age", "0")
		u.RawQuery = q.Encode()
	}
	return u.String(), []byte(verifier), nil
}

// Finish implements identity.Redirector.
func (p *Provider) Finish(ctx context.Context, in identity.Finish) (*identity.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	code, err := codeOf(in.Query)
	if err != nil {
		return nil, err
	}
	if len(in.Secret) == 0 {
		return nil, fmt.Errorf("%w: no code verifier", identity.ErrCallback)
	}
	answer, err := p.exchange(ctx, code, string(in.Secret))
	if err != nil {
		return nil, err
	}
	return p.enter(ctx, answer)
}

// enter makes a person of a session that has begun.
func (p *Provider) enter(ctx context.Context, answer usermanagement.AuthenticateResponse) (*identity.Person, error) {
	s, err := p.verify(ctx, answer.AccessToken)
	if err != nil {
		return nil, err
	}
	if s.subject != answer.User.ID {
		return nil, &identity.Unavailable{Err: errOtherUser}
	}
	actor := s.actor
	if actor == "" && answer.Impersonator != nil {
		actor = answer.Impersonator.Email
	}
	s, refreshToken, err := p.admit(ctx, s, &answer.User, answer.RefreshToken, actor)
	if err != nil {
		return nil, err
	}
	return p.person(ctx, &answer.User, s, refreshToken, actor), nil
}

// person is who a session is of; actor acts as them, if anybody does.
func (p *Provider) person(ctx context.Context, user *usermanagement.User, s *session, refreshToken, actor string) *identity.Person {
	person := &identity.Person{
		Provider:     p.Name(),
		ID:           user.ID,
		Email:        user.Email,
		Name:         strings.TrimSpace(user.FirstName + " " + user.LastName),
		OrgName:      p.organizationName(ctx, s.org),
		Impersonator: s.actor,
		Session:      packSession(refreshToken),
	}
	if person.Impersonator == "" {
		person.Impersonator = actor
	}
	s.describe(person)
	person.Claims["email_verified"] = user.EmailVerified
	return person
}

// codeOf reads the callback: a code, or the error WorkOS reports instead (RFC 6749 §4.1.2).
func codeOf(q url.Values) (string, error) {
	if q.Has("error") {
		reason := q.Get("error")
		if !slug.MatchString(reason) {
			reason = "an error without a readable code"
		}
		return "", fmt.Errorf("%w: WorkOS says %s", identity.ErrCallback, reason)
	}
	codes := q["code"]
	if len(codes) != 1 || codes[0] == "" || len(codes[0]) > maxCode {
		return "", fmt.Errorf("%w: no usable code", identity.ErrCallback)
	}
	return codes[0], nil
}

// exchange redeems the code. If WorkOS wants an organization to be chosen first, it does so where there is only one to choose.
func (p *Provider) exchange(ctx context.Context, code, verifier string) (usermanagement.AuthenticateResponse, error) {
	callCtx, n := withNote(ctx)
	answer, err := p.users.AuthenticateWithCode(callCtx, usermanagement.AuthenticateWithCodeOpts{
		ClientID: p.cfg.ClientID, Code: code, CodeVerifier: verifier,
	})
	if err == nil {
		return answer, nil
	}
	f := p.failure("exchange the code", err, n)
	if f.code != workos_errors.OrganizationSelectionRequiredCode || f.pending == "" {
		return answer, f.exchanged()
	}
	org, err := p.choose(ctx, f.choices, waiting{Pending: f.pending})
	if err != nil {
		return answer, err
	}
	return p.selectOrganization(ctx, f.pending, org.id)
}

// admit makes sure that a fresh session is in an accepted organization and moves it into one if the person has one, or has the person
// choose one of several. It returns the session and refresh token to go on with.
func (p *Provider) admit(ctx context.Context, s *session, user *usermanagement.User, refreshToken, actor string) (*session, string, error) {
	if p.accepts(s.org) && len(s.roles) > 0 {
		return s, refreshToken, nil
	}
	// A member always has a role. An organization without one may be that of somebody who is no longer a member, or of
	// an SSO connection whose profile never was: ask.
	of, err := p.memberships(ctx, s.subject, "")
	if err != nil {
		return nil, "", err
	}
	if p.accepts(s.org) {
		for _, o := range of {
			if o.id == s.org {
				return s, refreshToken, nil
			}
		}
	}
	org, err := p.choose(ctx, of, waiting{Refresh: refreshToken, User: user, Actor: actor})
	if err != nil {
		return nil, "", err
	}
	return p.move(ctx, user.ID, refreshToken, org.id)
}

// describe writes what the session says into a person.
func (s *session) describe(person *identity.Person) {
	person.Org, person.Roles, person.Permissions, person.SessionID = s.org, s.roles, s.permissions, s.id
	person.Claims = maps.Clone(s.claims)
}
