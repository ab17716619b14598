package identity

import (
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter bounds how long an answer can make us stay away.
const maxRetryAfter = time.Hour

// RetryAfter reads how long a provider asks us to stay away, in seconds or until a date (RFC 9110 section 10.2.3). Zero means that it
// doesn't say; more than an hour is an hour.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	var d time.Duration
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		d = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
