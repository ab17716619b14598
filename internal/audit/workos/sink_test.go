package workos

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
)

// api is WorkOS, as far as it takes audit events.
type api struct {
	mu     sync.Mutex
	status int         // of the answers; 0: no answer at all
	header http.Header // of the answers
	taken  map[string]int
	events []map[string]any
	calls  int
}

func newAPI() *api { return &api{status: http.StatusCreated, taken: make(map[string]int)} }

// RoundTrip implements http.RoundTripper.
func (a *api) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if a.status == 0 {
		return nil, errors.New("connection refused")
	}
	if a.status == http.StatusCreated {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			return nil, err
		}
		a.taken[r.Header.Get("Idempotency-Key")]++
		if len(a.events) < 100 {
			a.events = append(a.events, body)
		}
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, values := range a.header {
		header[name] = values
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(strings.NewReader(`{"success":true,"code":"some_code"}`)), Request: r}, nil
}

// set changes what it answers.
func (a *api) set(status int, header http.Header) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status, a.header = status, header
}

// count returns how many events were taken, and how many calls there were.
func (a *api) count() (taken, calls int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.taken), a.calls
}

// sinkTo makes a sink whose queue is in dir.
func sinkTo(a *api, queue *Queue, limit int64, log *zap.Logger) *Sink {
	return New(Config{APIKey: "sk_1", BaseURL: "https://api.test", Queue: queue, MaxSize: limit, Logger: log, HTTPClient: &http.Client{Transport: a}})
}

// run runs a sink until stop is called.
func run(s *Sink) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// call is the record of a call.
func call() *audit.Record {
	return &audit.Record{
		Time: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC), Event: "tools/call", Decision: "allow", Rule: "role admin, line 3", UserID: "workos:user_1",
		Email: "alice@acme.test", Org: "org_1", Roles: []string{"admin", "member"}, ClientID: "client", ClientName: "Some Agent", GrantID: "grant",
		Server: "github", Method: "tools/call", Kind: "tool", Name: "create_issue", RequestID: "req", Protocol: "2025-11-25",
		Latency: 1500 * time.Microsecond, Status: 200, UpstreamStatus: 200,
	}
}

func TestRecordsAreSentAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		s := sinkTo(a, NewQueue(t.TempDir()), 1<<20, nil)
		s.Record(call())
		stop := run(s)
		time.Sleep(2 * idle)
		stop()
		if len(a.events) != 1 {
			t.Fatalf("%d events were sent", len(a.events))
		}
		want := map[string]any{
			"organization_id": "org_1",
			"event": map[string]any{
				"action": "mcp.tool.call", "occurred_at": "2026-07-28T12:00:00Z",
				"actor": map[string]any{"type": "user", "id": "user_1", "name": "alice@acme.test"},
				"targets": []any{
					map[string]any{"type": "mcp_server", "id": "github", "name": "github"},
					map[string]any{"type": "mcp_item", "id": "create_issue", "name": "create_issue"},
					map[string]any{"type": "mcp_grant", "id": "grant", "name": ""},
					map[string]any{"type": "mcp_client", "id": "client", "name": "Some Agent"},
				},
				"context": map[string]any{"location": "unknown", "user_agent": "Some Agent"},
				"metadata": map[string]any{
					"event": "tools/call", "decision": "allow", "rule": "role admin, line 3", "user_id": "workos:user_1", "email": "alice@acme.test",
					"org": "org_1", "roles": "admin member", "client_id": "client", "client_name": "Some Agent", "grant_id": "grant", "server": "github",
					"method": "tools/call", "kind": "tool", "tool": "create_issue", "request_id": "req", "protocol": "2025-11-25", "latency": 0.0015,
					"status": 200.0, "upstream_status": 200.0,
				},
			},
		}
		if !reflect.DeepEqual(a.events[0], want) {
			got, _ := json.MarshalIndent(a.events[0], "", " ")
			t.Errorf("sent %s", got)
		}
	})
}

// Whatever a record holds, its event is one that WorkOS takes.
func TestEventsAreWithinTheBoundsOfWorkOS(t *testing.T) {
	long := strings.Repeat("é\U0001f600", 1000)
	full := &audit.Record{Event: "x", Roles: make([]string, 500)}
	value := reflect.ValueOf(full).Elem()
	for i := range value.NumField() {
		switch f := value.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(long)
		case reflect.Int, reflect.Int64:
			f.SetInt(1)
		}
	}
	for i := range full.Roles {
		full.Roles[i] = long
	}
	for name, r := range map[string]*audit.Record{"full": full, "empty": {}, "call": call(), "login": {Event: "login", ClientID: "c"}} {
		t.Run(name, func(t *testing.T) {
			e := eventOf(r, time.Now())
			if len(e.Metadata) > maxKeys || len(e.Targets) == 0 || e.Actor.ID == "" || e.Context.Location == "" || e.OccurredAt.IsZero() {
				t.Errorf("event %+v", e)
			}
			known := false
			for _, action := range Actions() {
				known = known || e.Action == action
			}
			if !known {
				t.Errorf("action %s has no schema", e.Action)
			}
			for key, value := range e.Metadata {
				switch v := value.(type) {
				case string:
					if len(utf16.Encode([]rune(v))) > maxText || len(key) > 40 {
						t.Errorf("%s is %d characters long", key, len(v))
					}
				case int, int64, float64, bool:
				default:
					t.Errorf("%s is a %T", key, v)
				}
			}
		})
	}
	if exact := strings.Repeat("é", maxText); clip(exact) != exact || len([]rune(clip(exact+"é"))) != maxText {
		t.Error("texts are not cut where they have to be")
	}
}

func TestRecordsWithoutAnOrganizationOfWorkOSAreLeftToTheLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "queue")
	s := sinkTo(newAPI(), NewQueue(dir), 1<<20, nil)
	for _, org := range []string{"", "acme"} {
		r := call()
		r.Org = org
		s.Record(r)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something was kept")
	}
}

// outageRate is how many records a second come in TestAnOutageOfAnHour; MCP_AUDIT_RATE sets another.
const outageRate = 5

// WorkOS does not answer for an hour, and nothing is lost, nor kept for longer than needed.
func TestAnOutageOfAnHour(t *testing.T) {
	rate := outageRate
	if n, err := strconv.Atoi(os.Getenv("MCP_AUDIT_RATE")); err == nil {
		rate = n
	}
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.set(0, nil)
		queue := NewQueue(t.TempDir())
		logs, seen := observer.New(zap.InfoLevel)
		s := sinkTo(a, queue, 1<<30, zap.New(logs))
		stop := run(s)
		for range 3600 {
			for range rate {
				s.Record(call())
			}
			time.Sleep(time.Second)
		}
		size := queue.bytes()
		_, calls := a.count()
		a.set(http.StatusCreated, nil)
		began := time.Now()
		for taken := 0; taken < 3600*rate; taken, _ = a.count() {
			if time.Since(began) > time.Hour {
				t.Fatalf("%d of %d records arrived within an hour", taken, 3600*rate)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(2 * idle)
		stop()
		if queue.bytes() != 0 || s.lost.Load() != 0 {
			t.Errorf("%d bytes are left, %d records were lost", queue.bytes(), s.lost.Load())
		}
		for key, times := range a.taken {
			if times != 1 {
				t.Errorf("record %s was sent %d times", key, times)
			}
		}
		// Every sender backs off up to half a minute, all of them together.
		if calls > 3600/15*senders {
			t.Errorf("WorkOS was called %d times while it was down", calls)
		}
		if n := seen.FilterLevelExact(zap.WarnLevel).Len(); n != 1 {
			t.Errorf("the outage was logged %d times", n)
		}
		t.Logf("%d records took %d bytes of disk (%d each), and %d calls were made in vain", 3600*rate, size, size/int64(3600*rate), calls)
	})
}

// What is in the queue when the process dies is sent by the next one; what was sent and not noted so counts once, by its key.
func TestTheQueueOutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a := newAPI()
		dead := NewQueue(dir)
		s := sinkTo(a, dead, 1<<30, nil)
		for range 3000 { // more than a segment
			s.Record(call())
		}
		if _, err := dead.active.WriteString(`{"key":"torn`); err != nil {
			t.Fatal(err)
		}
		dead.unlock() // as the end of the process does
		next := sinkTo(a, NewQueue(dir), 1<<30, nil)
		next.Record(call())
		stop := run(next)
		time.Sleep(time.Minute)
		stop()
		if taken, _ := a.count(); taken != 3001 {
			t.Errorf("%d of 3001 records arrived", taken)
		}
	})
}

// Of a full queue the newest records are left out, and said to be; it has room again when WorkOS takes some.
func TestAFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.set(http.StatusServiceUnavailable, nil)
		logs, seen := observer.New(zap.ErrorLevel)
		s := sinkTo(a, NewQueue(t.TempDir()), 3*segmentSize, zap.New(logs))
		stop := run(s)
		defer stop()
		for range 10_000 {
			s.Record(call())
		}
		if lost := s.lost.Load(); lost == 0 || !errors.Is(s.Blocked(), ErrFull) || s.cfg.Queue.bytes() > 3*segmentSize {
			t.Errorf("%d records were lost, blocked by %v, %d bytes are kept", lost, s.Blocked(), s.cfg.Queue.bytes())
		}
		if seen.Len() != 1 {
			t.Errorf("that was logged %d times", seen.Len())
		}
		a.set(http.StatusCreated, nil)
		time.Sleep(5 * time.Minute)
		if err := s.Blocked(); err != nil {
			t.Errorf("still blocked by %v", err)
		}
	})
}

// A queue that can't be written to blocks, until it may have been mended.
func TestADiskThatCannotBeWrittenTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s := sinkTo(newAPI(), NewQueue(filepath.Join(file, "queue")), 1<<20, nil)
		if s.Blocked() != nil {
			t.Error("blocked before anything went wrong")
		}
		s.Record(call())
		if s.Blocked() == nil {
			t.Error("not blocked")
		}
		time.Sleep(troubleTime)
		if s.Blocked() != nil {
			t.Error("blocked for ever")
		}
	})
}

// What WorkOS refuses for what it is holds up nothing else, and is tried again by the next process, as when its schema was missing.
func TestRefusedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a := newAPI()
		a.set(http.StatusBadRequest, nil)
		logs, seen := observer.New(zap.ErrorLevel)
		queue := NewQueue(dir)
		s := sinkTo(a, queue, 1<<20, zap.New(logs))
		stop := run(s)
		for range 3 {
			s.Record(call())
			time.Sleep(2 * idle)
		}
		a.set(http.StatusCreated, nil)
		s.Record(call())
		time.Sleep(2 * idle)
		stop()
		if taken, _ := a.count(); taken != 1 || seen.Len() != 1 {
			t.Errorf("%d records arrived, %d errors were logged", taken, seen.Len())
		}
		if err := queue.Destruct(); err != nil {
			t.Fatal(err)
		}
		again := sinkTo(a, NewQueue(dir), 1<<20, nil)
		stop = run(again)
		time.Sleep(2 * idle)
		stop()
		if taken, _ := a.count(); taken != 4 || again.cfg.Queue.bytes() != 0 {
			t.Errorf("%d of 4 records arrived, %d bytes are left", taken, again.cfg.Queue.bytes())
		}
	})
}

// A 429 and a wrong key are waited out, for as long as WorkOS says.
func TestWorkOSAsksUsToStayAway(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header http.Header
		calls  int // at most, in ten minutes
	}{
		"too many":  {http.StatusTooManyRequests, http.Header{"Retry-After": {"300"}}, 3},
		"wrong key": {http.StatusUnauthorized, nil, 50},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAPI()
				a.set(c.status, c.header)
				s := sinkTo(a, NewQueue(t.TempDir()), 1<<20, nil)
				stop := run(s)
				s.Record(call())
				time.Sleep(10 * time.Minute)
				if _, calls := a.count(); calls == 0 || calls > c.calls {
					t.Errorf("WorkOS was called %d times", calls)
				}
				a.set(http.StatusCreated, nil)
				time.Sleep(10 * time.Minute)
				stop()
				if taken, _ := a.count(); taken != 1 {
					t.Errorf("%d records arrived", taken)
				}
			})
		})
	}
}

// Two sinks share a queue while one configuration replaces another; another process is kept out.
func TestTwoSinksOfOneQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		dir := t.TempDir()
		queue := NewQueue(dir)
		old, next := sinkTo(a, queue, 1<<20, nil), sinkTo(a, queue, 1<<20, nil)
		stopOld, stopNext := run(old), run(next)
		for range 100 {
			old.Record(call())
			next.Record(call())
		}
		if err := NewQueue(dir).put([]byte("x\n"), 1<<20); !errors.Is(err, errLocked) {
			t.Errorf("another process: %v", err)
		}
		time.Sleep(3 * idle)
		stopOld()
		old.Record(call())
		time.Sleep(3 * idle)
		stopNext()
		if taken, _ := a.count(); taken != 201 || queue.bytes() != 0 {
			t.Errorf("%d of 201 records arrived, %d bytes are left", taken, queue.bytes())
		}
	})
}

// FuzzQueue holds that whatever lies in the directory, the queue opens, and what is put into it comes out.
func FuzzQueue(f *testing.F) {
	f.Add("00000000000000000001.jsonl", []byte("{\"key\":\"a\"}\n{\"key"))
	f.Add("refused-00000000000000000001.jsonl", []byte("x\ny\n"))
	f.Add("-0000000000000000001.jsonl", []byte(""))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		dir := t.TempDir()
		if filepath.IsLocal(name) && filepath.Base(name) == name && name != "lock" && !strings.ContainsRune(name, 0) {
			_ = os.WriteFile(filepath.Join(dir, name), content, 0o600)
		}
		q := NewQueue(dir)
		if err := q.put([]byte("mine\n"), 1<<20); err != nil {
			t.Fatal(err)
		}
		for range 4 {
			segment, err := q.oldest()
			if err != nil || segment == "" {
				t.Fatalf("%q, %v", segment, err)
			}
			lines, err := q.read(segment)
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) > 0 && lines[len(lines)-1] == "mine\n" {
				return
			}
			if err := q.remove(segment, nil); err != nil {
				t.Fatal(err)
			}
		}
		t.Error("what was put did not come out")
	})
}

func BenchmarkRecord(b *testing.B) {
	s, r := sinkTo(newAPI(), NewQueue(b.TempDir()), 1<<40, nil), call()
	b.ReportAllocs()
	for b.Loop() {
		s.Record(r)
	}
}
