//go:build !unix

package oauth

import "time"

// cpuTime can't be told here.
func cpuTime() time.Duration { return 0 }
