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

// What an identity provider says reaches one node, and concerns all. So it is written into one record, the news, which each node that
// knows of any grants reads twice a second: what is said of people makes it forget their grants, which are then read again with the
// next message, and makes their roles too old to be used without asking.
//
// News are kept for as long as roles read before them would be good otherwise, also for nodes that start meanwhile.
const (
	kindNews = "news"
	newsID   = "identity"
	// newsInterval is how often a node looks for news of others.
	newsInterval = 500 * time.Millisecond
	// maxNews bounds the record. Where more has happened, the oldest become one piece of news about everybody.
	maxNews = 256
	// maxMarks bounds what a node remembers.
	maxMarks = 4096
)

// newsEntry is one piece of news: what was read of these people before At may not be so any more. An empty Person is everybody, or
// everybody in Org; an empty Provider is everybody of all.
type newsEntry struct {
	Seq      uint64    `json:"seq"`
	At       time.Time `json:"at"`
	Provider string    `json:"provider,omitempty"`
	Person   string    `json:"person,omitempty"`
	Org      string    `json:"org,omitempty"`
}

// newsRecord is what is kept, oldest first.
type newsRecord struct {
	Entries []newsEntry `json:"entries"`
}

// whom is whom a piece of news is about.
type whom struct{ provider, person, org string }

func (e *newsEntry) whom() whom { return whom{e.Provider, e.Person, e.Org} }

// about reports whether a piece of news is about a person.
func (w whom) about(p *identity.Person) bool {
	return (w.provider == "" || w.provider == p.Provider) && (w.person == "" || w.person == p.ID) && (w.org == "" || w.org == p.Org)
}

// news is what a node has heard. The zero value is ready for use.
type news struct {
	mu    sync.RWMutex
	seen  uint64
	marks map[whom]time.Time
	once  sync.Once
	told  chan struct{} // this node was told something itself
}

// bell is what rings when this node was told something itself.
func (n *news) bell() chan struct{} {
	n.once.Do(func() { n.told = make(chan struct{}, 1) })
	return n.told
}

// ring has Listen say that there is news.
func (n *news) ring() {
	select {
	case n.bell() <- struct{}{}:
	default: // it rings already
	}
}

// take remembers what is new of a record, and forgets what is older than keep. It returns what is new.
func (n *news) take(rec newsRecord, now time.Time, keep time.Duration) (fresh []whom) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range rec.Entries {
		if e.Seq <= n.seen {
			continue
		}
		n.seen = e.Seq
		fresh = append(fresh, e.whom())
		n.mark(e.whom(), e.At)
	}
	if len(fresh) == 0 {
		return nil
	}
	for w, at := range n.marks {
		if now.Sub(at) > keep {
			delete(n.marks, w)
		}
	}
	if len(n.marks) > maxMarks {
		var last time.Time
		for _, at := range n.marks {
			if at.After(last) {
				last = at
			}
		}
		n.marks = map[whom]time.Time{{}: last}
	}
	return fresh
}

// mark notes that there was news at a time. The caller holds the lock.
func (n *news) mark(w whom, at time.Time) {
	if n.marks == nil {
		n.marks = make(map[whom]time.Time)
	}
	if at.After(n.marks[w]) {
		n.marks[w] = at
	}
}

// since reports whether there was news of a person after what is known of them was read.
func (n *news) since(p *identity.Person, read time.Time) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if len(n.marks) == 0 {
		return false
	}
	for _, w := range [...]whom{
		{p.Provider, p.ID, ""}, {p.Provider, p.ID, p.Org}, {p.Provider, "", p.Org}, {p.Provider, "", ""}, {},
	} {
		if n.marks[w].After(read) {
			return true
		}
	}
	return false
}

// tell writes news for all nodes, and acts on it on this one.
func (s *Server) tell(ctx context.Context, e newsEntry) error {
	var rec newsRecord
	err := s.cfg.Store.Update(ctx, kindNews, newsID, func(old []byte) ([]byte, time.Time, error) {
		now := s.now().UTC()
		rec = decodeNews(old).without(now.Add(-s.cfg.IdentityRefresh))
		for _, earlier := range rec.Entries {
			e.Seq = max(e.Seq, earlier.Seq)
		}
		// After a time without news the record is gone; a number by the clock is higher than those that it had.
		e.Seq = max(e.Seq+1, uint64(now.UnixMicro()))
		rec.Entries = append(rec.Entries, e)
		next, err := json.Marshal(rec.shortened())
		return next, now.Add(s.cfg.IdentityRefresh), err
	})
	if err != nil {
		return err
	}
	s.act(rec)
	s.news.ring()
	return nil
}

// hear reads the news, and reports whether there was any.
func (s *Server) hear(ctx context.Context) (bool, error) {
	value, err := s.cfg.Store.Get(ctx, kindNews, newsID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.act(decodeNews(value)), nil
}

// act remembers a record, and forgets the grants of those who are in the news. It reports whether anything was new.
func (s *Server) act(rec newsRecord) bool {
	fresh := s.news.take(rec, s.now(), s.cfg.IdentityRefresh)
	if len(fresh) == 0 {
		return false
	}
	inNews := func(p *identity.Person) bool {
		for _, w := range fresh {
			if w.about(p) {
				return true
			}
		}
		return false
	}
	s.cache.forgetPeople(inNews)
	s.directory.doubtPeople(inNews, s.now(), s.cfg.IdentityRefresh)
	s.accepting.tokens.drop(func(t *acceptedToken) bool { return t.via.Directory != nil })
	return true
}

// Listen looks for news of the identity providers until ctx ends, and calls heard when there was some, so that streams which are open can be
// compared with their grants. While this node knows of no grant, it looks nowhere.
func (s *Server) Listen(ctx context.Context, heard func()) {
	tick := time.NewTicker(newsInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.news.bell():
			heard()
		case <-tick.C:
			if s.cache.empty() && s.directory.empty() {
				continue
			}
			any, err := s.hear(ctx)
			if err != nil && !failing && ctx.Err() == nil {
				s.log.Warn("what identity providers said to other nodes can't be read; it will be tried again", zap.Error(err))
			}
			if failing = err != nil; any {
				heard()
			}
		}
	}
}

// decodeNews reads a record. One that can't be read is as good as none: roles are then read anew when they are old.
func decodeNews(value []byte) newsRecord {
	var rec newsRecord
	if json.Unmarshal(value, &rec) != nil {
		return newsRecord{}
	}
	return rec
}

// without leaves out what is from before a time.
func (r newsRecord) without(before time.Time) newsRecord {
	var kept newsRecord
	for _, e := range r.Entries {
		if e.At.After(before) {
			kept.Entries = append(kept.Entries, e)
		}
	}
	return kept
}

// shortened makes the oldest entries one about everybody, if there are too many. It has the number and time of the newest of them, so
// that nobody misses what was in them.
func (r newsRecord) shortened() newsRecord {
	over := len(r.Entries) - maxNews
	if over <= 0 {
		return r
	}
	last := r.Entries[over]
	return newsRecord{append([]newsEntry{{Seq: last.Seq, At: last.At}}, r.Entries[over+1:]...)}
}
