package oauth

import (
	"crypto/subtle"
	"errors"
	jsonv2 "github.com/go-json-experiment/json"
	"net/http"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/seal"
)

// A login is one transaction: what the client asked for, and how far the person has come. Nothing of it is kept here: it
// travels, sealed, in a cookie of the browser that started it, so that nobody can fill the store by starting logins, and
// no other browser can go on with one.
const (
	txTTL       = 10 * time.Minute
	txName      = 10 // characters of a token that name its cookie
	maxTx       = 8
	maxTxCookie = 3800
	// maxTxRequest bounds the request in a transaction, in bytes of JSON. The rest of the cookie is for what later steps add: the
	// provider, its secret, and the tokens.
	maxTxRequest = 2300
	purposeTx    = "tx"
)

// step is how far a transaction has come.
type step uint8

const (
	// stepAsk: page 1 was shown.
	stepAsk step = iota + 1
	// stepSignIn: the person allowed page 1, and our own sign-in form was shown.
	stepSignIn
	// stepCallback: the person allowed page 1, and was sent to the identity provider.
	stepCallback
	// stepGrant: the person has signed in, and page 3 was shown.
	stepGrant
	// stepChoose: the person has signed in, and has yet to choose an organization.
	stepChoose
)

// authRequest is an authorization request that was found in order.
type authRequest struct {
	Client    string `json:"c"`
	Redirect  string `json:"r"`
	State     string `json:"s,omitempty"`
	Challenge string `json:"p"`
	Resource  string `json:"a"`
	Scope     string `json:"o"`
	Hint      string `json:"h,omitempty"`
	// Ask is set if the client wants the person to be asked, whatever was answered before.
	Ask bool `json:"q,omitempty"`
	// Anew is set if the client wants the person to sign in, even if the identity provider remembers them.
	Anew bool `json:"n,omitempty"`
	// Own is set for no client's request, but that of a person to see their own page; but for Call nothing else is set then.
	Own bool `json:"w,omitempty"`
	// Call is the call that waits for them and that they want to see there; optional.
	Call string `json:"l,omitempty"`
}

// fits reports whether a request can travel in the cookie to the end of the login, so that nobody signs in only to hear that it
// can't.
func (q *authRequest) fits() bool {
	plain, err := jsonv2.Marshal(q)
	return err == nil && len(plain) <= maxTxRequest
}

// transaction is one login under way.
type transaction struct {
	Step step `json:"t"`
	// Token proves that a request was made by what we sent to this browser: it is in our forms, and the state towards
	// the identity provider. Its first characters name the cookie.
	Token    string      `json:"k"`
	Request  authRequest `json:"q"`
	Provider string      `json:"i,omitempty"`
	// Secret is the identity provider's.
	Secret []byte `json:"x,omitempty"`
	// Asked names the cookie of page 1, from which this transaction went on.
	Asked string `json:"b,omitempty"`
	// Pending is the id of the person who has signed in, in the store.
	Pending string `json:"n,omitempty"`
	Expires int64  `json:"e"`
}

// Errors of transactions. A person is told one thing about all of them: to start again.
var (
	errNoTransaction = errors.New("oauth: no such login under way in this browser")
	errTxTooLarge    = errors.New("oauth: the authorization request is too long")
)

// newTxToken makes a token for a transaction; name continues an earlier one under the same cookie, or is "".
func newTxToken(name string) string {
	token := randomText(32)
	if name != "" {
		token = name + token[txName:]
	}
	return token
}

// txCookie is the name of the cookie of a transaction.
func (s *Server) txCookie(name string) string { return s.cookiePrefix + "mcp_tx_" + name }

// saveTx puts a transaction into its cookie, for ten minutes from now.
func (s *Server) saveTx(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, tx *transaction) error {
	tx.Expires = s.now().Add(txTTL).Unix()
	plain, err := jsonv2.Marshal(tx)
	if err != nil {
		return err
	}
	name := s.txCookie(tx.Token[:txName])
	value := sealer.Seal(purposeTx, name, plain)
	if len(name)+len(value) > maxTxCookie {
		return errTxTooLarge
	}
	s.dropOldTx(w, r, sealer, name)
	s.setCookie(w, name, value, txTTL)
	return nil
}

// dropOldTx makes room for the cookie called name among the transactions of this browser: those that can't be opened any more go,
// and then the oldest. Without TLS, a cookie may be another gateway's on another port of the same computer, and stays.
func (s *Server) dropOldTx(w http.ResponseWriter, r *http.Request, sealer *seal.Sealer, name string) {
	prefix := s.txCookie("")
	var oldest string
	var expires int64
	kept, looked := 0, 0
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, prefix) || c.Name == name {
			continue
		}
		if looked++; looked > 4*maxTx {
			break
		}
		tx, err := s.openTx(sealer, c.Name, c.Value)
		if err != nil {
			if s.cookiePrefix != "" {
				s.setCookie(w, c.Name, "", -1)
			}
			continue
		}
		if kept++; oldest == "" || tx.Expires < expires {
			oldest, expires = c.Name, tx.Expires
		}
	}
	if kept >= maxTx {
		s.setCookie(w, oldest, "", -1)
	}
}

// loadTx finds the transaction that text names: a token of it, or only its name. Only who also holds the token may change
// anything; see matches.
func (s *Server) loadTx(r *http.Request, sealer *seal.Sealer, text string) (*transaction, error) {
	if len(text) < txName || len(text) > 64 {
		return nil, errNoTransaction
	}
	name := s.txCookie(text[:txName])
	c, err := r.Cookie(name)
	if err != nil {
		return nil, errNoTransaction
	}
	return s.openTx(sealer, name, c.Value)
}

// openTx unseals a cookie.
func (s *Server) openTx(sealer *seal.Sealer, name, value string) (*transaction, error) {
	plain, err := sealer.Open(purposeTx, name, value)
	if err != nil {
		return nil, errNoTransaction
	}
	var tx transaction
	if err := jsonv2.Unmarshal(plain, &tx); err != nil || !s.now().Before(time.Unix(tx.Expires, 0)) || len(tx.Token) < txName {
		return nil, errNoTransaction
	}
	return &tx, nil
}

// matches reports whether token is the transaction's.
func (tx *transaction) matches(token string) bool {
	return subtle.ConstantTimeCompare([]byte(tx.Token), []byte(token)) == 1
}

// name is what names the cookie, and what stands for the transaction in our own URLs.
func (tx *transaction) name() string { return tx.Token[:txName] }

// endTx forgets a transaction.
func (s *Server) endTx(w http.ResponseWriter, tx *transaction) {
	s.setCookie(w, s.txCookie(tx.name()), "", -1)
	if tx.Asked != "" {
		s.setCookie(w, s.txCookie(tx.Asked), "", -1)
	}
}

// setCookie sets a cookie that only this origin gets back, or deletes it if ttl is negative. With https the name begins with
// __Host-, so that no neighbouring host can set it; on a loopback address without TLS browsers would refuse that.
func (s *Server) setCookie(w http.ResponseWriter, name, value string, ttl time.Duration) {
	c := &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(ttl / time.Second), Secure: s.cookiePrefix != "", HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	if ttl < 0 {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// sameSite reports whether a post comes from a page of ours, as far as the browser says. One that says nothing at all is
// stopped by the cookie, which does not travel with a post from elsewhere, and by the token in the form. Our pages let the browser say
// where a post to ourselves comes from, so that an Origin of null is somebody else's.
func (s *Server) sameSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == s.origin
}
