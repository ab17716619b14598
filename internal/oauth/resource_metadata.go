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
		Resource: res.URL, AuthorizationServers: []string{s.cfg.Issuer}, Scopes: []string{scopeMCP}, BearerMethods: []string{"header"}, Name: res.Server,
	}
	// Ours comes first: most clients take the first.
	for _, via := range res.Accepts {
		if !via.Unlisted {
			doc.AuthorizationServers = append(doc.AuthorizationServers, via.Issuer.Name())
		}
	}
	if slash {
		doc.Resource += "/"
	}
	writeMetadata(w, doc)
}

// writeMetadata writes a public document. It may be kept for a short while only: it changes with the configuration.
func writeMetadata(w http.ResponseWriter, doc any) {
	w.Header().Set("Cache-Control", "public, max-age=60")
	writeDocument(w, http.StatusOK, doc)
}
