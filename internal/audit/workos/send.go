package workos

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/workos/workos-go/v4/pkg/auditlogs"
	"github.com/workos/workos-go/v4/pkg/workos_errors"
	"go.uber.org/zap"
)

const (
	// idle is how often the queue is looked at while it is empty, and how often it is synced.
	idle = time.Second
	// senders is how many records are under way at a time.
	senders = 32
	// sendTimeout bounds one request.
	sendTimeout = 10 * time.Second
	// firstWait and longestWait are between two tries while WorkOS does not take anything.
	firstWait   = 500 * time.Millisecond
	longestWait = 30 * time.Second
)

// sendAll sends lines, until each is taken or refused, and returns those that WorkOS refuses. It fails only if ctx ends.
func (s *Sink) sendAll(ctx context.Context, lines []string) (refused []string, err error) {
	work := make(chan string)
	var mu sync.Mutex
	var busy sync.WaitGroup
	for range min(senders, len(lines)) {
		busy.Go(func() {
			for line := range work {
				if s.send(ctx, line) {
					continue
				}
				mu.Lock()
				refused = append(refused, line)
				mu.Unlock()
			}
		})
	}
	for _, line := range lines {
		select {
		case work <- line:
		case <-ctx.Done():
		}
	}
	close(work)
	busy.Wait()
	return refused, ctx.Err()
}

// send sends one line, however long that takes, and reports whether it was taken. A line that can't be read counts as taken: nobody could.
func (s *Sink) send(ctx context.Context, line string) bool {
	var e entry
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		s.log.Error("an audit record in the queue for WorkOS can't be read", zap.Error(err))
		return true
	}
	for wait := firstWait; s.pace.wait(ctx, s.cfg.Now); wait = min(2*wait, longestWait) {
		err := s.client.CreateEvent(ctx, auditlogs.CreateEventOpts{OrganizationID: e.Org, Event: e.Event, IdempotencyKey: e.Key})
		if err == nil {
			s.pace.succeeded(s.log)
			return true
		}
		if ctx.Err() != nil {
			break
		}
		var answer workos_errors.HTTPError
		if errors.As(err, &answer) && refuses(answer.Code) {
			s.pace.refused(s.log, s.cfg.Now(), &e, &answer)
			return false
		}
		s.pace.failed(s.log, s.cfg.Now(), jitter(wait), &answer, err)
	}
	return false
}

// refuses reports whether an answer says that this very record is not taken, also later. A wrong API key is no such thing, nor is too
// much at a time.
func refuses(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status < 500
}

// jitter spreads a wait, so that gateways don't come back in one instant.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

// pace holds all senders back while WorkOS does not take anything. The zero value holds nobody back.
type pace struct {
	mu       sync.Mutex
	until    time.Time
	asked    time.Duration // how long the last answer asked us to stay away
	down     bool
	reported time.Time // when a refusal was last logged
}

// wait returns when it is time to send; false if ctx ends first.
func (p *pace) wait(ctx context.Context, now func() time.Time) bool {
	for {
		p.mu.Lock()
		left := p.until.Sub(now())
		p.mu.Unlock()
		if left <= 0 {
			return ctx.Err() == nil
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// succeeded notes that WorkOS takes records.
func (p *pace) succeeded(log *zap.Logger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		log.Info("WorkOS takes audit records again")
	}
	p.down, p.until = false, time.Time{}
}

// failed notes that WorkOS takes none for now. The SDK's errors hold what was sent, so little of them is logged.
func (p *pace) failed(log *zap.Logger, now time.Time, wait time.Duration, answer *workos_errors.HTTPError, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.down {
		cause := zap.Int("status", answer.Code)
		if answer.Code == 0 {
			cause = zap.Error(err)
		}
		log.Warn("WorkOS does not take audit records now; they are kept and will be sent later", cause)
	}
	p.down = true
	if until := now.Add(max(wait, min(p.asked, time.Hour))); until.After(p.until) {
		p.until = until
	}
}

// refused logs that a record was refused, at most once a minute: mostly it is one cause for all of them.
func (p *pace) refused(log *zap.Logger, now time.Time, e *entry, answer *workos_errors.HTTPError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.reported) < time.Minute {
		return
	}
	p.reported = now
	log.Error("WorkOS refuses an audit record; create the schemas of its actions. It is kept, and will be sent again after the next start or reload",
		zap.String("action", e.Event.Action), zap.Int("status", answer.Code), zap.String("code", answer.ErrorCode))
}

// listener notes how long answers ask us to stay away, which the SDK's errors leave out.
type listener struct {
	next http.RoundTripper
	pace *pace
	now  func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	var asked time.Duration // nothing, where no answer came
	if err == nil {
		asked = retryAfter(res.Header.Get("Retry-After"), l.now())
	}
	l.pace.mu.Lock()
	l.pace.asked = asked
	l.pace.mu.Unlock()
	return res, err
}

// retryAfter reads the header of that name (RFC 9110 section 10.2.3): seconds, or a date. What is neither is zero.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return at.Sub(now)
	}
	return 0
}
