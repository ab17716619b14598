package upstream

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// dangerous are fields that some proxy, platform or framework gives a meaning no agent may give.
var dangerous = strings.Fields(`
	Authorization Cookie Cookie2 Proxy-Authorization WWW-Authenticate Authentication-Info X-Api-Key
	Api-Key X-Access-Token X-Auth-Token X-Csrf-Token X-Amz-Security-Token X-Session-Id DPoP Signature
	Signature-Input Signature-Agent X-Id-Token X-Ms-Token-Aad-Access-Token Forwarded X-Forwarded
	X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Prefix
	X-Forwarded-User X-Forwarded-Email X-Forwarded-Client-Cert X-Original-Forwarded-For Forwarded-For
	X-Real-IP X-Client-IP Client-IP True-Client-IP CF-Connecting-IP CF-Connecting-IPv6 Fastly-Client-IP
	X-Cluster-Client-IP X-Azure-ClientIP X-Originating-IP X-ProxyUser-Ip X-Remote-Addr Via From Origin
	Referer Remote-User Remote-Groups Remote-Email Remote-Name X-Remote-User X-Remote-Group
	X-Remote-Extra-Scopes X-User X-User-Id X-UserId X-User-Email X-Username X-Email X-Groups X-Roles
	X-Role X-Org-Id X-Organization X-Tenant-Id X-Account-Id X-Subject X-Sub X-Scopes X-WebAuth-User
	X-Authentik-Username X-Auth-Request-User X-Authenticated-Userid X-Consumer-Id X-Consumer-Custom-Id
	X-Credential-Identifier X-Goog-Authenticated-User-Email X-Goog-Iap-Jwt-Assertion
	X-Amzn-Oidc-Identity X-Amzn-Oidc-Data X-Amzn-Mtls-Clientcert X-Ms-Client-Principal
	X-Ms-Client-Principal-Name Cf-Access-Jwt-Assertion Cf-Access-Authenticated-User-Email
	Tailscale-User-Login Tailscale-User-Name X-Pomerium-Jwt-Assertion X-Vouch-User X-Token-Subject
	Impersonate-User Impersonate-Group Impersonate-Extra-Reason X-Impersonate-User
	X-Appengine-User-Email X-Internal-Auth Client-Cert Client-Cert-Chain X-Client-Cert X-SSL-Client-Cert
	X-SSL-Client-S-DN SSL-Client-Verify X-Client-Dn X-Tls-Client-Subject X-Arr-ClientCert
	X-Http-Method-Override X-Http-Method X-Method-Override X-Original-Url X-Original-Method
	X-Rewrite-Url X-Host X-Forwarded-Server X-Script-Name X-Middleware-Subrequest X-Accel-Redirect
	X-Envoy-Original-Path X-Envoy-Internal Baggage Sec-Fetch-Site Sec-WebSocket-Protocol Connection
	Keep-Alive TE Trailer Transfer-Encoding Upgrade Proxy-Connection HTTP2-Settings Expect Early-Data
	Range If-Range If-None-Match If-Modified-Since If-Match If-Unmodified-Since Content-Encoding
	Content-Digest Content-MD5 Repr-Digest Idempotency-Key CONTEXT7_API_KEY
`)

// harmless are fields that must get through: the protocol's, and those that servers of MCP know.
var harmless = strings.Fields(`
	Accept Content-Type Content-Length Last-Event-Id Mcp-Method Mcp-Name Mcp-Protocol-Version
	Mcp-Session-Id Mcp-Param-Region Mcp-Param-User_id Mcp-Param-Authorization Mcp-Param-A.b User-Agent
	Traceparent Tracestate Accept-Language Cache-Control Priority X-Mcp-Toolsets X-Mcp-Readonly
	X-Request-Id X-Correlation-Id X-Custom X-B3-Traceid Dnt
`)

func TestCleanTakesOffWhatIsNotTheAgentsToSay(t *testing.T) {
	for _, name := range dangerous {
		for _, variant := range []string{
			name, http.CanonicalHeaderKey(name), strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"),
			http.CanonicalHeaderKey(strings.ReplaceAll(name, "-", "_")), strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", "."),
		} {
			h := http.Header{variant: {"x"}}
			Clean(h)
			if len(h) != 1 || h.Get("Accept-Encoding") != "identity" {
				t.Errorf("%s is passed on: %v", variant, h)
			}
		}
	}
}

func TestCleanLetsTheProtocolThrough(t *testing.T) {
	h := http.Header{}
	for _, name := range harmless {
		h[name] = []string{"one", "two"}
	}
	want := maps.Clone(h)
	want["Accept-Encoding"] = []string{"identity"}
	h.Set("Accept-Encoding", "gzip, br")
	Clean(h)
	if !maps.EqualFunc(h, want, slices.Equal) {
		t.Errorf("left\n%v, want\n%v", h, want)
	}
}

// TestConnectionCanNotTakeOffWhatWasJudged holds that an agent can't have a field that the guard has compared
// with the body, or that the gateway sets, dropped on the way by naming it in Connection.
func TestConnectionCanNotTakeOffWhatWasJudged(t *testing.T) {
	h := http.Header{
		"Connection":           {"keep-alive, Mcp-Name", " mcp-protocol-version ,authorization,MCP-PARAM-REGION,X-Hop,,\x00"},
		"Mcp-Name":             {"echo"},
		"Mcp-Protocol-Version": {"2026-07-28"},
		"Mcp-Param-Region":     {"eu"},
		"X-Hop":                {"of one hop"},
		"X-End":                {"to end"},
	}
	Clean(h)
	want := http.Header{
		"Mcp-Name": {"echo"}, "Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Param-Region": {"eu"}, "X-End": {"to end"}, "Accept-Encoding": {"identity"},
	}
	if !maps.EqualFunc(h, want, slices.Equal) {
		t.Errorf("left\n%v, want\n%v", h, want)
	}
}

func TestRulesAreWrittenAsTheyAreCompared(t *testing.T) {
	for _, rule := range slices.Concat(beginnings, fragments, slices.Collect(maps.Keys(words))) {
		if rule != strings.ToLower(rule) {
			t.Errorf("%q is compared with names in lower case", rule)
		}
	}
	for name := range maps.Keys(fields) {
		if name != http.CanonicalHeaderKey(name) {
			t.Errorf("%q is not how net/http writes it", name)
		}
	}
}

// FuzzClean holds that no two fields are left that a server could take for one, and none that it could take
// for a dangerous one.
func FuzzClean(f *testing.F) {
	for _, name := range slices.Concat(dangerous, harmless) {
		f.Add(name, strings.ReplaceAll(name, "-", "_"), name)
	}
	f.Add("X_Forwarded_For", "x-forwarded-for", "Mcp-Name, Connection")
	f.Add("mcp-name", "Mcp_Name", "close")
	f.Fuzz(func(t *testing.T, a, b, connection string) {
		h := http.Header{a: {"a"}, "Mcp-Name": {"judged"}}
		h[b] = append(h[b], "b")
		h["Connection"] = append(h["Connection"], connection)
		Clean(h)
		if a != "Mcp-Name" && b != "Mcp-Name" && h.Get("Mcp-Name") != "judged" {
			t.Errorf("Mcp-Name is %q", h["Mcp-Name"])
		}
		for name := range h {
			for _, bad := range dangerous {
				if sameField(name, bad) {
					t.Errorf("%q is left", name)
				}
			}
			if strings.HasPrefix(name, paramPrefix) {
				continue // may be any token, and names an argument
			}
			for other := range h {
				if name != other && sameField(name, other) {
					t.Errorf("%q and %q are left", name, other)
				}
			}
		}
	})
}

func BenchmarkClean(b *testing.B) {
	typical := http.Header{
		"Accept":               {"application/json, text/event-stream"},
		"Accept-Encoding":      {"gzip, deflate"},
		"Accept-Language":      {"*"},
		"Authorization":        {"Bearer x"},
		"Connection":           {"keep-alive"},
		"Content-Length":       {"120"},
		"Content-Type":         {"application/json"},
		"Mcp-Protocol-Version": {"2025-11-25"},
		"Mcp-Session-Id":       {"s"},
		"Sec-Fetch-Mode":       {"cors"},
		"User-Agent":           {"node"},
	}
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		clear(h)
		maps.Copy(h, typical)
		Clean(h)
	}
}
