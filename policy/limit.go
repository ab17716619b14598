package policy

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Limit is how often something may be done.
type Limit struct {
	// Count is how many calls there may be in any Per.
	Count int
	Per   time.Duration

	// By says whose calls are counted together: those of a user (the default), of a client of a user, or of all users of a
	// tool.
	By LimitBy

	// Key names the limit: it is the same in every policy that says the same in the same place.
	Key string
}

// LimitBy says whose calls a Limit counts together.
type LimitBy uint8

// What a limit can be counted by.
const (
	PerUser   LimitBy = iota // all calls of one person, by whatever agent, that the rule allows
	PerClient                // those of one agent of one person
	PerTool                  // those of everybody, for each tool
)

// limitBys are the words for what a limit is counted by.
var limitBys = map[string]LimitBy{"user": PerUser, "client": PerClient, "tool": PerTool}

// limitSpans are the letters for what a limit counts in.
var limitSpans = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// MaxLimit is the greatest number of calls that a limit can name.
const MaxLimit = 1_000_000

// parseLimit reads a limit such as "30/m" or "30/m per client".
func parseLimit(text string) (l Limit, ok bool) {
	words := strings.Fields(text)
	switch {
	case len(words) == 1:
	case len(words) == 3 && words[1] == "per":
		if l.By, ok = limitBys[words[2]]; !ok {
			return l, false
		}
	default:
		return l, false
	}
	number, span, _ := strings.Cut(words[0], "/")
	l.Per = limitSpans[span]
	if number == "" || !digits(number) || l.Per == 0 {
		return l, false
	}
	var err error
	l.Count, err = strconv.Atoi(number)
	return l, err == nil && l.Count > 0 && l.Count <= MaxLimit
}

// limitFault says what is wrong with a limit.
func limitFault(text string) string {
	if fault := wordFault(text); fault != "" {
		return fault
	}
	if _, ok := parseLimit(text); !ok {
		return "is not a limit; write a number from 1 to 1000000, a slash and s, m, h or d, such as 30/m, and if you like per user, per client or per tool"
	}
	return ""
}

// compareLimits orders limits by how much they leave: none is most, then the greater rate, then the greater number at once,
// then by whom it is counted.
func compareLimits(a, b *Limit) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return cmp.Or(
		cmp.Compare(float64(a.Count)/a.Per.Seconds(), float64(b.Count)/b.Per.Seconds()),
		cmp.Compare(a.Count, b.Count),
		cmp.Compare(a.By.width(), b.By.width()),
	)
}

// width ranks what a limit is counted by: the fewer calls are counted together, the more it leaves.
func (b LimitBy) width() int {
	switch b {
	case PerClient:
		return 2
	case PerUser:
		return 1
	}
	return 0
}
