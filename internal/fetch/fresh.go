package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// How long a document is used without asking for it again. HTTP's rules decide within these bounds, as section 4.4 of the draft on
// client metadata documents allows: one login asks for the document several times over, so it is kept for a minute whatever its
// host says; and what was taken out of a document, such as a redirect URI, must stop working within the hour.
const (
	minFresh     = time.Minute
	defaultFresh = 5 * time.Minute
	maxFresh     = time.Hour
	// maxStale is how long a document may be used while its host is down. Without it the people who use a client would lose
	// their agents whenever its web site has an hour's trouble, as refreshing a token needs the document. An attacker who keeps
	// the host down gains a day with a document that was good that day.
	maxStale = 24 * time.Hour
)

// freshness says for how long a document may be used as it is (RFC 9111 section 4.2.1), and whether it may be used for longer if its
// host is down (section 4.2.4).
func freshness(h http.Header, now time.Time) (fresh time.Duration, stale bool) {
	cc := cacheControl(h.Values("Cache-Control"))
	stale = !cc.noCache && !cc.noStore && !cc.mustRevalidate
	switch {
	case cc.noCache || cc.noStore:
		fresh = 0
	case cc.hasAge:
		fresh = cc.maxAge
	case h.Get("Expires") != "":
		// One that can't be read is in the past (section 5.3).
		if expires, err := http.ParseTime(h.Get("Expires")); err == nil {
			date, err := http.ParseTime(h.Get("Date"))
			if err != nil {
				date = now
			}
			fresh = expires.Sub(date)
		}
	default:
		return defaultFresh, stale
	}
	if age := seconds(h.Get("Age")); age > 0 {
		fresh -= age
	}
	return min(max(fresh, minFresh), maxFresh), stale
}

// directives are what Cache-Control says to a cache that many share.
type directives struct {
	noStore, noCache, mustRevalidate bool
	hasAge                           bool
	maxAge                           time.Duration
}

// cacheControl reads the lines of a Cache-Control header (RFC 9111 section 5.2). Of an age that is there twice the shortest counts, and
// one that can't be read is zero (section 4.2.1); s-maxage beats max-age.
func cacheControl(lines []string) directives {
	var d directives
	shared := false
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case "no-store":
				d.noStore = true
			case "no-cache":
				d.noCache = true
			case "must-revalidate", "proxy-revalidate":
				d.mustRevalidate = true
			case "max-age", "s-maxage":
				age := seconds(strings.Trim(strings.TrimSpace(value), `"`))
				isShared := name == "s-maxage"
				switch {
				case isShared && !shared, !d.hasAge:
					d.maxAge = age
				case isShared == shared:
					d.maxAge = min(d.maxAge, age)
				}
				shared, d.hasAge = shared || isShared, true
			}
		}
	}
	return d
}

// seconds reads a number of seconds (RFC 9111 section 1.2.2); what is none is zero, and what is too large is a day, more than any bound here.
func seconds(s string) time.Duration {
	const most = 24 * 60 * 60
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		if s == "" || strings.Trim(s, "0123456789") != "" {
			return 0
		}
		n = most
	}
	return time.Duration(min(n, most)) * time.Second
}
