package foreign

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

// maxAsking is how many tokens an issuer is asked about at once.
const maxAsking = 32

// unsaidLife is how long a token is taken to live whose issuer doesn't say (exp is optional in RFC 7662 section 2.2). It is asked
// about again all the time.
const unsaidLife = time.Hour

// introspect asks the issuer about a token (RFC 7662).
func (i *Issuer) introspect(ctx context.Context, token string) (*Token, error) {
	select {
	case i.asking <- struct{}{}:
		defer func() { <-i.asking }()
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
	address := i.cfg.Introspection
	if address == "" {
		var err error
		address, err = i.elsewhere.Endpoint(ctx, "introspection_endpoint", func(m *issuer.Metadata) string { return m.Introspection })
		if err != nil {
			return nil, i.cannotAsk(err)
		}
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, i.cannotAsk(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// RFC 6749 section 2.3.1 has both halves form-encoded.
	r.SetBasicAuth(url.QueryEscape(i.cfg.ClientID), url.QueryEscape(i.cfg.ClientSecret))
	claims := make(issuer.Claims)
	err = i.elsewhere.Do(r, &claims)
	if refused := new(issuer.StatusError); errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		// That is what some say of a token of another kind.
		return nil, invalid("its issuer can't read it")
	}
	if err != nil {
		return nil, i.cannotAsk(err)
	}
	return i.judge(claims)
}

// cannotAsk makes an ErrUnavailable, and tells the operator.
func (i *Issuer) cannotAsk(err error) error {
	refused := new(issuer.StatusError)
	if errors.As(err, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden) {
		i.log().Error("an authorization server refuses our client_id or client_secret", zap.String("issuer", i.cfg.Issuer), zap.Error(err))
	} else {
		i.log().Warn("an authorization server could not be asked about a token", zap.String("issuer", i.cfg.Issuer), zap.Error(err))
	}
	return unavailable(err)
}

// judge reads what the issuer says (RFC 7662 section 2.2).
func (i *Issuer) judge(claims issuer.Claims) (*Token, error) {
	if claims["active"] != true {
		return nil, invalid("its issuer says that it is not good")
	}
	if name, has := claims["iss"]; has && name != i.cfg.Issuer {
		return nil, invalid("it is from another issuer")
	}
	// An issuer may answer for its refresh tokens, too: they have no audience, or another type.
	audience := audienceOf(claims)
	if len(audience) == 0 {
		return nil, invalid("it is for no resource")
	}
	if kind, has := claims["token_type"]; has {
		if text, _ := kind.(string); !strings.EqualFold(text, "Bearer") && !strings.EqualFold(text, "access_token") {
			return nil, invalid("it is not a bearer access token")
		}
	}
	if bound(claims) {
		return nil, invalid("it is bound to a key")
	}
	if reason := i.notNow(claims); reason != "" {
		return nil, invalid(reason)
	}
	expires := i.now().Add(unsaidLife)
	if value, has := claims["exp"]; has {
		seconds, ok := value.(float64)
		if expires = seconds2time(seconds); !ok || !i.now().Before(expires) {
			return nil, invalid("it has expired")
		}
	}
	if claims["sub"] == nil {
		// sub is that of a person, and need not be there for a client that acts for itself, which is its own subject then, as it is in
		// signed tokens (RFC 9068 section 2.2).
		claims["sub"] = claims["client_id"]
	}
	subject, ok := claims.Subject()
	if !ok {
		return nil, invalid("it names nobody")
	}
	return &Token{Subject: subject, Audience: audience, Expires: expires, Claims: claims}, nil
}

// audienceOf reads aud, which is a text or a list of texts (RFC 7519 section 4.1.3).
func audienceOf(claims issuer.Claims) []string {
	raw, err := json.Marshal(claims["aud"])
	if err != nil {
		return nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return slices.DeleteFunc(many, func(s string) bool { return s == "" })
}
