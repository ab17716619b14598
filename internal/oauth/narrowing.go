package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/identity"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/pages"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// A person may leave an agent less than their role allows them: nothing but tools that only read, or the tools that they choose. What they
// chose is in the grant. It is judged together with the role at every decision, and takes away only, so that nothing in a form could make
// an agent more than its person is. What they chose last for a client at a resource is kept with their answer to page 3, and holds for
// the logins for which that page is left out.

// Bounds of what can be chosen among.
const (
	// maxOffered is how many tools one page lists.
	maxOffered = 500
	// maxToolName is how long a name may be that is listed, in bytes.
	maxToolName = 128
	// offersWait bounds how long a page waits for the lists of servers.
	offersWait = 3 * time.Second
)

// Offers are the tools of one server that a person can choose among for an agent.
type Offers struct {
	// Tools are those that the person's role shows there, in any order.
	Tools []Offer
	// Partial is set if there may be more, since the server's own list was not to be had.
	Partial bool
}

// Offer is one of them. Title is the server's own name of it for people, and may be empty; ReadOnly is set if the server says that it only
// reads, which counts where the server is trusted.
type Offer struct {
	Name, Title string
	ReadOnly    bool
}

// choice is what can be chosen for an agent at one resource.
type choice struct {
	Offers
	// trusted is set if what the server says of its tools counts, so that some are known to only read.
	trusted bool
	// many is set if there are too many tools for a page.
	many bool
	// before is what the agent was left until now: what it lists can be chosen again.
	before *policy.Narrowing
	// now is what the form shows as chosen.
	now *policy.Narrowing
}

// Errors of choosing. The person is told, and chooses again.
var (
	errNoneChosen = errors.New("oauth: tools were to be chosen, and none was")
	errNotOffered = errors.New("oauth: what was chosen can't be")
)

// chooseAgain says what was wrong with a choice; "" for an error of another kind.
func chooseAgain(err error) string {
	switch {
	case errors.Is(err, errNoneChosen):
		return "Tick the tools that it may use, or choose something else."
	case errors.Is(err, errNotOffered):
		return "What can be chosen here has changed meanwhile. Look at it again."
	default:
		return ""
	}
}

// choices finds out what a person can choose at each of some resources; before are what was chosen there until now. All lists together are
// short enough for one page.
func (s *Server) choices(ctx context.Context, p *identity.Person, resources []Resource, before []*policy.Narrowing) []*choice {
	all := make([]*choice, len(resources))
	ctx, cancel := context.WithTimeout(ctx, offersWait)
	defer cancel()
	var asking sync.WaitGroup
	for i, res := range resources {
		all[i] = &choice{before: before[i], now: before[i], trusted: s.trusted(res)}
		if s.cfg.Offers != nil {
			asking.Go(func() { all[i].Offers = s.cfg.Offers(ctx, subject(p), res) })
		}
	}
	asking.Wait()
	room := maxOffered
	for _, c := range all {
		c.prepare()
		if c.many = len(c.Tools) > room; !c.many {
			room -= len(c.Tools)
		}
	}
	return all
}

// trusted reports whether what a server says of its tools counts.
func (s *Server) trusted(res Resource) bool { return s.cfg.Trusted != nil && s.cfg.Trusted(res) }

// prepare sorts the tools, with those that were chosen before, and leaves out what can't be shown as it is: who ticks a name has to know
// which it is, and a browser has to send it as it was.
func (c *choice) prepare() {
	known := make(map[string]bool)
	tools := make([]Offer, 0, len(c.Tools))
	for _, t := range c.Tools {
		if showable(t.Name) && !known[t.Name] {
			known[t.Name] = true
			tools = append(tools, t)
		}
	}
	if c.before != nil {
		for _, name := range c.before.Tools {
			if !known[name] {
				known[name] = true
				tools = append(tools, Offer{Name: name})
			}
		}
	}
	slices.SortFunc(tools, func(a, b Offer) int { return cmp.Compare(a.Name, b.Name) })
	c.Tools = tools
}

// showable reports whether a name looks like what it is, in one line.
func showable(name string) bool {
	return name != "" && len(name) <= maxToolName && utf8.ValidString(name) && strings.TrimSpace(name) == name && !strings.Contains(name, "  ") &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsMark(r) || unicode.IsSpace(r) && r != ' ' })
}

// idle reports whether there is nothing to choose, since the role shows no tools at all.
func (c *choice) idle() bool { return len(c.Tools) == 0 && !c.Partial && !c.many }

// mayRead reports whether tools that only read can be chosen: where they are known to, or where they were chosen before, since that
// leaves none if they are not known any more.
func (c *choice) mayRead() bool { return c.trusted || c.before != nil && c.before.ReadOnly }

// page is the choice as it is shown; suffix tells its fields from those of other choices in the same form. It is nil if there is none.
func (c *choice) page(suffix string) *pages.Choosing {
	if c.idle() {
		return nil
	}
	page := &pages.Choosing{Suffix: suffix, Now: pages.MayAll, Reads: c.mayRead(), Partial: c.Partial, Many: c.many}
	chosen := func(string) bool { return false }
	if n := c.now; n != nil {
		if page.Now = pages.MayTools; n.ReadOnly {
			page.Now = pages.MayRead
		}
		chosen = func(name string) bool { return slices.Contains(n.Tools, name) }
	}
	for _, t := range c.Tools {
		if c.many && !chosen(t.Name) {
			continue
		}
		page.Tools = append(page.Tools, pages.Tool{Name: t.Name, Title: t.Title, ReadOnly: t.ReadOnly && c.trusted, Chosen: chosen(t.Name)})
	}
	return page
}

// take reads what was chosen. A form that says nothing leaves what was chosen before. The error is errNoneChosen or errNotOffered; what of
// the choice can be kept is then shown again.
func (c *choice) take(form params, suffix string) (*policy.Narrowing, error) {
	if form.repeated(pages.FieldMay+suffix) != "" {
		return nil, errNotOffered
	}
	switch may := form.get(pages.FieldMay + suffix); may {
	case "":
		return c.before, nil
	case pages.MayAll:
		return nil, nil
	case pages.MayRead:
		if !c.mayRead() {
			return nil, errNotOffered
		}
		return &policy.Narrowing{ReadOnly: true}, nil
	case pages.MayTools:
		return c.takeTools(form.values[pages.FieldTool+suffix])
	default:
		return nil, errNotOffered
	}
}

// takeTools checks the names that were ticked.
func (c *choice) takeTools(ticked []string) (*policy.Narrowing, error) {
	n := &policy.Narrowing{Tools: []string{}}
	c.now = n
	strange := len(ticked) > maxOffered
	for _, name := range ticked {
		if _, offered := slices.BinarySearchFunc(c.Tools, name, func(t Offer, name string) int { return cmp.Compare(t.Name, name) }); !offered {
			strange = true
		} else if !slices.Contains(n.Tools, name) {
			n.Tools = append(n.Tools, name)
		}
	}
	switch {
	case strange:
		return nil, errNotOffered
	case len(n.Tools) == 0:
		return nil, errNoneChosen
	}
	slices.Sort(n.Tools)
	return n, nil
}

// leftBefore reads what a person left a client at a resource when they were last asked; nil is all.
func (s *Server) leftBefore(ctx context.Context, p *identity.Person, clientID, resource string) (*policy.Narrowing, error) {
	rec, err := s.consentRecord(ctx, p, clientID, resource)
	if err != nil || rec == nil {
		return nil, err
	}
	return rec.Narrowing, nil
}

// leave keeps what a person leaves a client at a resource from now on, if there is an answer to page 3 to keep it with: else they
// are asked when it comes up.
func (s *Server) leave(ctx context.Context, p *identity.Person, clientID, resource string, n *policy.Narrowing) error {
	err := s.cfg.Store.Update(ctx, kindConsent, consentOf(p, clientID, resource), func(old []byte) ([]byte, time.Time, error) {
		if old == nil {
			return nil, time.Time{}, store.ErrNotFound
		}
		var rec consentRecord
		if err := json.Unmarshal(old, &rec); err != nil {
			return nil, time.Time{}, nil // it is no answer: it goes
		}
		rec.Narrowing = n
		next, err := json.Marshal(rec)
		return next, rec.until(), err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
