package oauth

import "net/http"

// wellKnownResource is where metadata of resources are found (RFC 9728 section 3).
const wellKnownResource = "/.well-known/oauth-protected-resource"

// resourceMetadata is what a resource says about itself (RFC 9728 section 2).
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	Name                 string   `json:"resource_name,omitempty"`
}

// ServeResourceMetadata serves the RFC 9728 document of res, CORS included. slash says that the client asked for the form
// with a trailing slash, which the document then echoes: clients compare it byte for byte with the URL they were given.
func (s *Server) ServeResourceMetadata(w http.ResponseWriter, r *http.Request, res Resource, slash bool) {
	allowAnyOrigin(w, r)
	if !allowMethods(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	res = canonical(res)
	doc := resourceMetadata{
		Resource: res.URL, AuthorizationServers: s.serversOf(res), Scopes: []string{scopeMCP}, BearerMethods: []string{"header"}, Name: res.Server,
	}
	if slash {
		doc.Resource += "/"
	}
	writeMetadata(w, doc)
}

// serversOf names the authorization servers whose tokens are good at res. Most clients take the first. That is ours, except where nobody can
// sign in here: then it is for programs alone, or for nothing.
func (s *Server) serversOf(res Resource) []string {
	var servers []string
	for _, via := range res.Accepts {
		if !via.Unlisted {
			servers = append(servers, via.Issuer.Name())
		}
	}
	switch {
	case len(s.cfg.Providers) > 0 || len(servers) == 0:
		return append([]string{s.cfg.Issuer}, servers...)
	case len(s.static) > 0:
		return append(servers, s.cfg.Issuer)
	}
	return servers
}

// writeMetadata writes a public document. It may be kept for a short while only: it changes with the configuration.
func writeMetadata(w http.ResponseWriter, doc any) {
	w.Header().Set("Cache-Control", "public, max-age=60")
	writeDocument(w, http.StatusOK, doc)
}
