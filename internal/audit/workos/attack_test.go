package workos

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A disk that gets full while what WorkOS refused is kept leaves half a line. It must not swallow the line that is kept after it.
func TestAttackHalfARefusedLineSwallowsTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(t.TempDir())
		a := newAPI()
		s := sinkTo(a, q, 1<<20, nil)
		s.Record(call())
		name, err := q.oldest()
		if err != nil {
			t.Fatal(err)
		}
		lines, err := q.read(name)
		if err != nil || len(lines) != 1 {
			t.Fatal(lines, err)
		}
		q.mu.Lock()
		err = q.keepRefused(name, []string{lines[0][:len(lines[0])/2]})
		q.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		if err := q.remove(name, lines); err != nil {
			t.Fatal(err)
		}
		if got := q.bytes(); got != int64(len(lines[0])) {
			t.Errorf("%d bytes are counted, of %d", got, len(lines[0]))
		}
		stop := run(s)
		time.Sleep(2 * idle)
		stop()
		if taken, _ := a.count(); taken != 1 {
			t.Errorf("%d of 1 record arrived", taken)
		}
	})
}

// However much WorkOS refuses while a schema is missing, no more of it is in memory at a time than of anything else.
func TestAttackRefusedRecordsFillMemory(t *testing.T) {
	q := NewQueue(t.TempDir())
	line := strings.Repeat("x", 1023) + "\n"
	for range 4 * segmentSize / len(line) {
		if err := q.put([]byte(line), 1<<30); err != nil {
			t.Fatal(err)
		}
	}
	for name, err := q.oldest(); name != ""; name, err = q.oldest() {
		if err != nil {
			t.Fatal(err)
		}
		lines, err := q.read(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.remove(name, lines); err != nil {
			t.Fatal(err)
		}
	}
	before := q.bytes()
	if err := q.requeue(); err != nil {
		t.Fatal(err)
	}
	total := 0
	for name, err := q.oldest(); name != ""; name, err = q.oldest() {
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(q.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > 2*segmentSize {
			t.Errorf("a segment of %d bytes is read at once", info.Size())
		}
		total += int(info.Size())
		if err := q.remove(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if total != 4*segmentSize || before != 4*segmentSize || q.bytes() != 0 {
		t.Errorf("%d bytes came back of %d, %d are left", total, before, q.bytes())
	}
}

// A stream that outlives the configuration it was opened under records its end when the queue has been given back: that must not take the
// queue away from the configurations that come.
func TestAttackALateRecordKeepsTheQueueForEver(t *testing.T) {
	dir := t.TempDir()
	old := NewQueue(dir)
	if err := old.put([]byte("{}\n"), 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := old.Destruct(); err != nil {
		t.Fatal(err)
	}
	if err := old.put([]byte("{}\n"), 1<<20); err == nil {
		t.Error("a queue that was given back takes records")
	}
	if err := NewQueue(dir).put([]byte("{}\n"), 1<<20); err != nil {
		t.Errorf("the next queue: %v", err)
	}
}

// To stay away for an hour is asked once. If no answer comes after that, the hour does not begin anew with every try.
func TestAttackAnOldRetryAfterCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.set(http.StatusServiceUnavailable, http.Header{"Retry-After": {"3600"}})
		s := sinkTo(a, NewQueue(t.TempDir()), 1<<20, nil)
		s.Record(call())
		stop := run(s)
		time.Sleep(2 * idle)
		a.set(0, nil)
		time.Sleep(time.Hour + 2*idle)
		a.set(http.StatusCreated, nil)
		time.Sleep(2 * longestWait)
		stop()
		if taken, calls := a.count(); taken != 1 {
			t.Errorf("not sent after %d calls", calls)
		}
	})
}
