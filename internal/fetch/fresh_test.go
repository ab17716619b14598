package fetch

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestFreshness(t *testing.T) {
	now := newClock().now()
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, tc := range []struct {
		name   string
		header http.Header
		fresh  time.Duration
		stale  bool
	}{
		{"nothing", nil, defaultFresh, true},
		{"an age", http.Header{"Cache-Control": {"public, max-age=600"}}, 10 * time.Minute, true},
		{"an age of no time", http.Header{"Cache-Control": {"max-age=0"}}, minFresh, true},
		{"an age too long", http.Header{"Cache-Control": {"max-age=31536000, immutable"}}, maxFresh, true},
		{"an age longer than any number", http.Header{"Cache-Control": {"max-age=99999999999999999999999"}}, maxFresh, true},
		{"an age that is none", http.Header{"Cache-Control": {"max-age=soon"}}, minFresh, true},
		{"a negative age", http.Header{"Cache-Control": {"max-age=-600"}}, minFresh, true},
		{"an age in quotes", http.Header{"Cache-Control": {`Max-Age="600"`}}, 10 * time.Minute, true},
		{"two ages", http.Header{"Cache-Control": {"max-age=3000", "max-age=600"}}, 10 * time.Minute, true},
		{"one for caches that many share", http.Header{"Cache-Control": {"s-maxage=600, max-age=3000"}}, 10 * time.Minute, true},
		{"the same the other way round", http.Header{"Cache-Control": {"max-age=60, s-maxage=600"}}, 10 * time.Minute, true},
		{"it has lain elsewhere", http.Header{"Cache-Control": {"max-age=600"}, "Age": {"300"}}, 5 * time.Minute, true},
		{"a time", http.Header{"Expires": {at(10 * time.Minute)}, "Date": {at(0)}}, 10 * time.Minute, true},
		{"a time by a clock that is wrong", http.Header{"Expires": {at(70 * time.Minute)}, "Date": {at(time.Hour)}}, 10 * time.Minute, true},
		{"a time that is past", http.Header{"Expires": {at(-time.Hour)}}, minFresh, true},
		{"a time that is none", http.Header{"Expires": {"0"}}, minFresh, true},
		{"an age beats a time", http.Header{"Cache-Control": {"max-age=600"}, "Expires": {at(-time.Hour)}}, 10 * time.Minute, true},
		{"not to be kept", http.Header{"Cache-Control": {"no-store, max-age=600"}}, minFresh, false},
		{"to be asked for again", http.Header{"Cache-Control": {"no-cache"}}, minFresh, false},
		{"not to be used late", http.Header{"Cache-Control": {"max-age=600, must-revalidate"}}, 10 * time.Minute, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if fresh, stale := freshness(tc.header, now); fresh != tc.fresh || stale != tc.stale {
				t.Errorf("fresh for %v, stale %v; want %v, %v", fresh, stale, tc.fresh, tc.stale)
			}
		})
	}
}

func FuzzFreshness(f *testing.F) {
	for _, seed := range []string{"max-age=600|5|", "no-store|x|Wed, 21 Oct 2026 07:28:00 GMT", `s-maxage="1",max-age=-1||0`} {
		f.Add(seed)
	}
	now := newClock().now()
	f.Fuzz(func(t *testing.T, lines string) {
		parts := append(strings.SplitN(lines, "|", 3), "", "")
		h := http.Header{"Cache-Control": {parts[0]}, "Age": {parts[1]}, "Expires": {parts[2]}}
		if fresh, _ := freshness(h, now); fresh < minFresh || fresh > maxFresh {
			t.Errorf("fresh for %v", fresh)
		}
	})
}
