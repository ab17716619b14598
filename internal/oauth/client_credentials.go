package oauth

import (
	"context"
	"slices"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// clientCredentials gives a client that the operator set up a token for itself (OAuth 2.1 section 4.2). Nothing is kept of
// it, and there is no refresh token: the client has its secret.
func (s *Server) clientCredentials(_ context.Context, c *client, form params) (*issue, error) {
	is := &issue{client: c, grantID: machineGrant + c.ID}
	res, err := s.resource(form.get("resource"))
	if err != nil {
		return is, err
	}
	if _, err := parseScope(form.get("scope")); err != nil {
		return is, err
	}
	is.resource, is.scope = res.URL, scopeMCP
	return is, nil
}

// machineSubject is a client as the policy sees it when it acts for itself, with the roles the operator gave it.
func machineSubject(c *client) *policy.Subject {
	return &policy.Subject{
		ID: machineGrant + c.ID, Name: c.Name, Roles: slices.Clone(c.Static.Roles), Permissions: slices.Clone(c.Static.Permissions), Machine: true,
		Client: policy.Client{ID: c.ID, Name: c.Name},
	}
}
