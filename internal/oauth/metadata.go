package oauth

import "net/http"

// Where the metadata of an authorization server is found (RFC 8414 section 3, OpenID Connect Discovery section 4).
const (
	wellKnownServer = "/.well-known/oauth-authorization-server"
	wellKnownOpenID = "/.well-known/openid-configuration"
)

// serverMetadata is what the authorization server says about itself (RFC 8414 section 2). What is not here is not built.
type serverMetadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	AuthAlgorithms        []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationAuthMethods []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms  []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	// IntrospectionAuthMethods are those of clients that can prove themselves: others are told nothing.
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgorithms  []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	CodeChallengeMethods     []string `json:"code_challenge_methods_supported"`
	// IssParameter: every answer of /authorize carries iss (RFC 9207 section 3).
	IssParameter bool `json:"authorization_response_iss_parameter_supported"`
	// ClientDocuments: a client_id may be the address of a metadata document (section 5 of the draft on them).
	ClientDocuments bool `json:"client_id_metadata_document_supported,omitempty"`
	// SubjectTypes and IDTokenAlgorithms are only in the OpenID form, whose readers insist on them. There are no ID tokens here.
	SubjectTypes      []string `json:"subject_types_supported,omitempty"`
	IDTokenAlgorithms []string `json:"id_token_signing_alg_values_supported,omitempty"`
}

// serveMetadata serves the metadata; openID asks for the form of OpenID Connect Discovery.
func (s *Server) serveMetadata(w http.ResponseWriter, openID bool) {
	doc := serverMetadata{
		Issuer: s.cfg.Issuer, AuthorizationEndpoint: s.endpoint("authorize"), TokenEndpoint: s.endpoint("token"),
		RevocationEndpoint: s.endpoint("revoke"), IntrospectionEndpoint: s.endpoint("introspect"), JWKSURI: s.endpoint("jwks"),
		Scopes: []string{scopeMCP, scopeOffline}, ResponseTypes: []string{"code"}, ResponseModes: []string{"query"},
		GrantTypes:  []string{grantAuthorizationCode, grantRefreshToken, grantClientCredentials},
		AuthMethods: authMethods, RevocationAuthMethods: authMethods, IntrospectionAuthMethods: confidentialAuthMethods(), CodeChallengeMethods: []string{"S256"}, IssParameter: true,
		AuthAlgorithms: assertionAlgorithmNames(), RevocationAlgorithms: assertionAlgorithmNames(), IntrospectionAlgorithms: assertionAlgorithmNames(),
		ClientDocuments: s.documents != nil,
	}
	if s.cfg.Dynamic {
		doc.RegistrationEndpoint = s.endpoint("register")
	}
	if openID {
		doc.SubjectTypes, doc.IDTokenAlgorithms = []string{"pairwise"}, []string{"ES256"}
	}
	writeMetadata(w, doc)
}
