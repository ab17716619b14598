package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Authorization codes (OAuth 2.1 section 4.1.2): 256 random bits, kept under their digest.
const (
	kindCode    = "code"
	purposeCode = "oauth-code"
	codeTTL     = time.Minute
	// codeMemory is how long a used code is remembered, so that using it again is noticed.
	codeMemory = 10 * time.Minute
	maxCode    = 128
)

// codeRecord is what a code stands for.
type codeRecord struct {
	Client    string    `json:"client"`
	Redirect  string    `json:"redirect_uri"`
	Challenge string    `json:"challenge"`
	Resource  string    `json:"resource"`
	Scope     string    `json:"scope"`
	Login     string    `json:"login,omitempty"` // sealed; gone once the code is used
	Expires   time.Time `json:"expires"`
	// Narrowing is what the person left the client; nil if all.
	Narrowing *policy.Narrowing `json:"narrowing,omitempty"`
	// Grant is what came of the code; empty while it is unused.
	Grant string `json:"grant,omitempty"`
}

// Errors of codes. The client is told invalid_grant whichever it is.
var (
	errNoCode     = errors.New("the code is unknown or has expired")
	errCodeClient = errors.New("the code was issued to another client")
	errCodeProof  = errors.New("the code_verifier or the redirect_uri is not that of the authorization request")
	errCodeUsed   = errors.New("the code was used before")
)

// newCode makes a code for a login, with what the person left the client, and keeps it.
func (s *Server) newCode(ctx context.Context, sealer *seal.Sealer, req *authRequest, l *login, left *policy.Narrowing) (string, error) {
	code := codePrefix + randomText(32)
	id := digest(code)
	plain, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	expires := s.now().Add(codeTTL)
	value, err := json.Marshal(codeRecord{
		Client: req.Client, Redirect: req.Redirect, Challenge: req.Challenge, Resource: req.Resource, Scope: req.Scope,
		Login: sealer.Seal(purposeCode, id, plain), Expires: expires.UTC(), Narrowing: left,
	})
	if err != nil {
		return "", err
	}
	return code, s.cfg.Store.Put(ctx, kindCode, id, value, expires)
}

// redemption is what a client shows to have a code redeemed.
type redemption struct {
	id       string // digest of the code
	client   string
	redirect string // may be empty: OAuth 2.1 has dropped it, and PKCE does its work
	verifier string
}

// lookup reads a code and checks that it is this client's to redeem. A code that was used is errCodeUsed, and then the
// record says what came of it; whoever can't prove to be the one it was for only learns that it is no good.
func (s *Server) lookupCode(ctx context.Context, red redemption) (*codeRecord, error) {
	value, err := s.cfg.Store.Get(ctx, kindCode, red.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoCode
	}
	if err != nil {
		return nil, err
	}
	return s.checkCode(value, red)
}

// checkCode judges one state of a code's record.
func (s *Server) checkCode(value []byte, red redemption) (*codeRecord, error) {
	var rec codeRecord
	if err := json.Unmarshal(value, &rec); err != nil {
		return nil, err
	}
	switch {
	case rec.Client != red.client:
		return nil, errCodeClient
	case red.redirect != "" && red.redirect != rec.Redirect, !verifyChallenge(red.verifier, rec.Challenge):
		return nil, errCodeProof
	case rec.Grant != "":
		return &rec, errCodeUsed
	case !s.now().Before(rec.Expires):
		return nil, errNoCode
	}
	return &rec, nil
}

// useCode marks a code as used, with the grant that comes of it. Of several calls exactly one succeeds, on all nodes, and
// also if a node dies: the mark is durable before anything is answered.
func (s *Server) useCode(ctx context.Context, red redemption, grantID string) (*codeRecord, error) {
	var rec *codeRecord
	err := s.cfg.Store.Update(ctx, kindCode, red.id, func(old []byte) ([]byte, time.Time, error) {
		if old == nil {
			return nil, time.Time{}, errNoCode
		}
		var err error
		if rec, err = s.checkCode(old, red); err != nil {
			return nil, time.Time{}, err
		}
		used := *rec
		used.Login, used.Grant = "", grantID
		next, err := json.Marshal(used)
		return next, s.now().Add(codeMemory), err
	})
	return rec, err
}

// openLogin unseals the login that a code stands for.
func openLogin(sealer *seal.Sealer, id string, rec *codeRecord) (*login, error) {
	plain, err := sealer.Open(purposeCode, id, rec.Login)
	if err != nil {
		return nil, err
	}
	var l login
	if err := json.Unmarshal(plain, &l); err != nil {
		return nil, err
	}
	if l.Person == nil {
		return nil, errNoCode
	}
	return &l, nil
}
