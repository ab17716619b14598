// Package fetch gets small JSON documents from addresses that strangers name, such as the metadata document of an OAuth client. Whoever
// may name an address must not be able to reach through us what only we can reach, learn from us what answers there, keep us
// busy, or fill our memory (RFC 9700 leaves this to the draft on client metadata documents, section 6: server side request forgery).
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Bounds of one fetch. A person is waiting for it, in front of an empty page.
const (
	fetchTimeout   = 5 * time.Second
	dialTimeout    = 3 * time.Second
	maxHeaderBytes = 16 << 10
	// maxAtOnce is how many fetches are under way at once, for all callers together: enough that a few who name sites that take all
	// the time there is don't keep the others from theirs.
	maxAtOnce = 64
)

// ErrUnavailable says that a document can't be had now: its host doesn't answer, or not in time, or is at an address that may not be
// reached, or we are busy. Which of these it is says something about the network behind us, and is for the log only.
var ErrUnavailable = errors.New("fetch: the document can't be had")

// Refusal is the error for a document that was had and is no good.
type Refusal struct {
	// Reason goes on after "it": one of our own phrases, which never repeats what was fetched.
	Reason string
	// Err says more, for the log. It may be nil.
	Err error
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Err != nil {
		return "fetch: the document is no good: it " + r.Reason + ": " + r.Err.Error()
	}
	return "fetch: the document is no good: it " + r.Reason
}

// Unwrap returns Err.
func (r *Refusal) Unwrap() error { return r.Err }

// Options say what a Client may reach.
type Options struct {
	// Private are the networks that may be reached although they are not of the public internet, such as 10.0.0.0/8 or ::1/128.
	Private []netip.Prefix
	// Roots are the certificate authorities that hosts are trusted by. Nil means those of the system.
	Roots *x509.CertPool
	// Resolver looks up names. Nil means the one of the system.
	Resolver *net.Resolver
}

// Client fetches documents. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	timeout time.Duration
	slots   chan struct{}
}

// NewClient returns a Client. It touches no network.
//
// Addresses are checked when a connection is made to them, after the name was looked up for the last time: a check any earlier could
// be told another address than the connection (DNS rebinding). Only global unicast addresses pass, of IPv6 only 2000::/3 without
// documentation, 6to4, Teredo and the like; NAT64 (64:ff9b::/96) and mapped forms of IPv4 are outside of that.
func NewClient(o Options) *Client {
	var v4, v6 []netip.Prefix
	for _, p := range o.Private {
		if p = p.Masked(); p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	// Ports are for CheckURL.
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: -1, Control: guard.Safe, Resolver: o.Resolver}
	return &Client{timeout: fetchTimeout, slots: make(chan struct{}, maxAtOnce), http: &http.Client{
		Transport: &http.Transport{
			// No Proxy, not even one of the environment: it would look up names and connect in our place, unchecked. No kept
			// connections: a name may mean another address next time. No decompression: a few bytes could become very many.
			DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeaderBytes,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is a document as it came.
type answer struct {
	body   []byte
	header http.Header
}

// get fetches the document at an address that CheckURL found good, of at most limit bytes. The errors are ErrUnavailable and *Refusal.
func (c *Client) get(ctx context.Context, address string, limit int) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many others are being fetched", ErrUnavailable)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &Refusal{Reason: "has an address that can't be asked for", Err: err}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "caddy-mcp-gateway")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	if err := acceptable(res); err != nil {
		return nil, err
	}
	tooLong := &Refusal{Reason: "is too long"}
	if res.ContentLength > int64(limit) {
		return nil, tooLong
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(limit)+1))
	if err == nil {
		// A host that notices that we hang up may still end its answer as if it were whole.
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if len(body) > limit {
		return nil, tooLong
	}
	return &answer{body, res.Header}, nil
}

// acceptable judges an answer by its head (draft-ietf-oauth-client-id-metadata-document section 4: status 200 and no other, no
// redirects, application/json or a type that ends in +json).
func acceptable(res *http.Response) error {
	switch code := res.StatusCode; {
	case code == http.StatusOK:
	case code >= 300 && code < 400:
		return &Refusal{Reason: "redirects to another place"}
	case code >= http.StatusInternalServerError, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return fmt.Errorf("%w: its host answers %d", ErrUnavailable, code)
	default:
		return &Refusal{Reason: "is not there", Err: fmt.Errorf("its host answers %d", code)}
	}
	if coding := res.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return &Refusal{Reason: "is compressed, which was not asked for"}
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" && !(strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")) {
		return &Refusal{Reason: "is not served as application/json"}
	}
	return nil
}
