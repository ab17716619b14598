package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
)

// survey is where the gateway answers: every mount with the public origin of its site.
type survey struct {
	seats     []*seat
	resources []oauth.Resource // one for each URL
	behind    []string         // where sites listen whose public origin is taken to be the issuer
	untrusted []string         // the servers whose annotations do not count
}

// seat is one mount at one public origin of its site; or, with no mount, a site that has the OAuth endpoints alone.
type seat struct {
	server   *caddyhttp.Server
	spot     spot
	origin   string   // as text
	host     string   // in lower case
	port     string   // the origin's; never empty
	also     []string // further hosts that requests come with, where the handler says its resource itself
	isIssuer bool     // the OAuth endpoints answer here
	resource oauth.Resource
	nested   []string // other mounts below this one, folded

	// The protected resource metadata that the other handlers of the site have, by what follows the well-known name.
	elsewhere []string

	alone    bool // no other mount has this origin
	fallback bool // what clients mean that name no resource
}

// surveyor turns findings into seats.
type surveyor struct {
	app       *App
	http      *caddyhttp.App
	atIssuer  bool // some site listens where the issuer says
	seats     []*seat
	withSeats map[string]*seat
	behind    []string // where sites listen whose public origin is taken to be the issuer
	errs      []error
}

// take surveys the HTTP app and reports everything that is wrong with the config as a whole.
func (app *App) takeSurvey(http *caddyhttp.App) error {
	findings := find(http)
	s := surveyor{app: app, http: http, withSeats: make(map[string]*seat)}
	for _, found := range findings {
		for _, host := range found.hosts {
			s.atIssuer = s.atIssuer || slices.Contains(s.derive(found.server, host), app.issuer)
		}
	}
	for _, found := range findings {
		if slices.ContainsFunc(found.gates, gate.byPath) {
			s.failAt(found.spot, errors.New("mcp_gateway stands in a site or a route with a path of its own, which would let requests past it; "+
				"write the site without a path, such as https://mcp.example.com { … }"))
			continue
		}
		for _, o := range s.origins(found) {
			s.add(found, o)
		}
	}
	result := &survey{seats: s.seats, behind: slices.Compact(slices.Sorted(slices.Values(s.behind)))}
	for _, found := range findings {
		if name := found.spot.name(); found.spot.Mount != "" && !found.trusts && !slices.Contains(result.untrusted, name) {
			result.untrusted = append(result.untrusted, name)
		}
	}
	s.relate()
	result.resources = s.resources()
	s.checkIssuer()
	s.checkDefault(result.resources)
	app.sites = result
	if servers := app.serverNames(); len(servers) > 0 {
		s.fail(app.written.check(app.policy.current(), app.checkServers))
		s.fail(app.Clients.checkServers(servers))
	}
	return errors.Join(s.errs...)
}

// fail notes an error.
func (s *surveyor) fail(err error) {
	if err != nil {
		s.errs = append(s.errs, err)
	}
}

// failAt notes an error about a directive.
func (s *surveyor) failAt(at spot, err error) { s.fail(s.app.written.at(at, err)) }

// origins returns the public origins of a finding's site. Where the issuer's host is among the hosts of a site, or the
// site takes every host, as behind a load balancer, and no site listens exactly where the issuer says, the public origin
// is the issuer's, whatever the listener is. A handler's own resource goes over all of this.
func (s *surveyor) origins(found finding) []origin {
	if found.spot.Resource != "" {
		o, err := parseResource(found.spot)
		if err != nil {
			s.failAt(found.spot, err)
			return nil
		}
		return []origin{o}
	}
	if found.hosts == nil {
		return s.issuerFor(found)
	}
	var all []origin
	var unknown string
	for _, host := range found.hosts {
		switch {
		case strings.ContainsAny(host, "*{") || host == "":
			if !coversHost(host, s.app.issuer.host) {
				unknown = host
				continue
			}
			all = append(all, s.issuerFor(found)...)
		case host == s.app.issuer.host && !s.atIssuer:
			all = append(all, s.issuerFor(found)...)
		default:
			all = append(all, s.derive(found.server, host)...)
		}
	}
	if len(all) == 0 && found.spot.Mount != "" {
		s.failAt(found.spot, fmt.Errorf("mount %s: the public origin of the site %s can't be told; add the subdirective: resource https://…%s",
			found.spot.Mount, unknown, found.spot.Mount))
	}
	return all
}

// issuerFor returns the issuer's origin for a site that can be meant by it. Another port than the site's own is that of
// something in front of it; but on loopback, where http is allowed, there is nothing in front, and it is a slip.
func (s *surveyor) issuerFor(found finding) []origin {
	listens, known := s.listens(found.server, s.app.issuer.host)
	switch {
	case !known || slices.Contains(listens, s.app.issuer):
	case s.app.issuer.scheme == "http":
		s.failAt(found.spot, fmt.Errorf("the issuer is %s, but the site answers at %s: write the same port in both places", s.app.issuer, listens[0]))
		return nil
	default:
		s.behind = append(s.behind, listens[0].String())
	}
	return []origin{s.app.issuer}
}

// derive returns the origins at which a server answers for a host.
func (s *surveyor) derive(server *caddyhttp.Server, host string) []origin {
	if all, known := s.listens(server, host); known {
		return all
	}
	// Something in front of it knows the public address.
	return []origin{newOrigin(s.app.issuer.scheme, host, "")}
}

// listens returns the origins at which a server answers for a host, by its listeners. They are not known of a socket, or
// of a port that the system chooses.
func (s *surveyor) listens(server *caddyhttp.Server, host string) (all []origin, known bool) {
	httpPort := s.http.HTTPPort
	if httpPort == 0 {
		httpPort = caddyhttp.DefaultHTTPPort
	}
	repl := caddy.NewReplacer()
	for _, listen := range server.Listen {
		address, err := caddy.ParseNetworkAddress(repl.ReplaceAll(listen, ""))
		if err != nil || address.IsUnixNetwork() || address.IsFdNetwork() {
			continue
		}
		for port := address.StartPort; port != 0 && port <= address.EndPort; port++ {
			scheme := "http"
			if len(server.TLSConnPolicies) > 0 && port != uint(httpPort) {
				scheme = "https"
			}
			// One site may listen on several addresses of one port, such as 127.0.0.1 and [::1].
			if o := newOrigin(scheme, host, strconv.FormatUint(uint64(port), 10)); !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	return all, len(all) > 0
}

// parseResource reads the URL that a handler says it has.
func parseResource(at spot) (origin, error) {
	text, err := resolve("resource", at.Resource)
	if err != nil {
		return origin{}, err
	}
	base, found := strings.CutSuffix(text, at.Mount)
	if !found || at.Mount == "" {
		return origin{}, fmt.Errorf("resource %s must be the URL that clients use, and so end with the mount %s", text, at.Mount)
	}
	o, err := parseOrigin(base)
	if err != nil {
		return origin{}, fmt.Errorf("resource: %w", err)
	}
	return o, nil
}

// add makes a seat.
func (s *surveyor) add(found finding, o origin) {
	mount := found.spot.Mount
	at := &seat{
		server:   found.server,
		spot:     found.spot,
		origin:   o.String(),
		host:     o.host,
		port:     o.port,
		isIssuer: o == s.app.issuer,
		resource: oauth.Resource{URL: o.String() + mount, Server: found.spot.name(), Mount: mount},
	}
	if found.spot.Resource != "" {
		at.also = found.hosts
	}
	if at.port == "" {
		at.port = defaultPort(o.scheme)
	}
	s.checkBefore(found, at)
	if mount == "" {
		if at.isIssuer {
			s.seats = append(s.seats, at)
		}
		return
	}
	if !o.secure() {
		s.failAt(found.spot, fmt.Errorf("mount %s: %s would carry tokens in the clear; serve the site over https, or, if something in front of it does, "+
			"add the subdirective: resource https://%s%s", mount, o, o.host, mount))
		return
	}
	if at.isIssuer {
		if endpoint := oauthCollision(mount, s.app.OAuthPath, s.app.oauth.Paths()); endpoint != "" {
			s.failAt(found.spot, fmt.Errorf("mount %s would take away the OAuth endpoint %s; choose another mount, or move those endpoints with oauth_path",
				mount, endpoint))
			return
		}
	}
	key := fmt.Sprintf("%p %s%s", found.server, o, fold(mount))
	if twin := s.withSeats[key]; twin != nil {
		s.failAt(found.spot, fmt.Errorf("the mounts %s and %s stand on the same site, %s", twin.spot.Mount, mount, o))
		return
	}
	s.withSeats[key] = at
	s.seats = append(s.seats, at)
}

// relate tells the seats of one site about one another.
func (s *surveyor) relate() {
	for _, at := range s.seats {
		at.alone = at.spot.Mount != ""
		at.fallback = at.spot.Mount != "" && at.resource.URL == s.app.DefaultResource
		for _, other := range s.seats {
			if other == at || other.spot.Mount == "" || other.server != at.server || other.origin != at.origin {
				continue
			}
			at.alone = false
			if within(fold(other.spot.Mount), fold(at.spot.Mount)) {
				at.nested = append(at.nested, fold(other.spot.Mount))
			}
		}
	}
	for _, at := range s.seats {
		for _, other := range s.seats {
			if other == at || other.spot.Mount == "" || other.server != at.server || other.origin != at.origin {
				continue
			}
			at.elsewhere = append(at.elsewhere, other.spot.Mount)
			if other.alone || other.fallback {
				at.elsewhere = append(at.elsewhere, "")
			}
		}
	}
}

// resources lists what tokens can be for. Two listeners may serve one URL, but then for the same server of the policy.
func (s *surveyor) resources() []oauth.Resource {
	byURL := make(map[string]oauth.Resource)
	var all []oauth.Resource
	for _, at := range s.seats {
		if at.spot.Mount == "" {
			continue
		}
		first, known := byURL[at.resource.URL]
		switch {
		case !known:
			byURL[at.resource.URL] = at.resource
			all = append(all, at.resource)
		case first.Server != at.resource.Server:
			s.fail(fmt.Errorf("%s is the URL of two servers, %s and %s; give one of the sites a host, or its mount another path",
				first.URL, first.Server, at.resource.Server))
		}
	}
	return all
}

// checkIssuer makes sure that clients can reach the authorization server.
func (s *surveyor) checkIssuer() {
	if len(s.errs) == 0 && !slices.ContainsFunc(s.seats, func(at *seat) bool { return at.isIssuer }) {
		s.fail(fmt.Errorf("no site answers at the issuer, %s: add one, with a bare mcp_gateway directive if it has no MCP server", s.app.issuer))
	}
}

// checkDefault makes sure that the default resource is one.
func (s *surveyor) checkDefault(resources []oauth.Resource) {
	if s.app.DefaultResource == "" || len(s.errs) > 0 {
		return
	}
	urls := make([]string, len(resources))
	for i, resource := range resources {
		urls[i] = resource.URL
	}
	if !slices.Contains(urls, s.app.DefaultResource) {
		s.fail(fmt.Errorf("default_resource %s is none of the mounts (%s)%s",
			s.app.DefaultResource, strings.Join(urls, ", "), didYouMean(s.app.DefaultResource, urls)))
	}
}

// resources returns what tokens can be for.
func (app *App) resources() []oauth.Resource {
	if app.sites == nil {
		return nil
	}
	return app.sites.resources
}

// serverNames returns the names of the guarded servers, sorted.
func (app *App) serverNames() []string {
	names := []string{}
	for _, resource := range app.resources() {
		names = append(names, resource.Server)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// seatsOf returns the seats of a handler.
func (s *survey) seatsOf(server *caddyhttp.Server, at spot) []*seat {
	var own []*seat
	for _, seat := range s.seats {
		if seat.server == server && seat.spot == at {
			own = append(own, seat)
		}
	}
	return own
}
