package issuer

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Bounds of what is read from an issuer.
const (
	fetchTimeout = 10 * time.Second
	// MaxDocument is the longest answer, in bytes.
	MaxDocument = 512 << 10
)

// newClient makes the client that issuers are asked with. It follows no redirects: the addresses are the operator's, or the
// issuer's own, and where else they lead nobody has said.
func newClient(from *http.Client) *http.Client {
	var own http.Client
	if from != nil {
		own = *from
	}
	if own.Timeout == 0 {
		own.Timeout = fetchTimeout
	}
	if own.Transport == nil {
		own.Transport = http.DefaultTransport
	}
	own.Transport = bounded{own.Transport}
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// bounded is a transport whose answers have an end.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err == nil {
		res.Body = &boundedBody{ReadCloser: res.Body, left: MaxDocument}
	}
	return res, err
}

// boundedBody fails when an answer is too long, so that one that was cut is never taken for a whole one.
type boundedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, fmt.Errorf("the answer is longer than %d bytes", MaxDocument)
	}
	return n, err
}

// Do sends a request and reads the JSON of a good answer. The error may be a *StatusError.
func (i *Issuer) Do(r *http.Request, answer any) error {
	r.Header.Set("Accept", "application/json")
	res, err := i.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &StatusError{r.URL.Path, res.StatusCode}
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, answer)
}

// StatusError is an answer other than 200.
type StatusError struct {
	// Path is that of the request, Status the HTTP status.
	Path   string
	Status int
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("%s answered %d", e.Path, e.Status) }
