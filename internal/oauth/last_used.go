package oauth

import (
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"time"

	"go.uber.org/zap"
)

// When a grant was last used is marked in memory, to the minute, since a call must not write to the store. The mark is kept with
// whatever else is written of the grant, and now and then by itself: what a crash loses is some minutes of it.
const (
	// usePrecision is how exact a mark is.
	usePrecision = time.Minute
	// useSaved is how much newer than what is kept a mark has to be to be kept by itself.
	useSaved = 15 * time.Minute
	// maxSavedUses is how many are kept by themselves at a time.
	maxSavedUses = 500
)

// use marks that the grant is used now. Most of the time, it only reads.
func (g *cachedGrant) use(now time.Time) {
	if mark := now.Unix() / int64(usePrecision/time.Second); g.used.Load() != mark {
		g.used.Store(mark)
	}
}

// markTime is the time of a mark; zero for none.
func markTime(mark int64) time.Time {
	if mark == 0 {
		return time.Time{}
	}
	return time.Unix(mark*int64(usePrecision/time.Second), 0).UTC()
}

// used is when this node last saw a grant used, as far as it remembers; zero if it does not.
func (c *cache) used(id string) time.Time {
	shard := &c.grants[maphash.String(c.seed, id)%cacheShards]
	shard.Lock()
	g := shard.m[id]
	shard.Unlock()
	if g == nil {
		return time.Time{}
	}
	return markTime(g.used.Load())
}

// unsaved returns some of the grants whose marks are to be kept, and takes them for kept.
func (c *cache) unsaved(limit int) (ids []string) {
	for i := range c.grants {
		shard := &c.grants[i]
		shard.Lock()
		for id, g := range shard.m {
			if len(ids) >= limit {
				break
			}
			mark := g.used.Load()
			if !strings.HasPrefix(id, machineGrant) && markTime(mark).Sub(markTime(g.saved)) >= useSaved {
				g.saved = mark
				ids = append(ids, id)
			}
		}
		shard.Unlock()
	}
	return ids
}

// saveUses keeps the marks that have not been kept for a while.
func (s *Server) saveUses(ctx context.Context) {
	for _, id := range s.cache.unsaved(maxSavedUses) {
		_, err := s.updateGrant(ctx, id, func(*grantRecord) error { return nil })
		if err != nil && !errors.Is(err, errNoGrant) {
			s.log.Warn("when a grant was last used could not be kept", zap.Error(err))
			return
		}
	}
}
