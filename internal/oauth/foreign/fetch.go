package foreign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Bounds of what is read from an issuer.
const (
	fetchTimeout = 10 * time.Second
	maxDocument  = 512 << 10
)

// How documents of an issuer age: after keysFresh they are read anew, by the way; after keysStale they count no more,
// so that a key the issuer has withdrawn doesn't live on here while it can't be reached. Nothing is read again, for
// whatever reason, within retryAfter: a made-up key id costs the issuer nothing.
const (
	keysFresh  = 30 * time.Minute
	keysStale  = 24 * time.Hour
	retryAfter = 10 * time.Second
)

// errResting says that the issuer was asked just now, and is not asked again yet.
var errResting = errors.New("it was asked a moment ago")

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
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// read sends a request and reads the JSON of a good answer.
func (i *Issuer) do(r *http.Request, answer any) error {
	r.Header.Set("Accept", "application/json")
	res, err := i.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &statusError{r.URL.Path, res.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(body) > maxDocument {
		return fmt.Errorf("the answer of %s is longer than %d bytes", r.URL.Path, maxDocument)
	}
	return json.Unmarshal(body, answer)
}

// statusError is an answer other than 200.
type statusError struct {
	path   string
	status int
}

// Error implements error.
func (e *statusError) Error() string { return fmt.Sprintf("%s answered %d", e.path, e.status) }

// remote is a document that is read when it is first needed, and again from time to time. Several callers wait for one
// reading, which goes on when they stop waiting.
type remote[T any] struct {
	now          func() time.Time
	read         func(context.Context) (T, error)
	fresh, stale time.Duration

	mu    sync.Mutex
	has   bool
	value T
	at    time.Time // when value was read
	tried time.Time // when reading it last ended
	err   error     // of the last reading
	doing chan struct{}
}

// get returns the document. good says whether a document that is there already will do; if not, it is read anew, unless it
// was just now.
func (r *remote[T]) get(ctx context.Context, good func(T) bool) (T, error) {
	var none T
	r.mu.Lock()
	age := r.now().Sub(r.at)
	usable := r.has && age < r.stale && age > -r.stale
	if usable && good(r.value) {
		defer r.mu.Unlock()
		if age >= r.fresh || age < 0 {
			r.start(ctx)
		}
		return r.value, nil
	}
	doing := r.start(ctx)
	if doing == nil {
		defer r.mu.Unlock()
		if usable {
			return r.value, errResting
		}
		return none, errors.Join(errResting, r.err)
	}
	r.mu.Unlock()
	select {
	case <-doing:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, r.err
}

// start begins to read, if that isn't under way; it returns nil if it is too early. The lock is held.
func (r *remote[T]) start(ctx context.Context) chan struct{} {
	if r.doing != nil {
		return r.doing
	}
	if since := r.now().Sub(r.tried); since >= 0 && since < retryAfter {
		return nil
	}
	doing := make(chan struct{})
	r.doing = doing
	go func() {
		defer close(doing)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		value, err := r.read(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.doing, r.tried, r.err = nil, r.now(), err
		if err == nil {
			r.has, r.value, r.at = true, value, r.tried
		}
	}()
	return doing
}
