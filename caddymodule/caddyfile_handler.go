package caddymodule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/dustin/go-humanize"
)

func init() {
	httpcaddyfile.RegisterDirective("mcp_gateway", parseDirective)
	// Before every directive that could answer: a redirect, a static answer, or a reverse_proxy in a handle block would
	// otherwise be a way around the guard.
	httpcaddyfile.RegisterDirectiveOrder("mcp_gateway", httpcaddyfile.Before, "redir")
}

// parseDirective reads the directive. It isn't registered as one of handlers, since those take their first argument for a
// matcher, and a mount is compared otherwise than a path matcher does it.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	switch {
	case !onSiteLevel(h):
		return nil, h.Err("mcp_gateway stands directly in a site block, not in handle, route, or another directive: it compares the path " +
			"as it was sent, and what is around it could only let requests past it")
	case h.Option("mcp_gateway") == nil:
		return nil, h.Err("mcp_gateway needs the global option of the same name: { mcp_gateway { issuer … } } at the top of the Caddyfile")
	}
	order, _ := h.Option("order").([]string)
	if err := checkOrder(order); err != nil {
		return nil, h.WrapErr(err)
	}
	start := h.Token()
	h.Reset()
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if handler.ReverseProxy != nil {
		if err := handler.ReverseProxy.FinalizeUnmarshalCaddyfile(h); err != nil {
			return nil, err
		}
	}
	if app, ok := h.Option("mcp_gateway").(httpcaddyfile.App); ok {
		noteMount(app.Value, spot{handler.Mount, handler.Server, handler.Resource}, start)
	}
	return h.NewRoute(nil, handler), nil
}

// onSiteLevel reports whether a directive stands directly in a site block. What a directive of a site notes in the
// adapter's state is seen in the state of its block too, since they are one; nested blocks have copies.
func onSiteLevel(h httpcaddyfile.Helper) bool {
	const key = "mcp_gateway_level"
	if h.IsNamedRoute() {
		return false
	}
	h.State[key] = true
	defer delete(h.State, key)
	_, same := h.BlockState[key]
	return same
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	mcp_gateway [<mount> <upstreams...>] {
//	    server      <name>
//	    endpoint    <path>
//	    mode        enforce|observe
//	    max_body    <size>
//	    max_answer  <size>
//	    may_ask     elicitation|sampling|roots...|none
//	    pins        observe|first-use|block
//	    trust       annotations
//	    resource    <url>
//	    credentials <module> ...
//	    accept_tokens <issuer> {
//	        ...
//	    }
//
//	    # and those of reverse_proxy, but for handle_response, rewrite and method
//	    ...
//	}
//
// An upstream may be a URL with a path, which is the endpoint then.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	reader := directiveReader{handler: h, start: d.Token(), passed: []caddyfile.Token{d.Token()}}
	if !d.NextArg() {
		if d.NextBlock(0) {
			return atStart(d, "mcp_gateway without a mount takes no block: it serves the OAuth endpoints alone")
		}
		return nil
	}
	if err := reader.mount(d); err != nil {
		return err
	}
	if err := reader.lines(d); err != nil {
		return err
	}
	return reader.finish()
}

// directiveReader splits the directive's subdirectives into ours and those of reverse_proxy.
type directiveReader struct {
	handler      *Handler
	start        caddyfile.Token
	passed       []caddyfile.Token // what reverse_proxy is to read
	strange      []caddyfile.Token // passed on, but known neither to us nor to us as one of reverse_proxy's
	upstreams    bool
	endpointAt   *caddyfile.Token // where endpoint is set
	upstreamPath *string          // the path that all upstreams have; nil before the first
}

// mount reads the first line.
func (r *directiveReader) mount(d *caddyfile.Dispenser) error {
	mount := d.Val()
	switch {
	case strings.HasPrefix(mount, "@") || mount == "*":
		return d.Errf("mcp_gateway takes no matcher (%s): its first argument is the mount, a path such as /github", mount)
	}
	if err := checkMount(mount); err != nil {
		return d.WrapErr(err)
	}
	r.handler.Mount = mount
	for d.NextArg() {
		token := d.Token()
		if err := r.upstream(d, &token); err != nil {
			return err
		}
		r.passed = append(r.passed, token)
	}
	return nil
}

// upstream takes the path off an upstream's URL: reverse_proxy wants only its address.
func (r *directiveReader) upstream(d *caddyfile.Dispenser, token *caddyfile.Token) error {
	base, path := trimPath(token.Text)
	if err := checkUpstream(base); err != nil {
		return errAt(*token, err)
	}
	token.Text = base
	r.upstreams = true
	if r.upstreamPath != nil && *r.upstreamPath != path {
		return d.Err("all upstreams must have the same path: they are one MCP server")
	}
	r.upstreamPath = &path
	if path == "" {
		return nil
	}
	if _, err := parseTarget(path); err != nil {
		return d.Errf("the path %q of the upstream is no path of an MCP endpoint", path)
	}
	return nil
}

// lines reads the block.
func (r *directiveReader) lines(d *caddyfile.Dispenser) error {
	ours := r.options()
	seen := make(map[string]bool)
	var opened bool
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if !opened {
			// The brace, which NextBlock has stepped over.
			d.Prev()
			r.passed = append(r.passed, d.Token())
			d.Next()
			opened = true
		}
		name := d.Val()
		read, repeatable := ours[name+"*"]
		if once, isOurs := ours[name]; isOurs || repeatable {
			if isOurs {
				read = once
			}
			if seen[name] && !repeatable {
				return d.Errf("%s is set twice", name)
			}
			seen[name] = true
			if err := read(d); err != nil {
				return err
			}
			if err := endOfLine(d, name); err != nil {
				return err
			}
			continue
		}
		if why, refused := refusedSubdirectives[name]; refused {
			return d.Errf("%s can't be used here: %s", name, why)
		}
		if !slices.Contains(proxySubdirectives, name) && !strings.HasPrefix(name, "@") {
			r.strange = append(r.strange, d.Token())
		}
		if err := r.pass(d); err != nil {
			return err
		}
	}
	if opened {
		r.passed = append(r.passed, d.Token())
	}
	return nil
}

// pass hands a subdirective on to reverse_proxy.
func (r *directiveReader) pass(d *caddyfile.Dispenser) error {
	segment := d.NextSegment()
	switch segment[0].Text {
	case "to":
		for i := range segment[1:] {
			if err := r.upstream(d, &segment[i+1]); err != nil {
				return err
			}
		}
	case "dynamic":
		r.upstreams = true
	}
	r.passed = append(r.passed, segment...)
	return nil
}

// options returns the subdirectives that are ours.
func (r *directiveReader) options() options {
	h := r.handler
	return options{
		"server": text(&h.Server),
		"endpoint": func(d *caddyfile.Dispenser) error {
			at := d.Token()
			r.endpointAt = &at
			if err := oneArg(d, &h.Endpoint); err != nil {
				return err
			}
			if _, err := parseTarget(h.Endpoint); err != nil {
				return d.WrapErr(err)
			}
			return nil
		},
		"mode":       oneOf(&h.Mode, "enforce", "observe"),
		"max_body":   size(&h.MaxBody),
		"max_answer": size(&h.MaxAnswer),
		"resource": func(d *caddyfile.Dispenser) error {
			if err := oneArg(d, &h.Resource); err != nil {
				return err
			}
			if hasPlaceholder(h.Resource) {
				return nil
			}
			if _, err := parseResource(spot{Mount: h.Mount, Resource: h.Resource}); err != nil {
				return d.WrapErr(err)
			}
			return nil
		},
		"credentials": func(d *caddyfile.Dispenser) error {
			module, name, err := guest(d, "mcp_gateway.credentials", []string{"static"})
			if err == nil {
				h.CredentialsRaw = caddyconfig.JSONModuleObject(module, "module", name, nil)
			}
			return err
		},
		"pins": oneOf(&h.Pins, pinNames...),
		"trust": func(d *caddyfile.Dispenser) error {
			h.Trust = d.RemainingArgs()
			if _, err := trusts(h.Trust); err != nil || len(h.Trust) == 0 {
				return d.WrapErr(cmp.Or(err, errTrust))
			}
			return nil
		},
		"may_ask": func(d *caddyfile.Dispenser) error {
			h.MayAsk = d.RemainingArgs()
			if _, err := mayNotAsk(h.MayAsk); err != nil || len(h.MayAsk) == 0 {
				return d.WrapErr(cmp.Or(err, errMayAsk))
			}
			return nil
		},
		"accept_tokens*": h.readAcceptTokens,
	}
}

// finish has reverse_proxy read its part.
func (r *directiveReader) finish() error {
	if !r.upstreams {
		return errAt(r.start, fmt.Errorf("mount %s has no upstream: say where the MCP server is, such as 127.0.0.1:9000 or https://mcp.example.net",
			r.handler.Mount))
	}
	if r.upstreamPath != nil && *r.upstreamPath != "" {
		if r.endpointAt != nil {
			return errAt(*r.endpointAt, fmt.Errorf("the endpoint is in the upstream's URL already (%s): write it once", *r.upstreamPath))
		}
		r.handler.Endpoint = *r.upstreamPath
	}
	r.handler.ReverseProxy = new(reverseproxy.Handler)
	if err := r.handler.ReverseProxy.UnmarshalCaddyfile(caddyfile.NewDispenser(r.passed)); err != nil {
		for _, token := range r.strange {
			if strings.HasPrefix(err.Error(), "unrecognized subdirective "+token.Text+",") {
				known := slices.Concat(proxySubdirectives, optionNames(r.options()))
				return errAt(token, fmt.Errorf("unrecognized subdirective %s%s", token.Text, didYouMean(token.Text, known)))
			}
		}
		return err
	}
	return nil
}

// trimPath returns a URL without its path, and the path.
func trimPath(address string) (base, path string) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return address, ""
	}
	slash := strings.IndexAny(rest, "/?")
	if slash < 0 {
		return address, ""
	}
	return scheme + "://" + rest[:slash], rest[slash:]
}

// size returns the option that sets a number of bytes.
func size(target *int64) option {
	return func(d *caddyfile.Dispenser) error {
		var value string
		name := d.Val()
		if err := oneArg(d, &value); err != nil {
			return err
		}
		bytes, err := humanize.ParseBytes(value)
		if err != nil || bytes == 0 || bytes > 1<<40 {
			return d.Errf("%s: %q is no size such as 512KiB or 4MiB", name, value)
		}
		*target = int64(bytes)
		return nil
	}
}

// refusedSubdirectives are those of reverse_proxy that would get around the guard, and what to do instead.
var refusedSubdirectives = map[string]string{
	"handle_response": "it would hand a judged request, with our credentials, to other handlers",
	"rewrite":         "it would change a request after it was judged; use endpoint for the path",
	"method":          "it would change a request after it was judged",
}

// proxySubdirectives are the subdirectives of reverse_proxy, for suggestions. Those that it has and this list hasn't are
// passed on all the same.
var proxySubdirectives = []string{
	"to", "dynamic",
	"lb_policy", "lb_retries", "lb_try_duration", "lb_try_interval", "lb_retry_match",
	"health_uri", "health_path", "health_upstream", "health_port", "health_interval", "health_passes", "health_fails",
	"health_timeout", "health_status", "health_body", "health_method", "health_request_body", "health_follow_redirects",
	"health_headers",
	"fail_duration", "max_fails", "unhealthy_status", "unhealthy_latency", "unhealthy_request_count",
	"flush_interval", "request_buffers", "response_buffers", "stream_buffer_size", "stream_timeout", "stream_close_delay",
	"verbose_logs", "proxy_status_name", "trusted_proxies", "header_up", "header_down", "transport", "replace_status",
}
