package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// Some identity providers say what has happened to people when they are asked, see identity.Feed. One node asks at a time, whichever is
// first to find that it is time. How far it has read is kept in the store, so that what happens while no node runs is read when one does.
const (
	// kindFeed keeps how far a provider's feed was read, by the provider's name.
	kindFeed = "feed"
	// feedTick is how often a node looks whether it is time.
	feedTick = time.Second
	// feedWindow is how far back a feed is read at most, unless roles may be older than that without being read anew.
	feedWindow = time.Hour
	// feedPages bounds how much is read at once.
	feedPages = 10
	// feedTimeout bounds reading it.
	feedTimeout = 30 * time.Second
	// maxFeedPause is how long a feed that fails is left alone at most.
	maxFeedPause = 5 * time.Minute
)

// errFeedRead says that another node has read the feed, or is reading it.
var errFeedRead = errors.New("another node reads the feed")

// feedRecord is how far a feed was read.
type feedRecord struct {
	// After is the last message that was read, and At when that was made.
	After string    `json:"after,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// Next is when to read on.
	Next time.Time `json:"next"`
}

// Follow reads the feeds of the identity providers that have one until ctx ends. While this node knows of no grant, it reads none. A feed
// that can't be read holds up nothing else: it is tried again, more and more seldom.
func (s *Server) Follow(ctx context.Context) {
	var busy sync.WaitGroup
	for _, p := range s.cfg.Providers {
		if feed, ok := p.(identity.Feed); ok {
			busy.Go(func() { s.follow(ctx, feed) })
		}
	}
	busy.Wait()
}

// follow reads one feed.
func (s *Server) follow(ctx context.Context, feed identity.Feed) {
	tick := time.NewTicker(feedTick)
	defer tick.Stop()
	var pause time.Duration // after a failure
	var until time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.cache.empty() && s.directory.empty() || s.ahead(until, maxFeedPause) {
			continue
		}
		err := s.readFeed(ctx, feed)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errFeedRead):
		case err == nil && pause > 0:
			s.log.Info("what the identity provider says of people can be read again", zap.String("provider", feed.Name()))
			pause, until = 0, time.Time{}
		case err != nil:
			if pause == 0 {
				s.log.Warn("what the identity provider says of people can't be read; it will be tried again, and until then roles and sessions are only as fresh as identity_refresh has them",
					zap.String("provider", feed.Name()), zap.Error(err))
			}
			pause = min(max(2*pause, feed.FeedInterval()), maxFeedPause)
			wait := pause
			if u, ok := errors.AsType[*identity.Unavailable](err); ok {
				wait = min(max(wait, u.RetryAfter), maxFeedPause)
			}
			until = s.now().Add(wait)
		}
	}
}

// readFeed reads what is new in a feed, and acts on it, if it is time. The errors are errFeedRead, the provider's and the store's.
func (s *Server) readFeed(ctx context.Context, feed identity.Feed) error {
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	// The store's lock is only taken if it is time.
	value, err := s.cfg.Store.Get(ctx, kindFeed, feed.Name())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if s.ahead(decodeFeed(value).Next, feed.FeedInterval()) {
		return errFeedRead
	}
	rec, err := s.updateFeed(ctx, feed, func(rec *feedRecord) error {
		if s.ahead(rec.Next, feed.FeedInterval()) {
			return errFeedRead
		}
		rec.Next = s.now().Add(feed.FeedInterval()).UTC()
		return nil
	})
	if err != nil {
		return err
	}
	for range feedPages {
		// Providers forget messages, and with them what comes after: one from before the window is not asked for.
		from := s.now().Add(-s.feedWindow())
		if rec.At.Before(from) {
			rec.After = ""
		}
		messages, more, err := feed.Since(ctx, rec.After, from)
		if err != nil || len(messages) == 0 {
			return err
		}
		for _, m := range messages {
			if err := s.actOn(ctx, feed.Name(), &m); err != nil {
				return err
			}
		}
		last := messages[len(messages)-1]
		rec, err = s.updateFeed(ctx, feed, func(rec *feedRecord) error {
			if !last.At.Before(rec.At) {
				rec.After, rec.At = last.ID, last.At
			}
			return nil
		})
		if err != nil || !more {
			return err
		}
		// Within one reading, the page goes on after its last message, however old that is.
		rec.After, rec.At = last.ID, s.now()
	}
	return nil
}

// feedWindow is how far back feeds are read.
func (s *Server) feedWindow() time.Duration { return max(feedWindow, s.cfg.IdentityRefresh) }

// updateFeed changes how far a feed was read.
func (s *Server) updateFeed(ctx context.Context, feed identity.Feed, change func(*feedRecord) error) (*feedRecord, error) {
	var rec feedRecord
	err := s.cfg.Store.Update(ctx, kindFeed, feed.Name(), func(old []byte) ([]byte, time.Time, error) {
		rec = decodeFeed(old)
		if err := change(&rec); err != nil {
			return nil, time.Time{}, err
		}
		next, err := json.Marshal(rec)
		// What is kept longer than the window says nothing.
		return next, s.now().Add(2 * s.feedWindow()), err
	})
	return &rec, err
}

// decodeFeed reads a record. One that can't be read is as good as none: the feed is then read from the beginning of the window.
func decodeFeed(value []byte) feedRecord {
	var rec feedRecord
	if json.Unmarshal(value, &rec) != nil {
		return feedRecord{}
	}
	return rec
}
