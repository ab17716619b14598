package oidc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/issuer"
)

const (
	// signInTimeout bounds a whole Finish, which may take several calls.
	signInTimeout = 25 * time.Second
	// maxCode bounds an authorization code, in bytes.
	maxCode = 4096
	// clockSkew is how far the provider's clock may be from ours.
	clockSkew = time.Minute
)

// Start implements identity.Redirector. The secret is the PKCE verifier (RFC 7636), and when the person has to sign in anew, since
// when. The nonce is made of the verifier, so that the secret stays short: it travels in a cookie.
func (p *Provider) Start(ctx context.Context, in identity.Start) (string, []byte, error) {
	md, err := p.metadata(ctx)
	if err != nil {
		return "", nil, err
	}
	config, err := p.client(md, in.RedirectURI)
	if err == nil {
		config.Endpoint.AuthURL, err = p.issuer.Endpoint(ctx, "authorization_endpoint", func(md *issuer.Metadata) string { return md.Authorization })
	}
	if err != nil {
		return "", nil, p.failed("begin a sign-in", err).unavailable()
	}
	verifier := oauth2.GenerateVerifier()
	secret := verifier
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", nonceOf(verifier))}
	for name, value := range p.cfg.Parameters {
		options = append(options, oauth2.SetAuthURLParam(name, value))
	}
	if in.LoginHint != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", in.LoginHint))
	}
	if in.Anew {
		secret += "." + strconv.FormatInt(p.now().Unix(), 10)
	}
	if prompt := p.prompt(config.Scopes, in.Anew); prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
	}
	return config.AuthCodeURL(in.State, options...), []byte(secret), nil
}

// prompt says what the provider should ask the person (OpenID Connect Core section 3.1.2.1). Section 11 has a request for offline_access
// ask for consent; an operator who names the scopes says so or not.
func (p *Provider) prompt(scopes []string, anew bool) string {
	words := strings.Fields(p.cfg.Parameters["prompt"])
	if len(words) == 0 && len(p.cfg.Scopes) == 0 && slices.Contains(scopes, "offline_access") {
		words = []string{"consent"}
	}
	if anew && !slices.Contains(words, "login") {
		words = append(words, "login")
	}
	return strings.Join(words, " ")
}

// nonceOf is the nonce of a sign-in. Who sees it can't tell the verifier, nor does it say anything about the code challenge.
func nonceOf(verifier string) string {
	sum := sha256.Sum256([]byte("nonce\x00" + verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// openSecret reads what Start returned; since is zero if the person need not sign in anew.
func openSecret(secret []byte) (verifier string, since time.Time, err error) {
	verifier, at, anew := strings.Cut(string(secret), ".")
	if verifier == "" {
		return "", since, fmt.Errorf("%w: no code verifier", identity.ErrCallback)
	}
	if anew {
		seconds, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return "", since, fmt.Errorf("%w: the time of its beginning can't be read", identity.ErrCallback)
		}
		since = time.Unix(seconds, 0)
	}
	return verifier, since, nil
}

// Finish implements identity.Redirector.
func (p *Provider) Finish(ctx context.Context, in identity.Finish) (*identity.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	verifier, since, err := openSecret(in.Secret)
	if err != nil {
		return nil, err
	}
	md, err := p.metadata(ctx)
	if err != nil {
		return nil, err
	}
	code, err := p.code(md, in.Query)
	if err != nil {
		return nil, err
	}
	answer, fail := p.exchange(ctx, md, in.RedirectURI, code, verifier)
	if fail != nil {
		return nil, fail.exchanged()
	}
	raw, _ := answer.Extra("id_token").(string)
	if raw == "" {
		return nil, p.failed("sign somebody in", errors.New("the answer has no id_token")).unavailable()
	}
	token, err := p.verify(ctx, md, raw)
	if err != nil {
		return nil, p.failed("check an ID token", err).unavailable()
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token.claims.Text("nonce")), []byte(nonceOf(verifier))) != 1:
		return nil, fmt.Errorf("%w: the ID token is of another sign-in", identity.ErrCallback)
	case token.stale(since):
		return nil, fmt.Errorf("%w: the person did not sign in anew", identity.ErrCallback)
	case !token.fits(answer.AccessToken):
		return nil, p.failed("check an ID token", errors.New("the access token is not the one it came with")).unavailable()
	}
	claims, err := p.complete(ctx, md, answer, token.subject, token.claims)
	if err != nil {
		return nil, p.failed("read userinfo", err).unavailable()
	}
	person, err := p.describe(token.subject, claims)
	if errors.Is(err, errTooMuch) {
		return nil, p.failed("sign somebody in", err).unavailable()
	}
	if err != nil {
		return nil, err
	}
	person.SessionID = token.session()
	s := &session{Issuer: p.cfg.Issuer, Client: p.cfg.ClientID, Refresh: answer.RefreshToken, Nonce: nonceOf(verifier), FromToken: token.names()}
	if s.Refresh == "" {
		s.Until = p.now().Add(p.cfg.SessionTTL).Unix()
	}
	person.Session = s.pack()
	return person, nil
}

// code reads the callback: a code, or the error that the provider reports instead (RFC 6749 section 4.1.2). Both have to be from this
// provider, where that can be told (RFC 9207 section 2.4): otherwise a provider could have us take it for the sender of another one's
// answer, and be sent that one's code.
func (p *Provider) code(md *issuer.Metadata, q url.Values) (string, error) {
	if iss := q["iss"]; len(iss) > 1 || len(iss) == 1 && iss[0] != p.cfg.Issuer || len(iss) == 0 && md.NamesItself {
		return "", fmt.Errorf("%w: it is not from %s", identity.ErrCallback, p.cfg.Issuer)
	}
	if q.Has("error") {
		reason := q.Get("error")
		if !errorForm.MatchString(reason) {
			reason = "an error without a readable code"
		}
		if reason == "temporarily_unavailable" || reason == "server_error" {
			return "", p.failed("sign somebody in", errors.New(reason)).unavailable()
		}
		return "", fmt.Errorf("%w: the provider says %s", identity.ErrCallback, reason)
	}
	codes := q["code"]
	if len(codes) != 1 || codes[0] == "" || len(codes[0]) > maxCode {
		return "", fmt.Errorf("%w: no usable code", identity.ErrCallback)
	}
	return codes[0], nil
}
