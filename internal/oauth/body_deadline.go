package oauth

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// defaultBodyWait is how long a body may take to arrive. Ours are small, and whoever sends them has proved nothing yet.
const defaultBodyWait = 30 * time.Second

// limitBody gives the body of a request its deadline. Where the connection can't have one, that is the server's to see to.
func limitBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	rc := http.NewResponseController(w)
	// By the clock of the connection, which is not the one that can be set for tests.
	if rc.SetReadDeadline(time.Now().Add(timeout)) == nil {
		r.Body = &timedBody{r.Body, rc}
	}
}

// timedBody is a body with a deadline, which ends with the body: net/http reads on behind it, and would take the deadline for a
// client that has hung up. One that is not read to its end keeps it, as the server reads what is left of it.
type timedBody struct {
	io.ReadCloser
	rc *http.ResponseController
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.rc.SetReadDeadline(time.Time{}) // it could be set, so it can be taken off
	}
	return n, err
}
