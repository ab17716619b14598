package workos

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	// segmentSize is how long a segment gets, in bytes, before the next one is begun.
	segmentSize = 1 << 20
	// extension is that of segments; their names count up.
	extension = ".jsonl"
	// refusedPrefix begins the names of what WorkOS would not take of a segment; the segment's own name follows.
	refusedPrefix = "refused-"
)

var (
	// ErrFull says that the queue is as long as it may get.
	ErrFull = errors.New("the queue of audit records for WorkOS is full")
	// errClosed says that the queue was given back: whoever uses it next may have it already.
	errClosed = errors.New("the queue of audit records for WorkOS is no longer in use")
	// errLocked says that another process has the queue.
	errLocked = errors.New("another process uses this directory as its queue of audit records")
)

// Queue keeps records on disk, oldest first, in segments of whole lines that are written to at their end and deleted as a whole. A line is in
// its file when put returns, so that a killed process loses none; sync makes it outlive a power failure. Safe for concurrent use. Several
// sinks may share one, as those of two configurations do while one replaces the other.
type Queue struct {
	dir string

	mu     sync.Mutex
	unlock func() // nil while the queue is not open
	closed bool   // for good
	size   int64  // of all segments, in bytes
	sealed []string
	next   int // the number of the segment to begin
	active *os.File
	length int64 // of the active one
	dirty  bool  // something was written since the last sync
}

// NewQueue makes the queue in a directory, which no other process may use. It touches the disk only when it is used.
func NewQueue(dir string) *Queue { return &Queue{dir: dir} }

// open opens the queue if it is not, and takes up what is left in its directory. A failure is not remembered. The caller holds the lock.
func (q *Queue) open() error {
	switch {
	case q.closed:
		return errClosed
	case q.unlock != nil:
		return nil
	}
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(q.dir, "lock"))
	if err != nil {
		return err
	}
	q.size, q.sealed, q.next = 0, nil, 1
	if err := q.takeUp(); err != nil {
		unlock()
		return err
	}
	q.unlock = unlock
	return nil
}

// takeUp finds the segments that there are. The caller holds the lock.
func (q *Queue) takeUp() error {
	entries, err := os.ReadDir(q.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, refused := strings.CutPrefix(entry.Name(), refusedPrefix)
		var n int
		if _, err := fmt.Sscanf(name, "%020d"+extension, &n); err != nil || name != segmentName(n) {
			continue
		}
		q.next = max(q.next, n+1)
		if !refused {
			q.sealed = append(q.sealed, name)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		q.size += info.Size()
	}
	slices.Sort(q.sealed)
	return nil
}

// requeue has the records sent again that WorkOS would not take.
func (q *Queue) requeue() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := errors.Join(q.open(), q.seal()); err != nil {
		return err
	}
	entries, err := os.ReadDir(q.dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), refusedPrefix) {
			continue
		}
		name := segmentName(q.next)
		if err := os.Rename(filepath.Join(q.dir, entry.Name()), filepath.Join(q.dir, name)); err != nil {
			return err
		}
		q.sealed, q.next = append(q.sealed, name), q.next+1
	}
	return nil
}

func segmentName(n int) string { return fmt.Sprintf("%020d"+extension, n) }

// put adds a line, unless the queue would get longer than limit. The error is ErrFull or the disk's; nothing is kept then.
func (q *Queue) put(line []byte, limit int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.open(); err != nil {
		return err
	}
	if q.size+int64(len(line)) > limit {
		return ErrFull
	}
	if q.active == nil {
		f, err := os.OpenFile(filepath.Join(q.dir, segmentName(q.next)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		q.active, q.length = f, 0
	}
	n, err := q.active.Write(line)
	q.size += int64(n)
	q.length += int64(n)
	q.dirty = true
	if err != nil {
		// What was written of it is taken back, or is a line that can't be read.
		if q.active.Truncate(q.length-int64(n)) == nil {
			q.size, q.length = q.size-int64(n), q.length-int64(n)
		}
		return errors.Join(err, q.seal())
	}
	if q.length >= segmentSize {
		return q.seal()
	}
	return nil
}

// seal ends the active segment. The caller holds the lock.
func (q *Queue) seal() error {
	if q.active == nil {
		return nil
	}
	err := errors.Join(q.active.Sync(), q.active.Close())
	q.sealed = append(q.sealed, segmentName(q.next))
	q.active, q.next, q.dirty = nil, q.next+1, false
	return err
}

// oldest returns the name of the oldest segment, which nothing is added to any more; "" if the queue is empty.
func (q *Queue) oldest() (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.open()
	if err == nil && len(q.sealed) == 0 {
		err = q.seal()
	}
	if len(q.sealed) == 0 {
		return "", err
	}
	return q.sealed[0], err
}

// read returns the whole lines of a segment.
func (q *Queue) read(name string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(q.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	lines := strings.SplitAfter(string(data), "\n")
	// What follows the last line end was being written when the process died.
	return lines[:len(lines)-1], nil
}

// remove deletes a segment, having kept those of its lines that WorkOS would not take.
func (q *Queue) remove(name string, refused []string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return errClosed
	}
	path := filepath.Join(q.dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // another sink has sent it as well
	}
	if err != nil {
		return err
	}
	if len(refused) > 0 {
		if err := q.keepRefused(name, refused); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	q.size -= info.Size()
	q.sealed = slices.DeleteFunc(q.sealed, func(other string) bool { return other == name })
	return nil
}

// keepRefused puts lines of a segment where they wait for the next start, in place of what a try that failed has left there. The caller
// holds the lock.
func (q *Queue) keepRefused(name string, lines []string) error {
	path := filepath.Join(q.dir, refusedPrefix+name)
	var before int64
	if info, err := os.Stat(path); err == nil {
		before = info.Size()
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	q.size -= before
	n, err := f.WriteString(strings.Join(lines, ""))
	q.size += int64(n)
	return errors.Join(err, f.Sync(), f.Close())
}

// sync makes what was put outlive a power failure.
func (q *Queue) sync() error {
	q.mu.Lock()
	f := q.active
	if !q.dirty || f == nil {
		q.mu.Unlock()
		return nil
	}
	q.dirty = false
	q.mu.Unlock()
	// Beside those who put: a segment that is sealed meanwhile was synced by that.
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// bytes is how long the queue is.
func (q *Queue) bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}

// Destruct implements caddy.Destructor: it ends the use of the queue, for good. What is in it stays for the next one in its directory.
func (q *Queue) Destruct() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.unlock == nil {
		return nil
	}
	err := q.seal()
	q.unlock()
	q.unlock = nil
	return err
}
