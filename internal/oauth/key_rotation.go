package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// keyLead is how long a key is published before it signs, and how long after its last token it is kept: far longer than anybody keeps our
// key set (see serveJWKS) or a node signs without a look at what the others do (see keyReread).
const keyLead = time.Hour

// Key is a key that access tokens are signed with, as an operator sees it.
type Key struct {
	// ID is its kid in /jwks.
	ID string
	// From is when it signs, Until when it will be removed; zero while there is no key after it.
	From, Until time.Time
}

// clone returns a copy that can be changed.
func (set *keySet) clone() *keySet {
	return &keySet{Keys: slices.Clone(set.Keys), Pairwise: set.Pairwise}
}

// advance brings the keys to what they should be now, and reports whether that changed anything: the next one is there some time before it
// signs, and an old one until the last token signed with it has expired. ttl is how long tokens live.
func (set *keySet) advance(now time.Time, every, ttl time.Duration) (changed bool, err error) {
	slices.SortStableFunc(set.Keys, func(a, b storedKey) int { return b.From.Compare(a.From) })
	newest := &set.Keys[0]
	if newest.From.After(now.Add(keyLead + clockSkew)) {
		// The clock was ahead when it was made.
		newest.From, changed = now.Add(keyLead).UTC(), true
	}
	if !now.Before(newest.From.Add(every - keyLead)) {
		if err := set.add(now, now.Add(keyLead), ttl); err != nil {
			return false, err
		}
		changed = true
	}
	for i := range set.Keys {
		if key := &set.Keys[i]; key.TTL < ttl {
			key.TTL, changed = ttl, true
		}
		if !now.Before(set.Keys[i].From) {
			break // those after it sign no more
		}
	}
	kept := len(set.Keys)
	for kept > 1 && !now.Before(set.until(kept-1)) {
		kept--
	}
	changed = changed || kept < len(set.Keys)
	set.Keys = set.Keys[:kept]
	return changed, nil
}

// add puts a new key before the others.
func (set *keySet) add(now, from time.Time, ttl time.Duration) error {
	key, err := newKey(now, from, ttl)
	if err == nil {
		set.Keys = slices.Insert(set.Keys, 0, key)
	}
	return err
}

// until is when the key at i can be removed; zero for the newest.
func (set *keySet) until(i int) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return set.Keys[i-1].From.Add(set.Keys[i].TTL + keyLead)
}

// errKeysKept ends an update that has nothing to change.
var errKeysKept = errors.New("oauth: the keys are as they should be")

// change changes the record alone on all nodes. What it returns is what is kept, whoever was faster.
func (k *keyring) change(ctx context.Context, sealer *seal.Sealer, f func(*keySet) (bool, error)) (*keySet, []byte, error) {
	var set *keySet
	var sealed []byte
	var made []string
	err := k.server.cfg.Store.Update(ctx, kindKey, keyRecord, func(old []byte) ([]byte, time.Time, error) {
		if old == nil {
			return nil, time.Time{}, errors.New("oauth: the record of the signing keys has gone")
		}
		var err error
		if set, err = openKeySet(sealer, old); err != nil {
			return nil, time.Time{}, err
		}
		sealed, made = slices.Clone(old), nil
		before := set.clone()
		changed, err := f(set)
		if err != nil {
			return nil, time.Time{}, err
		}
		if !changed {
			return nil, time.Time{}, errKeysKept
		}
		for _, key := range set.Keys {
			if !slices.ContainsFunc(before.Keys, func(old storedKey) bool { return old.ID == key.ID }) {
				made = append(made, key.ID)
			}
		}
		plain, err := json.Marshal(set)
		if err != nil {
			return nil, time.Time{}, err
		}
		sealed = []byte(sealer.Seal(purposeKey, keyRecord, plain))
		return sealed, time.Time{}, nil
	})
	if err != nil && !errors.Is(err, errKeysKept) {
		return nil, nil, err
	}
	if err == nil {
		for _, id := range made {
			k.server.log.Info("a new key for access tokens was made", zap.String("kid", id))
		}
	}
	return set, sealed, nil
}

// RotateKeys begins the use of a new key. It is published at once and signs an hour later, unless there is such a key already. If the old
// ones are compromised, the new one signs at once and the others are gone: every access token that is out is refused, and agents
// get new ones with their refresh tokens. Other nodes hear of it within a minute, and within ten if they issue nothing.
//
// It returns the keys as they are then, newest first.
func (s *Server) RotateKeys(ctx context.Context, compromised bool) ([]Key, error) {
	k := &s.keys
	k.work.Lock()
	defer k.work.Unlock()
	if _, err := k.load(ctx); err != nil {
		return nil, err
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, err
	}
	set, sealed, err := k.change(ctx, sealer, func(set *keySet) (bool, error) {
		now := s.now()
		switch {
		case compromised:
			set.Keys = nil
			return true, set.add(now, now, s.cfg.AccessTTL)
		case set.Keys[0].From.After(now):
			return false, nil
		default:
			return true, set.add(now, now.Add(keyLead), s.cfg.AccessTTL)
		}
	})
	if err != nil {
		return nil, err
	}
	if _, err := k.use(set, sealed); err != nil {
		return nil, err
	}
	ev := &event{name: "rotate_keys", decision: decisionAllow}
	if compromised {
		ev.reason = "The old keys are compromised."
	}
	s.record(ev)
	keys := make([]Key, len(set.Keys))
	for i, key := range set.Keys {
		keys[i] = Key{ID: key.ID, From: key.From, Until: set.until(i)}
	}
	return keys, nil
}
