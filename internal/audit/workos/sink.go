// Package workos sends audit records to WorkOS Audit Logs. They are kept in a queue on disk until WorkOS has taken them, so that an outage or a
// restart loses none. What is sent twice counts once, by its idempotency key, if that happens within 24 hours.
package workos

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/workos/workos-go/v4/pkg/auditlogs"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
)

// Config is what New needs.
type Config struct {
	// APIKey is the environment's secret key, resolved.
	APIKey string
	// BaseURL is where WorkOS' API is, without a slash at its end.
	BaseURL string
	// Queue is where records wait.
	Queue *Queue
	// MaxSize is how long the queue may get, in bytes.
	MaxSize int64
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger may be nil.
	Logger *zap.Logger
	// HTTPClient may be nil. Redirects are never followed, since requests carry the API key.
	HTTPClient *http.Client
}

// Sink is an audit.Sink. It touches neither the disk nor the network before its first record, or Run. Safe for concurrent use.
type Sink struct {
	cfg    Config
	client *auditlogs.Client
	log    *zap.Logger

	lost    atomic.Int64 // records that could not be kept
	warned  atomic.Int64 // when that was said last, in Unix seconds
	trouble atomic.Pointer[trouble]
	pace    pace
}

// trouble is why the last record could not be kept.
type trouble struct {
	err error
	at  time.Time
}

// troubleTime is how long Blocked takes the disk's trouble for lasting.
const troubleTime = 5 * time.Second

// New makes a sink.
func New(cfg Config) *Sink {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	s := &Sink{cfg: cfg, log: cfg.Logger}
	client := new(http.Client)
	if cfg.HTTPClient != nil {
		*client = *cfg.HTTPClient
	}
	if client.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = senders
		client.Transport = t
	}
	client.Transport = &listener{client.Transport, &s.pace, cfg.Now}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Timeout = sendTimeout
	s.client = &auditlogs.Client{APIKey: cfg.APIKey, HTTPClient: client, EventsEndpoint: cfg.BaseURL + "/audit_logs/events"}
	return s
}

// entry is a line of the queue.
type entry struct {
	Key   string          `json:"key"` // of idempotency
	Org   string          `json:"org"`
	Event auditlogs.Event `json:"event"`
}

// Record implements audit.Sink. Records without an organization of WorkOS are left to the log, since WorkOS takes none without.
func (s *Sink) Record(r *audit.Record) {
	if !strings.HasPrefix(r.Org, "org_") {
		return
	}
	line, err := json.Marshal(entry{Key: rand.Text(), Org: r.Org, Event: eventOf(r, s.cfg.Now())})
	if err == nil {
		err = s.cfg.Queue.put(append(line, '\n'), s.cfg.MaxSize)
	}
	if err == nil {
		return
	}
	s.trouble.Store(&trouble{err, s.cfg.Now()})
	s.lose(err)
}

// Blocked says why records can't be kept now, or nil if they can, as far as is known. It costs next to nothing while they can.
func (s *Sink) Blocked() error {
	t := s.trouble.Load()
	switch {
	case t == nil:
		return nil
	case errors.Is(t.err, ErrFull) && s.cfg.Queue.bytes()+segmentSize > s.cfg.MaxSize,
		!errors.Is(t.err, ErrFull) && s.cfg.Now().Sub(t.at) < troubleTime:
		return t.err
	}
	s.trouble.CompareAndSwap(t, nil)
	return nil
}

// lose says that a record reaches WorkOS no more, at most every minute.
func (s *Sink) lose(reason error) {
	lost, now := s.lost.Add(1), s.cfg.Now().Unix()
	if last := s.warned.Load(); now-last >= 60 && s.warned.CompareAndSwap(last, now) {
		s.log.Error("audit records are not kept for WorkOS; they are in the log alone", zap.Int64("lost", lost), zap.Error(reason))
	}
}

// Run sends what is in the queue, oldest first, until ctx ends, and at last what WorkOS would not take before.
func (s *Sink) Run(ctx context.Context) {
	if err := s.cfg.Queue.requeue(); err != nil {
		s.log.Error("audit records that WorkOS would not take before can't be sent again", zap.Error(err))
	}
	var syncing sync.WaitGroup
	defer syncing.Wait()
	syncing.Go(func() { s.syncQueue(ctx) })
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for {
		sent, err := s.sendOldest(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("the queue of audit records for WorkOS can't be read or written", zap.Error(err))
		case sent:
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// syncQueue has what was recorded outlive a power failure, every second until ctx ends.
func (s *Sink) syncQueue(ctx context.Context) {
	tick := time.NewTicker(idle)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.cfg.Queue.sync(); err != nil {
				s.log.Error("audit records for WorkOS may not outlive a power failure", zap.Error(err))
			}
		}
	}
}

// sendOldest sends the oldest segment, and reports whether there was one.
func (s *Sink) sendOldest(ctx context.Context) (bool, error) {
	q := s.cfg.Queue
	name, err := q.oldest()
	if name == "" || err != nil {
		return false, err
	}
	lines, err := q.read(name)
	if err != nil {
		return false, err
	}
	refused, err := s.sendAll(ctx, lines)
	if err != nil {
		return false, nil // ctx has ended; all of it is sent again, and counts once
	}
	if err := q.remove(name, refused); err != nil {
		return false, fmt.Errorf("sent segment %s: %w", name, err)
	}
	return true, nil
}
