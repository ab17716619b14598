package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

// A person who ends what an agent may do means what the agent could get without asking again, too: at servers that were allowed
// besides, and by codes that nobody has redeemed yet. No list has all of that, so a mark says since when it counts no more. It
// is kept with the answers to page 3, under the person and the client, or no client for all of them.

// endConsents has what a person has agreed to until now count no more: that of a client, or of all if clientID is "".
func (s *Server) endConsents(ctx context.Context, p *identity.Person, clientID string) error {
	value, err := json.Marshal(consentRecord{At: s.now().UTC()})
	if err != nil {
		return err
	}
	return s.cfg.Store.Put(ctx, kindConsent, consentOf(p, clientID, ""), value, s.now().Add(rememberedTTL))
}

// ended reports whether what a person agreed to has been ended since. If that can't be found out, it has.
func (s *Server) ended(ctx context.Context, p *identity.Person, clientID string, agreed consentRecord) bool {
	for _, id := range []string{consentOf(p, clientID, ""), consentOf(p, "", "")} {
		value, err := s.cfg.Store.Get(ctx, kindConsent, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		var mark consentRecord
		if err == nil {
			err = json.Unmarshal(value, &mark)
		}
		if err != nil {
			s.log.Warn("a person's consent could not be read", zap.Error(err))
			return true
		}
		if !agreed.At.After(mark.At) {
			return true
		}
	}
	return false
}

// withoutClient takes all answers to page 1 about a client out of those that a browser remembers, whose answers went to one of some hosts,
// or which was proved by its key.
func withoutClient(list []remembered, clientID string, hosts ...string) []remembered {
	places := []string{shortDigest(clientID)}
	for _, host := range hosts {
		places = append(places, shortDigest(clientID, host))
	}
	return slices.DeleteFunc(list, func(e remembered) bool { return slices.Contains(places, e.Where) })
}
