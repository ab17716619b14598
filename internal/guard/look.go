package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// mostLooked bounds how many pages of a list are asked for.
const mostLooked = 500

// Where the definition of a tool decides and nobody has listed the server's tools yet, the Guard lists them itself. It does
// so as a client of its own: what comes back passes the same filter as any answer, which learns from it as from any other.

// ownSubject is whom the Guard asks for when it looks by itself. No rule allows it anything.
var ownSubject = &policy.Subject{ID: "gateway:catalog", Machine: true}

// ownReading reads every definition, since that is what is looked for.
var ownReading = &reading{all: true}

// errAsk says that the Guard was not told how to ask by itself.
var errAsk = errors.New("guard: no way to ask the server for its tools")

// lookStep is why the tools of a server could not be listed, and at which step.
type lookStep struct {
	method, reason string
	upstream       int // status of its answer; 0 if there was none
}

func (e *lookStep) Error() string {
	return "listing the server's tools: " + e.method + ": " + e.reason
}

// looker lists the tools of a server.
type looker struct {
	g          *Guard
	ctx        context.Context
	credential string
	shelf      *catalog.Shelf // of what was seen so far
	id         int
	version    string // that both sides speak; empty before that is known
	session    string // handle; empty if there is none
}

// Offers returns the tools that the server offers to whom it is asked for with a credential, as Caller names it, but for
// those that pins keep back. It asks the server if that was not done yet, or the server has changed them since.
func (g *Guard) Offers(ctx context.Context, credential string) ([]catalog.Offer, error) {
	shelf := g.shelf(credential)
	offers, ok := shelf.Whole()
	if !ok || shelf.Outdated() || shelf.Old() {
		if err := g.refresh(ctx, shelf, credential); err != nil {
			return nil, err
		}
		offers, _ = shelf.Whole()
	}
	if g.cfg.Pins == nil || !g.cfg.PinMode.Strict() {
		return offers, nil
	}
	pins, err := g.cfg.Pins.Book(catalog.Key{Server: g.cfg.Server, Credential: credential}).Now(ctx, g.cfg.PinMode)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(offers), func(o catalog.Offer) bool {
		shown, _ := pins.Judge(g.cfg.PinMode, o.Name, o.Tool)
		return !shown
	}), nil
}

// shelf is what the server was seen to offer to a credential.
func (g *Guard) shelf(credential string) *catalog.Shelf {
	return g.cfg.Catalog.Shelf(catalog.Key{Server: g.cfg.Server, Credential: credential})
}

// refreshSoon has the server asked what it offers, without waiting for it.
func (g *Guard) refreshSoon(shelf *catalog.Shelf, credential string) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = g.refresh(ctx, shelf, credential) // what comes of it is in the log
}

// refresh asks the server what it offers.
func (g *Guard) refresh(ctx context.Context, shelf *catalog.Shelf, credential string) error {
	return shelf.Refresh(ctx, func(ctx context.Context) ([]catalog.Offer, error) {
		l := &looker{g: g, ctx: ctx, credential: credential, shelf: new(catalog.Shelf)}
		if err := l.look(); err != nil {
			g.cfg.Logger.Warn("the tools of a server could not be listed", zap.String("server", g.cfg.Server), zap.Error(err))
			return nil, err
		}
		return l.shelf.Stock().Offers(), nil
	})
}

// look lists all tools: as revision 2026-07-28 has it, and if the server does not know that, in a session.
func (l *looker) look() error {
	if l.g.cfg.Ask == nil {
		return errAsk
	}
	if !l.g.olderServer.Load() {
		l.version = rev20260728.String()
		err := l.pages()
		step := new(lookStep)
		if !errors.As(err, &step) || step.upstream == 0 {
			return err // it answered, or nobody did
		}
		l.shelf, l.version = new(catalog.Shelf), ""
	}
	err := l.initialize()
	if err == nil {
		err = l.pages()
	}
	l.leave()
	l.g.olderServer.Store(err == nil)
	return err
}

// initialize begins a session (revision 2025-11-25, "Lifecycle"). All that a client can offer is offered: there are servers
// that show some tools to such clients only.
func (l *looker) initialize() error {
	var result struct {
		ProtocolVersion string `json:"protocolVersion"`
	}
	err := l.call("initialize", `{"protocolVersion":"`+rev20251125.String()+`","capabilities":{"elicitation":{},"roots":{},"sampling":{}},`+
		`"clientInfo":{"name":"mcp-gateway","version":"1"}}`, &result)
	if err != nil {
		return err
	}
	if rev, known := revisions[result.ProtocolVersion]; known && rev >= rev20250618 {
		l.version = result.ProtocolVersion
	}
	_, err = l.send(http.MethodPost, "notifications/initialized", `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return err
}

// leave ends the session. A server that does not want that keeps it, and nothing can be done about that.
func (l *looker) leave() {
	if l.session != "" {
		_, _ = l.send(http.MethodDelete, "", "")
	}
}

// pages asks for all pages of the list.
func (l *looker) pages() error {
	cursor := ""
	for range mostLooked {
		params := `{`
		if l.version == rev20260728.String() {
			params += `"_meta":{"` + metaVersion + `":"` + l.version + `","io.modelcontextprotocol/clientInfo":{"name":"mcp-gateway","version":"1"},` +
				`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"roots":{},"sampling":{}}}`
		}
		if cursor != "" {
			if len(params) > 1 {
				params += `,`
			}
			params += `"cursor":` + strconv.Quote(cursor) // our own handle, of plain characters
		}
		var result struct {
			Tools      jsontext.Value `json:"tools"`
			NextCursor string         `json:"nextCursor"`
		}
		if err := l.call("tools/list", params+`}`, &result); err != nil {
			return err
		}
		if result.Tools == nil {
			return &lookStep{method: "tools/list", reason: "the answer has no tools", upstream: http.StatusOK}
		}
		if cursor = result.NextCursor; cursor == "" {
			return nil
		}
	}
	return &lookStep{method: "tools/list", reason: fmt.Sprintf("there are more than %d pages", mostLooked)}
}

// call makes a request and reads its result.
func (l *looker) call(method, params string, result any) error {
	l.id++
	w, err := l.send(http.MethodPost, method, `{"jsonrpc":"2.0","id":`+strconv.Itoa(l.id)+`,"method":"`+method+`","params":`+params+`}`)
	if err != nil {
		return err
	}
	var m struct {
		Result jsontext.Value `json:"result"`
		Error  *struct {
			Code    int64  `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(w.answer(), &m); err != nil {
		return &lookStep{method, "no answer that can be read", w.upstream}
	}
	switch {
	case m.Error != nil:
		return &lookStep{method, fmt.Sprintf("error %d: %s", m.Error.Code, shorten(m.Error.Message, mostNamed)), w.upstream}
	case json.Unmarshal(m.Result, result) != nil:
		return &lookStep{method, "the result can't be read", w.upstream}
	}
	if session := w.header.Get(headerSession); method == "initialize" {
		l.session = session
	}
	return nil
}

// send has one request pass the Guard, and returns what would reach a client.
func (l *looker) send(httpMethod, method, body string) (w *ownAnswer, err error) {
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, httpMethod, "http://gateway.invalid/", bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	r.Header[headerContentType] = []string{typeJSON}
	r.Header["Accept"] = []string{typeJSON + ", " + typeStream}
	if l.version != "" {
		r.Header[headerVersion] = []string{l.version}
	}
	if l.version == rev20260728.String() {
		r.Header[headerMethod] = []string{method}
	}
	if l.session != "" {
		r.Header[headerSession] = []string{l.session}
	}
	w = &ownAnswer{header: make(http.Header), most: l.g.cfg.MaxAnswer, enough: cancel}
	var out Outcome
	defer func() {
		w.upstream = out.UpstreamStatus
		switch p := recover(); {
		case w.whole != nil:
			err = nil // whatever happened after the answer
		case p != nil:
			err = &lookStep{method, fmt.Sprintf("the answer broke off: %v", p), out.UpstreamStatus}
		case out.Decision != Allow || w.status >= http.StatusBadRequest:
			err = &lookStep{method, out.Reason + " (status " + strconv.Itoa(w.status) + ")", out.UpstreamStatus}
		}
	}()
	x := &exchange{g: l.g, out: &out, w: w, r: r, own: l.shelf, caller: Caller{
		Subject: func() *policy.Subject { return ownSubject }, Credential: l.credential, Resource: "catalog",
	}}
	out = Outcome{RequestID: l.g.cfg.NewRequestID(), Decision: Allow}
	if !x.admit() {
		return w, nil
	}
	return w, x.forward(func(w http.ResponseWriter, r *http.Request) error { return l.g.cfg.Ask(w, r, l.credential) })
}
