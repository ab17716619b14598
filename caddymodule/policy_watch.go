package caddymodule

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

const (
	// policyPoll is how often a policy file is looked at. A change is felt after two looks: see policySource.look.
	policyPoll = 500 * time.Millisecond

	// timestampGrain is the coarsest that file systems in use count times of change, with room to spare. A file that was read
	// so soon after its last change may have been changed again since, and say the same of itself.
	timestampGrain = 3 * time.Second
)

// policySource is where the policy of a config comes from, and what it is now. A file is looked at over and over: what becomes
// of it is the policy from the next decision on, if it is right; if not, the policy from before stays.
type policySource struct {
	file  string // "": the policy is inline, and stays what it is
	now   func() time.Time
	check func(*policy.Policy) error // what the rest of the config asks of a policy
	tell  func(policyState)          // is told of every change of the state

	state atomic.Pointer[policyState]

	// Of the one who looks:
	seen   fileState // at the last look
	judged fileState // what the state came of
}

// policyState is the policy in force, and what is wrong with the file that should have replaced it.
type policyState struct {
	policy *policy.Policy
	since  time.Time // when it came into force

	fault      error     // nil if the file says what is in force
	faultSince time.Time // when the fault was found
}

// fileState is what was found at one look at a file.
type fileState struct {
	info   os.FileInfo // nil if it could not be read
	read   time.Time
	digest [sha256.Size]byte // of what is in it
	fault  string            // why it could not be read
}

// current returns the policy in force.
func (s *policySource) current() *policy.Policy { return s.state.Load().policy }

// load reads the file for the first time.
func (s *policySource) load() error {
	found, data, err := readPolicyFile(s.file, s.now())
	if err != nil {
		return err
	}
	compiled, err := compilePolicyFile(s.file, data)
	if err != nil {
		return err
	}
	s.seen, s.judged = found, found
	s.state.Store(&policyState{policy: compiled, since: s.now()})
	return nil
}

// watch looks at the file until ctx ends.
func (s *policySource) watch(ctx context.Context) {
	if s.file == "" {
		return
	}
	ticker := time.NewTicker(policyPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.look()
		}
	}
}

// look looks at the file once. What is new has to be found twice to count: a program that writes a file does so in pieces, and
// the first half of a policy may well be a policy, without the denials of the second. Names are followed anew each time, so
// that a file that was replaced, or a symbolic link that leads elsewhere, is seen like one that was written to.
func (s *policySource) look() {
	if s.unchanged() {
		return
	}
	found, data, err := readPolicyFile(s.file, s.now())
	settled := found.same(s.seen)
	s.seen = found
	if !settled || found.same(s.judged) {
		return
	}
	s.judged = found
	var compiled *policy.Policy
	if err == nil {
		compiled, err = compilePolicyFile(s.file, data)
	}
	if err == nil {
		err = s.check(compiled)
	}
	next := *s.state.Load()
	switch {
	case err != nil:
		next.fault, next.faultSince = err, s.now()
	case compiled.Hash() == next.policy.Hash():
		// It says the same, but its rules may stand on other lines now.
		next.policy, next.fault, next.faultSince = compiled, nil, time.Time{}
	default:
		next = policyState{policy: compiled, since: s.now()}
	}
	s.state.Store(&next)
	s.tell(next)
}

// unchanged reports whether the file is certain to be what it was at the last look, and that was judged.
func (s *policySource) unchanged() bool {
	last := s.seen
	if last.info == nil || !last.same(s.judged) || last.read.Sub(last.info.ModTime()) < timestampGrain {
		return false
	}
	info, err := os.Stat(s.file)
	return err == nil && os.SameFile(info, last.info) && info.Size() == last.info.Size() && info.ModTime().Equal(last.info.ModTime())
}

// same reports whether two looks at a file found the same in it.
func (f fileState) same(other fileState) bool {
	return f.digest == other.digest && f.fault == other.fault
}

// errNotAFile is why nothing is read of a pipe or a device: it could keep the reader for ever.
var errNotAFile = errors.New("it is not a regular file")

// readPolicyFile reads what is in a policy file. What it found says so, too, if it could not.
func readPolicyFile(file string, now time.Time) (found fileState, data []byte, err error) {
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", file, errNotAFile)
	}
	if err == nil {
		data, err = readBounded(file)
	}
	if err != nil {
		return fileState{read: now, fault: err.Error()}, nil, err
	}
	return fileState{info: info, read: now, digest: sha256.Sum256(data)}, data, nil
}

// readBounded reads no more of a file than a policy may have, and what shows that there is more.
func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, policy.MaxDocument+1))
}

// compilePolicyFile makes a policy of what is in a file.
func compilePolicyFile(file string, data []byte) (*policy.Policy, error) {
	document, err := policy.Parse(file, data)
	if err != nil {
		return nil, err
	}
	return policy.Compile(document)
}
