package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth/foreign"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Accepted is an authorization server elsewhere whose access tokens a resource accepts besides ours, and what they are
// worth there. It is read-only once it is in use.
type Accepted struct {
	// Issuer checks its tokens.
	Issuer *foreign.Issuer
	// Audiences are what a token has to be for, one of them at least. Default: the resource's URL, with and without a slash at
	// its end.
	Audiences []string

	// RoleClaims, PermissionClaims, OrgClaims and ClientClaims are where a token has these; paths have dots. Of OrgClaims and
	// ClientClaims the first that a token has counts; the default of ClientClaims is client_id and azp.
	RoleClaims, PermissionClaims, OrgClaims, ClientClaims []string
	// Roles and Permissions are those of every token that an admission lets in; who comes in by the directory alone does not get them.
	Roles, Permissions []string
	// Directory says who a person is, and what they may do, where tokens carry no roles: then it alone decides. Optional.
	Directory identity.Directory

	// Admit are the rules of which one has to let a token in; none: all are let in. A token that Directory knows needs none.
	Admit []Admission

	// Unlisted keeps the issuer out of the resource's metadata: clients can't sign in there.
	Unlisted bool
}

// Admission is one rule for who is let in.
type Admission struct {
	// Any lets in everybody that the issuer vouches for.
	Any bool
	// Orgs lets in these organizations, as OrgClaims has them; Domains those with a verified e-mail address there.
	Orgs, Domains []string
	// Claim lets in tokens with one of Values at this path.
	Claim  string
	Values []string
}

// errNotAdmitted says that a token is good, but nobody has said that such may come in.
var errNotAdmitted = errors.New("no rule admits it")

// foreignGrant begins the id under which what is done with tokens from elsewhere is counted: there is no grant of ours.
const foreignGrant = "foreign:"

// acceptedAccess turns a token that its issuer vouches for into what it is worth at res, and says until when roles that were looked up
// count. The errors are ErrInvalidToken, with the reason, and ErrUnavailable.
func (s *Server) acceptedAccess(ctx context.Context, via *Accepted, token *foreign.Token, res Resource) (_ *Access, until time.Time, _ error) {
	if !via.isFor(token, res) {
		return nil, until, invalidToken("it is for another resource")
	}
	client := token.Claims.FirstText(via.ClientClaims)
	subject := &policy.Subject{
		// No identity of ours has an id that begins with the URL of an issuer, and no issuer's has a #.
		ID: via.Issuer.Name() + "#" + token.Subject, Email: token.Claims.VerifiedEmail(), Name: token.Claims.Text("name"),
		Org: token.Claims.FirstText(via.OrgClaims), Groups: token.Claims.Texts("groups"), Claims: token.Claims,
		Roles: slices.Clone(via.Roles), Permissions: slices.Clone(via.Permissions), Machine: true,
		Client: policy.Client{ID: client, Name: client},
	}
	for _, path := range via.RoleClaims {
		subject.Roles = append(subject.Roles, token.Claims.Texts(path)...)
	}
	for _, path := range via.PermissionClaims {
		subject.Permissions = append(subject.Permissions, token.Claims.Texts(path)...)
	}
	// RFC 9068 section 2.2: where there is no person, sub is the client.
	forItself := client != "" && client == token.Subject
	if via.Directory != nil && !forItself {
		// What every token has is for those that a rule lets in; who comes in without one, by the directory, has only what that says.
		if _, err := via.admit(subject, token.Claims); err != nil {
			subject.Roles, subject.Permissions = nil, nil
		}
		var err error
		if until, err = s.lookUp(ctx, via, token.Subject, subject); err != nil {
			return nil, until, err
		}
	} else {
		person, err := via.admit(subject, token.Claims)
		if err != nil {
			return nil, until, fmt.Errorf("%w: %w", ErrInvalidToken, err)
		}
		subject.Machine = !person || forItself
	}
	access := &Access{
		GrantID: foreignGrant + shortDigest(subject.ID, client), ClientID: client, ClientName: client, Subject: subject, Expires: token.Expires,
	}
	if !subject.Machine {
		access.Person = &identity.Person{
			Provider: via.Issuer.Name(), ID: token.Subject, Email: subject.Email, Name: subject.Name, Org: subject.Org, Roles: subject.Roles,
			Permissions: subject.Permissions, Groups: subject.Groups, Claims: subject.Claims,
			// RFC 8693 section 4.1: who acts as the person.
			Impersonator: token.Claims.Text("act.sub"),
		}
	}
	return access, until, nil
}

// isFor reports whether a token is for a resource (RFC 8707 section 2, RFC 9068 section 4).
func (a *Accepted) isFor(token *foreign.Token, res Resource) bool {
	if len(a.Audiences) > 0 {
		return slices.ContainsFunc(a.Audiences, func(audience string) bool { return slices.Contains(token.Audience, audience) })
	}
	want := canonical(res).URL
	return slices.ContainsFunc(token.Audience, func(audience string) bool {
		got, ok := canonicalResource(audience)
		return ok && got == want
	})
}

// admit finds the rule that lets a token in. person reports whether it is one of a person in an accepted organization: only for
// those does everyone in a policy stand. Who is let in by what else the token says, as those of CI are, or without any rule, may
// do what its roles may.
func (a *Accepted) admit(subject *policy.Subject, claims issuer.Claims) (person bool, err error) {
	admitted := len(a.Admit) == 0
	for _, rule := range a.Admit {
		switch {
		case slices.Contains(rule.Orgs, subject.Org) && subject.Org != "", issuer.InDomain(subject.Email, rule.Domains):
			return true, nil
		case rule.Any:
			admitted, person = true, person || subject.Org != "" || subject.Email != ""
		case rule.Claim != "" && slices.ContainsFunc(claims.Texts(rule.Claim), func(v string) bool { return slices.Contains(rule.Values, v) }):
			admitted = true
		}
	}
	if !admitted {
		return false, errNotAdmitted
	}
	return person, nil
}

// lookUp has the directory say who somebody is, as it said lately or says now, and until when that counts.
func (s *Server) lookUp(ctx context.Context, via *Accepted, id string, subject *policy.Subject) (time.Time, error) {
	person, until, err := s.directory.find(ctx, via.Directory, id, subject.Org, lookupAges{s.cfg.IdentityRefresh, s.cfg.MaxStale}, s.now())
	if errors.Is(err, identity.ErrDenied) {
		return time.Time{}, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	subject.Machine = false
	subject.Email, subject.Name, subject.Org = person.Email, person.Name, person.Org
	subject.Roles = append(subject.Roles, person.Roles...)
	subject.Permissions = append(subject.Permissions, person.Permissions...)
	return until, nil
}

// acceptedAges are how long what came of a token counts: after soft it is checked again while calls go on, after hard they wait.
type acceptedAges struct{ soft, hard time.Duration }

// ages are those of tokens of an issuer. One that is asked about may be revoked any time; a signed one is good as long as it says, but
// keys are withdrawn, and roles that are looked up change.
func (a *Accepted) ages(refresh time.Duration) acceptedAges {
	switch {
	case a.Issuer.Introspects():
		return acceptedAges{grantStateReread, grantStateTTL}
	case a.Directory != nil:
		hard := min(acceptedTTL, refresh)
		return acceptedAges{hard / 5 * 4, hard}
	}
	return acceptedAges{acceptedTTL / 5 * 4, acceptedTTL}
}

// within is a within a time of so long.
func (a acceptedAges) within(limit time.Duration) acceptedAges {
	if limit >= a.hard {
		return a
	}
	return acceptedAges{limit / 5 * 4, limit}
}
