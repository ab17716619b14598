package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// wellKnown is where clients look for metadata (RFC 8615); nothing else may stand there.
const wellKnown = "/.well-known"

// metadataPath is where the protected resource metadata of a mount stands (RFC 9728 section 3.1): the mount follows it.
const metadataPath = wellKnown + "/oauth-protected-resource"

// optionalOAuthNames are endpoints of the authorization server below oauth_path that only some configs have. They are kept
// free in all, so that a mount goes on working when its config has them.
var optionalOAuthNames = []string{"register", "webhooks/workos"}

// checkMount says what is wrong with the path of a mount. A mount is compared with the path as it was sent, so it is
// made of characters that every client sends as they are.
func checkMount(mount string) error {
	switch {
	case mount == "":
		return errors.New("a mount is missing: write the path that clients use, such as /github")
	case mount == "/":
		return errors.New("the mount / would take every path of the site; write a path of its own, such as /mcp")
	case mount[0] != '/':
		return fmt.Errorf("the mount %q must begin with a slash", mount)
	case strings.HasSuffix(mount, "*"):
		return fmt.Errorf("the mount %q is one path, not a pattern; write %q", mount, strings.TrimRight(mount, "*/"))
	case strings.HasSuffix(mount, "/"):
		return fmt.Errorf("write the mount %q without the slash at the end; both forms answer", strings.TrimRight(mount, "/"))
	case path.Clean(mount) != mount:
		return fmt.Errorf("write the mount %q as %q", mount, path.Clean(mount))
	}
	for _, c := range []byte(mount) {
		if !isUnreserved(c) && c != '/' {
			return fmt.Errorf("the mount %q holds %q; use letters, digits, and any of - . _ ~", mount, c)
		}
	}
	if within(strings.ToLower(mount), wellKnown) {
		return fmt.Errorf("the mount %q is where clients look for metadata; choose another path", mount)
	}
	return nil
}

// isUnreserved reports whether a character of a path has one form only (RFC 3986 section 2.3).
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// checkOAuthPath says what is wrong with a prefix of the OAuth endpoints.
func checkOAuthPath(prefix string) error {
	if prefix == "" || prefix == "/" {
		return nil
	}
	if err := checkMount(strings.TrimSuffix(prefix, "/")); err != nil {
		return fmt.Errorf("oauth_path %q: it must be a plain path such as /oauth", prefix)
	}
	return nil
}

// oauthCollision returns the OAuth endpoint that a mount on the issuer's site would take away, or "". paths are those
// that the authorization server has, prefix is what they begin with.
func oauthCollision(mount, prefix string, paths []string) string {
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix != "" && within(fold(mount), fold(prefix)) {
		return prefix
	}
	for _, name := range optionalOAuthNames {
		paths = append(paths, prefix+"/"+name)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if within(fold(path), fold(mount)) {
			return path
		}
	}
	return ""
}

// sentPath returns the path of a request as the client sent it: undecoded, not normalised, before any rewrite.
func sentPath(r *http.Request) string {
	uri := r.RequestURI
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		uri = original.RequestURI
	}
	if uri == "" {
		return r.URL.EscapedPath()
	}
	// RFC 9112 section 3.2.2: a request target may be a whole URL.
	if scheme, rest, found := strings.Cut(uri, "://"); found && !strings.ContainsAny(scheme, "/?") {
		slash := strings.IndexAny(rest, "/?")
		if slash < 0 {
			return "/"
		}
		uri = rest[slash:]
	}
	if query := strings.IndexByte(uri, '?'); query >= 0 {
		uri = uri[:query]
	}
	return uri
}

// maxFolds is how often a path may be encoded over and over for fold to see through it. What is encoded more often
// names nothing to any server that decodes a sane number of times.
const maxFolds = 4

// fold returns the path that the most lenient server could take a path for: decoded (also twice), backslashes taken
// for slashes, path parameters left out (RFC 3986 section 3.3), slashes collapsed, dot segments resolved, in lower case.
// It is for refusing what comes near a mount, never for finding one.
func fold(sent string) string {
	folded := sent
	for range maxFolds {
		decoded := decodeOnce(folded)
		if decoded == folded {
			break
		}
		folded = decoded
	}
	folded = strings.ReplaceAll(folded, `\`, "/")
	if strings.ContainsRune(folded, ';') {
		segments := strings.Split(folded, "/")
		for i, segment := range segments {
			segments[i], _, _ = strings.Cut(segment, ";")
		}
		folded = strings.Join(segments, "/")
	}
	// A NUL ends a path for servers written in C; control characters are dropped by some parsers.
	folded = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, folded)
	return strings.ToLower(path.Clean("/" + strings.TrimSpace(folded)))
}

// decodeOnce replaces %XX by its byte, and leaves alone what is no such escape.
func decodeOnce(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// within reports whether a path is dir or below it.
func within(p, dir string) bool {
	return p == dir || len(p) > len(dir) && p[len(dir)] == '/' && p[:len(dir)] == dir
}
