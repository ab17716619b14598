package oauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
)

// However many grants are alive, each identity provider is asked at a steady pace that its own limits are far above, and is left alone while
// it is down or asks for it.
const (
	// askRate and askBurst are how often one provider is asked in a second by this node, and how often at once. With grants' roles read anew
	// every five minutes, this is enough for 10,000 of them.
	askRate  = 50
	askBurst = 50
	// askFailures is how many calls in a row may fail before a provider is taken to be down: from then on it is asked once every askPause.
	askFailures = 3
	askPause    = 5 * time.Second
	// maxAskPause bounds for how long one answer can keep a provider from being asked about other people.
	maxAskPause = time.Minute
)

// errPaced says that the provider is not to be asked just now.
var errPaced = errors.New("the identity provider is left alone for the moment")

// paces are those of the providers, by name. The zero value is ready for use.
type paces struct {
	mu sync.Mutex
	of map[string]*pace
}

// find returns the pace of a provider.
func (p *paces) find(provider string) *pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = make(map[string]*pace)
	}
	if p.of[provider] == nil {
		p.of[provider] = &pace{limiter: rate.NewLimiter(askRate, askBurst)}
	}
	return p.of[provider]
}

// pace is how often one provider may be asked.
type pace struct {
	limiter  *rate.Limiter
	mu       sync.Mutex
	failures int
	until    time.Time // it is left alone
}

// may reports whether the provider may be asked now, and takes its turn if so. Somebody whose roles can't be used without the answer is
// urgent: they wait for their turn, unless the provider is down. The errors are errPaced and the context's.
func (p *pace) may(ctx context.Context, now time.Time, urgent bool) error {
	if !p.up(now) {
		return errPaced
	}
	if !urgent {
		if !p.limiter.AllowN(now, 1) {
			return errPaced
		}
		return nil
	}
	turn := p.limiter.ReserveN(now, 1)
	timer := time.NewTimer(turn.DelayFrom(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		turn.CancelAt(now)
		return ctx.Err()
	}
}

// up reports whether the provider may be up. While it seems down, it lets one caller try in every askPause.
func (p *pace) up(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	// One that is further away than it can have been set was set by a clock that was wrong.
	if left := p.until.Sub(now); left > 0 && left <= maxAskPause {
		return false
	}
	if p.failures >= askFailures {
		p.until = now.Add(askPause)
	}
	return true
}

// answered notes what came of a call. Only a provider that could not answer is left alone; one that ends a session has answered.
func (p *pace) answered(now time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !errors.Is(err, identity.ErrUnavailable) {
		p.failures, p.until = 0, time.Time{}
		return
	}
	p.failures++
	if p.failures >= askFailures {
		p.until = now.Add(askPause)
	}
	if u, ok := errors.AsType[*identity.Unavailable](err); ok && u.RetryAfter > 0 {
		p.until = now.Add(min(u.RetryAfter, maxAskPause))
	}
}
