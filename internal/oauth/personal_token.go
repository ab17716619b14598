package oauth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// A personal access token is for an agent that can't open a browser: a grant of its own, that a person makes on their page, for one
// server, until a day. The text begins in a way that secret scanners can find and ends in a checksum of it. Between them, sealed, are a
// random number, the end and the server: so a made-up token costs no look into the store. Of the text itself only a digest is kept,
// which is the id of the grant.
const (
	personalGrant     = "pat-"
	purposePersonal   = "oauth-personal"
	personalRandom    = 24
	maxPersonalTokens = 20
	maxPersonalName   = 60
	// fieldTicking is in the form that lists the tools a token can be for.
	fieldTicking = "ticking"
)

// newPersonalToken makes a token for a resource.
func newPersonalToken(sealer *seal.Sealer, resource string, expires time.Time) string {
	plain := binary.BigEndian.AppendUint64(randomBytes(personalRandom), uint64(expires.Unix()))
	text := personalPrefix + sealer.Seal(purposePersonal, "", append(plain, resource...))
	return text + checksum(text)
}

// checksum is eight characters by which a scanner tells a token from what only looks like one.
func checksum(text string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text))) }

// isPersonal reports whether a text looks like a token of these.
func isPersonal(text string) bool { return strings.HasPrefix(text, personalPrefix) }

// personalID is the id of a token's grant, and of the client that it stands for.
func personalID(token string) string { return personalGrant + digest(token) }

// admitPersonal checks what a token says of itself; whether its grant is there is found out as for every other.
func (s *Server) admitPersonal(ctx context.Context, token string) (*cachedToken, error) {
	if !s.cfg.PersonalTokens || len(token) > maxAccessToken || len(token) < len(personalPrefix)+8 {
		return nil, invalidToken("it is no personal token of ours")
	}
	text, sum := token[:len(token)-8], token[len(token)-8:]
	if sum != checksum(text) {
		return nil, invalidToken("it is a personal token with a letter wrong")
	}
	sealer, err := s.cfg.Sealer(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	plain, err := sealer.Open(purposePersonal, "", strings.TrimPrefix(text, personalPrefix))
	if err != nil || len(plain) <= personalRandom+8 {
		return nil, invalidToken("it is no personal token of ours")
	}
	end := int64(binary.BigEndian.Uint64(plain[personalRandom:]))
	id := personalID(token)
	return &cachedToken{
		token: strings.Clone(token), resource: string(plain[personalRandom+8:]), clientID: id, grantID: id, expires: time.Unix(end, 0), grant: s.cache.grant(id),
	}, nil
}

// describePersonal says which personal tokens somebody has, and what may be made.
func (s *Server) describePersonal(page *pages.Tokens, sess *personSession, grants []personGrant) {
	page.Spent = sess.Spent
	for _, g := range grants {
		if g.Personal {
			page.List = append(page.List, s.connection(sess.Login.Person, g))
		}
	}
	page.Full = len(page.List) >= maxPersonalTokens
	// Who acts as somebody else may not leave something behind that goes on when they have gone.
	if sess.Login.Person.Impersonator != "" {
		page.Spent = false
		return
	}
	all := s.cfg.Resources()
	for _, res := range all {
		page.Servers = append(page.Servers, pages.Choice{Value: canonical(res).URL, Label: s.serverLabel(res)})
	}
	page.Reads = slices.ContainsFunc(all, s.trusted)
	page.Days = s.personalDays()
}

// personalDays are the lives that a token may have, in days: the longest is the operator's.
func (s *Server) personalDays() []int {
	longest := int(s.cfg.PersonalTokenTTL / (24 * time.Hour))
	days := slices.DeleteFunc([]int{1, 7, 30, 90, 180}, func(n int) bool { return n >= longest })
	return append(days, longest)
}

// makePersonal makes a token, and shows it this once.
func (s *Server) makePersonal(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, sess *personSession, form params) {
	p := sess.Login.Person
	if !s.cfg.PersonalTokens || p.Impersonator != "" {
		s.notOurForm(w, errors.New("oauth: there are no personal tokens for this person"))
		return
	}
	name := strings.TrimSpace(form.get("name"))
	days, err := strconv.Atoi(form.get("days"))
	if err != nil || !slices.Contains(s.personalDays(), days) {
		s.notOurForm(w, errors.New("oauth: the form names no life for a token"))
		return
	}
	res, err := s.resource(form.get("resource"))
	if err != nil || form.get("resource") == "" {
		s.notOurForm(w, errors.New("oauth: the form names no server for a token"))
		return
	}
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxPersonalName {
		s.showConnections(w, r, sess, pages.Connections{Problem: fmt.Sprintf("A token needs a name of at most %d characters.", maxPersonalName)})
		return
	}
	choice := s.choices(r.Context(), p, []Resource{res}, []*policy.Narrowing{nil})[0]
	left, err := choice.take(form, "")
	if again := chooseAgain(err); again != "" {
		if form.get(fieldTicking) == "" && form.get(pages.FieldMay) == pages.MayTools {
			again = "" // the list of tools was not there yet
		}
		s.showTicking(w, sess, choice, form, res, again)
		return
	}
	token, err := s.keepPersonal(r.Context(), sealer, sess, name, res, time.Duration(days)*24*time.Hour, left)
	switch {
	case errors.Is(err, errNoSession):
		sess.Spent = true
		s.showConnections(w, r, sess, pages.Connections{Problem: "Each token is made after a sign-in of its own: sign in again."})
	case errors.Is(err, errFull):
		s.showConnections(w, r, sess, pages.Connections{Problem: "You have as many tokens as you may have."})
	case err != nil:
		s.trouble(w, r, err)
	default:
		sess.Spent = true
		s.showConnections(w, r, sess, pages.Connections{Tokens: &pages.Tokens{Made: token, MadeName: name}})
	}
}

// showTicking asks which tools a token is for, before it is made; problem says what was wrong with the answer.
func (s *Server) showTicking(w http.ResponseWriter, sess *personSession, c *choice, form params, res Resource, problem string) {
	abilities, nothing := s.abilities(sess.Login.Person, res)
	page := pages.Change{
		Action: s.endpoint("connections"), Back: s.endpoint("connections"), Token: strings.TrimSpace(form.get("name")), Server: s.serverLabel(res),
		Abilities: abilities, Problem: problem, Does: personMakesAToken, Label: "Make the token",
		Hidden: []pages.Field{
			{Name: "token", Value: sess.Token}, {Name: "name", Value: form.get("name")}, {Name: "resource", Value: res.URL}, {Name: "days", Value: form.get("days")},
			{Name: fieldTicking, Value: "1"},
		},
	}
	if !nothing {
		page.Choosing = c.page("")
	}
	s.pages.Change(w, page)
}

// keepPersonal makes the grant of a token. The session at the identity provider goes with it: so the token's roles stay those of now, and
// it ends when that session does. The errors are errFull, errNoSession if the session has gone to another token, and the store's.
func (s *Server) keepPersonal(ctx context.Context, sealer *seal.Sealer, sess *personSession, name string, res Resource, ttl time.Duration, left *policy.Narrowing) (string, error) {
	grants, err := s.grantsOf(ctx, sess.Login.Person)
	if err != nil {
		return "", err
	}
	count := 0
	for _, g := range grants {
		if g.Personal {
			count++
		}
	}
	if count >= maxPersonalTokens {
		return "", errFull
	}
	l, err := s.spendSession(ctx, sealer, sess)
	if err != nil {
		return "", err
	}
	expires := s.now().Add(ttl).Truncate(time.Second).UTC()
	token := newPersonalToken(sealer, res.URL, expires)
	id := personalID(token)
	g := &grantRecord{
		Client: id, ClientName: name, Personal: true, Resource: res.URL, Scope: scopeMCP, Created: s.now().UTC(), Expires: expires, Listed: expires,
		Provider: l.Person.Provider, Read: l.At, Narrowing: left, Whence: l.Whence,
	}
	if g.Person, err = sealPerson(sealer, id, l.Person); err != nil {
		return "", err
	}
	if err := s.enlist(ctx, l.Person, id, expires); err != nil {
		return "", err
	}
	if err := s.putGrant(ctx, id, g); err != nil {
		return "", err
	}
	if err := s.stillSignedIn(ctx, l); err != nil {
		return "", errors.Join(err, s.Revoke(ctx, id))
	}
	s.record((&event{
		name: "personal_token", decision: decisionAllow, reason: "Made, until " + expires.Format(time.DateOnly) + ": " + left.String() + ".", clientID: id, clientName: name, grantID: id, resource: res.URL,
	}).of(l.Person))
	return token, nil
}

// introspectPersonal answers for a personal token that is good.
func (s *Server) introspectPersonal(ctx context.Context, t *cachedToken, p *identity.Person) (*introspection, error) {
	keys, err := s.keys.current(ctx)
	if err != nil {
		return nil, err
	}
	return &introspection{
		Active: true, Scope: scopeMCP, ClientID: t.clientID, Type: "Bearer", Expires: t.expires.Unix(), Subject: keys.subject(t.clientID, t.resource, subjectID(p)),
		Audience: t.resource, Issuer: s.cfg.Issuer,
	}, nil
}
