package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
)

// Bounds of the views that a policy keeps. When one is passed, all are let go and built again as they are asked for.
const (
	maxViews        = 1 << 14 // a gateway can have that many people who each left their agents something else
	maxViewPatterns = 1 << 20
	maxNewViews     = 64
)

// viewMemo holds the views that were asked for, by rights, narrowing and server. It is not changed: whoever adds a view makes
// another memo. That copies the new views only, and the others once in a while. nil is an empty memo.
type viewMemo struct {
	views    map[string]*View
	newer    map[string]*View // than those; few
	patterns int              // of all
}

// find returns the view of a key, nil if there is none.
func (m *viewMemo) find(key []byte) *View {
	if m == nil {
		return nil
	}
	if v := m.views[string(key)]; v != nil {
		return v
	}
	return m.newer[string(key)]
}

// size is how many views there are.
func (m *viewMemo) size() int { return len(m.views) + len(m.newer) }

// with returns a memo that has a view besides.
func (m *viewMemo) with(key string, v *View) *viewMemo {
	next := &viewMemo{newer: map[string]*View{key: v}, patterns: v.patterns}
	if m == nil || m.size() == maxViews || m.patterns+v.patterns > maxViewPatterns {
		return next
	}
	next.patterns += m.patterns
	if next.views = m.views; len(m.newer) < maxNewViews {
		maps.Copy(next.newer, m.newer)
		return next
	}
	next.views = make(map[string]*View, m.size())
	maps.Copy(next.views, m.views)
	maps.Copy(next.views, m.newer)
	return next
}

// remember builds and keeps the view for a key, unless another goroutine just has.
func (p *Policy) remember(key string, build func() *View) *View {
	p.viewing.Lock()
	defer p.viewing.Unlock()
	memo := p.views.Load()
	if v := memo.find([]byte(key)); v != nil {
		return v
	}
	v := build()
	id := sha256.Sum256(append(p.digest[:len(p.digest):len(p.digest)], key...))
	v.id = hex.EncodeToString(id[:16])
	p.views.Store(memo.with(key, v))
	return v
}
