package guard

import (
	"net/url"
	"strings"
)

// maxEndpoint bounds the URL that a server of HTTP+SSE names, in bytes.
const maxEndpoint = 2 << 10

// resolveEndpoint returns the path and query that a server means by the data of its endpoint event, which is a reference
// relative to the URL the stream was asked for (RFC 3986 §5). Messages go there with the credentials that the server's
// own endpoint gets, so it must be of the same origin, and written so that no two readers take it for different places.
func resolveEndpoint(asked *url.URL, text string) (*url.URL, error) {
	switch {
	case asked == nil:
		return nil, fault("an endpoint of a stream that was asked for nowhere")
	case text == "" || len(text) > maxEndpoint:
		return nil, fault("an endpoint that is empty or too long")
	case !plainReference(text):
		return nil, fault("an endpoint with characters that it may not have")
	}
	ref, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fault("an endpoint that is no URL")
	case ref.User != nil || ref.Opaque != "":
		return nil, fault("an endpoint that is more than a place")
	case ref.Scheme == "" && strings.HasPrefix(text, "//"), ref.Scheme != "" && !sameOrigin(asked, ref):
		return nil, fault("an endpoint of another origin")
	case !plainPath(ref.EscapedPath()):
		return nil, fault("an endpoint whose path can be read in two ways")
	}
	to := asked.ResolveReference(ref)
	if to.Path == "" {
		to.Path = "/"
	}
	if to.Path[0] != '/' || strings.HasPrefix(to.Path, "//") {
		return nil, fault("an endpoint whose path can be read in two ways")
	}
	return &url.URL{Path: to.Path, RawPath: to.RawPath, ForceQuery: to.ForceQuery, RawQuery: to.RawQuery}, nil
}

// plainReference reports whether text has only characters of a URL without a fragment.
func plainReference(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("#\\\"<>^`{|}", c) >= 0 {
			return false
		}
	}
	return true
}

// plainPath reports whether a path, as it is written, has neither dot segments nor anything that becomes one, or another
// slash, to a server that decodes it once more or takes off parameters first.
func plainPath(path string) bool {
	lower := strings.ToLower(path)
	for _, coded := range [...]string{"%2e", "%2f", "%5c", "%25", "%00"} {
		if strings.Contains(lower, coded) {
			return false
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// sameOrigin reports whether two URLs have the same scheme, host and port (RFC 6454 §5).
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && a.Hostname() != "" && equalFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case u.Scheme == "http":
		return "80"
	case u.Scheme == "https":
		return "443"
	}
	return ""
}
