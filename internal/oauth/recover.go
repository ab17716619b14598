package oauth

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// Recover asks identity providers again about people whom a node was asking about when it died. The answer that was lost may have held the only
// session that works now, and a provider gives it again for a short time only: WorkOS for 30 seconds. It is for the start of a
// process, and returns when it is done or ctx ends.
func (s *Server) Recover(ctx context.Context) {
	// What the provider has said meanwhile is a reason to ask, too.
	if _, err := s.hear(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("what identity providers said to other nodes can't be read; it will be tried again", zap.Error(err))
	}
	var lost []string
	err := s.cfg.Store.List(ctx, kindGrant, func(id string, value []byte) error {
		if g, err := s.decodeGrant(value); err == nil && !g.Asking.IsZero() {
			lost = append(lost, id)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.log.Warn("some grants can't be read", zap.Error(err))
	}
	// One that is being read by a node that lives is done, or marked anew, when its mark would have ended.
	for patience := time.NewTimer(0); len(lost) > 0; patience.Reset(time.Second) {
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
		}
		var waiting []string
		for _, id := range lost {
			if s.stillLost(ctx, id) {
				waiting = append(waiting, id)
			}
		}
		lost = waiting
	}
}

// stillLost asks about the person of a grant, unless another node may be doing so, and reports whether it may.
func (s *Server) stillLost(ctx context.Context, id string) bool {
	g, err := s.loadGrant(ctx, id)
	if err != nil || g.Asking.IsZero() {
		return false
	}
	if s.ahead(g.Asking, askingTTL) {
		return true
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return false
	}
	if p, err := openPerson(sealer, id, g); err == nil {
		s.askAnew(ctx, id, g, p, true)
	}
	return false
}
