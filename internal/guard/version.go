package guard

import "strconv"

// revision is a dated revision of the Model Context Protocol, in order of time.
type revision uint8

const (
	rev20241105 revision = iota + 1 // without Streamable HTTP; some servers agree on it all the same
	rev20250326
	rev20250618
	rev20251125
	rev20260728
)

var revisions = map[string]revision{
	"2024-11-05": rev20241105,
	"2025-03-26": rev20250326,
	"2025-06-18": rev20250618,
	"2025-11-25": rev20251125,
	"2026-07-28": rev20260728,
}

// supported are the revisions we offer, newest first, as raw JSON.
const supported = `["2026-07-28","2025-11-25","2025-06-18","2025-03-26"]`

// metaVersion is the member of _meta that names a request's revision.
const metaVersion = "io.modelcontextprotocol/protocolVersion"

// eras returns the kind of revision v is.
func (v revision) eras() eras {
	switch {
	case v >= rev20260728:
		return modern
	case v == rev20251125:
		return tasked
	}
	return early
}

// batches reports whether v knows JSON-RPC batches.
func (v revision) batches() bool { return v == rev20250326 }

func (v revision) String() string {
	for name, r := range revisions {
		if r == v {
			return name
		}
	}
	return "revision(" + strconv.Itoa(int(v)) + ")"
}
