package oauth

import (
	"maps"
	"sync"
	"time"
)

// tokensPerShard bounds how many tokens are remembered, see knownTokens.
const tokensPerShard = 256

// forgettable is a token that was found good.
type forgettable interface {
	comparable
	// expired reports whether nobody needs it any more.
	expired(now time.Time) bool
}

// knownTokens are those that were found good, by a hash of what they are found by. Finding one takes a read lock of one shard.
// Whoever finds one compares all of it: a hash alone would let one token pass for another. It is safe for concurrent use.
type knownTokens[T forgettable] struct {
	shards [cacheShards]struct {
		sync.RWMutex
		m map[uint64]T
	}
}

// find returns the token with a hash, the zero T if there is none.
func (s *knownTokens[T]) find(hash uint64) T {
	shard := &s.shards[hash%cacheShards]
	shard.RLock()
	defer shard.RUnlock()
	return shard.m[hash]
}

// put remembers a token. A full shard first loses what has expired, and if that is nothing, any one of its tokens.
func (s *knownTokens[T]) put(hash uint64, t T, now time.Time) {
	shard := &s.shards[hash%cacheShards]
	shard.Lock()
	defer shard.Unlock()
	if shard.m == nil {
		shard.m = make(map[uint64]T)
	}
	if len(shard.m) >= tokensPerShard {
		dropExpired(shard.m, now)
	}
	if len(shard.m) >= tokensPerShard {
		for k := range shard.m {
			delete(shard.m, k)
			break
		}
	}
	shard.m[hash] = t
}

// prune drops the tokens that have expired.
func (s *knownTokens[T]) prune(now time.Time) {
	s.drop(func(t T) bool { return t.expired(now) })
}

// drop drops some of them.
func (s *knownTokens[T]) drop(some func(T) bool) {
	for i := range s.shards {
		shard := &s.shards[i]
		shard.Lock()
		maps.DeleteFunc(shard.m, func(_ uint64, t T) bool { return some(t) })
		shard.Unlock()
	}
}

// clear drops all of them.
func (s *knownTokens[T]) clear() {
	for i := range s.shards {
		shard := &s.shards[i]
		shard.Lock()
		clear(shard.m)
		shard.Unlock()
	}
}

func dropExpired[T forgettable](m map[uint64]T, now time.Time) {
	for k, t := range m {
		if t.expired(now) {
			delete(m, k)
		}
	}
}
