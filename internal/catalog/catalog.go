// Package catalog remembers what MCP servers offer: of their tools, what a gateway has to know to judge requests that
// do not say it. It learns from the lists that servers send, whoever asked for them, so it must not be shown to anyone:
// what is in it is for deciding.
package catalog

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// Bounds of a Catalog, against servers that have no end of tools.
const (
	mostShelves = 1024
	mostOnShelf = 4 << 20 // bytes, about, of the tools on one shelf
)

// Key says whose tools they are. What a server shows to one credential it may not show to another.
type Key struct {
	Server     string // as the policy names it
	Credential string // that the list was seen with; empty for one that all have in common
}

// Offer is a tool as a server lists it.
type Offer struct {
	Name string
	Tool *Tool // nil if its definition could not be read
}

// Tool is what is remembered of a tool. It is not changed.
type Tool struct {
	Params []Param // arguments that are repeated in header fields
	UI     string  // URI of the resource that shows the tool's results; empty if none does

	Title       string             // for people, at most maxTitle bytes; empty if the server has none
	Annotations policy.Annotations // the server's word, whether it is trusted or not
	Digest      Digest             // of its definition
	Concealed   bool               // its definition has characters that can't be seen (see Conceals)
}

// Equal reports whether there is the same to remember of two tools.
func (t *Tool) Equal(other *Tool) bool {
	return t == other || t != nil && other != nil && t.Digest == other.Digest && t.UI == other.UI &&
		slices.EqualFunc(t.Params, other.Params, func(a, b Param) bool { return a.Header == b.Header && slices.Equal(a.Path, b.Path) })
}

// size is about how many bytes a tool takes.
func size(name string, t *Tool) int {
	n := 256 + len(name) + len(t.UI) + len(t.Title)
	for _, p := range t.Params {
		n += 64 + len(p.Header)
		for _, name := range p.Path {
			n += 16 + len(name)
		}
	}
	return n
}

// Catalog has a shelf for each server and credential; when there are too many, the oldest goes. The zero Catalog is empty
// and ready. It is safe for concurrent use.
type Catalog struct {
	shelves sync.Map // Key to *Shelf
	mu      sync.Mutex
	order   []Key
}

// Shelf returns the shelf of k, which is made if there is none. It takes no lock if there is one.
func (c *Catalog) Shelf(k Key) *Shelf {
	if s, ok := c.shelves.Load(k); ok {
		return s.(*Shelf)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.shelves.Load(k); ok {
		return s.(*Shelf)
	}
	if len(c.order) == mostShelves {
		c.shelves.Delete(c.order[0])
		c.order = slices.Delete(c.order, 0, 1)
	}
	s := new(Shelf)
	c.shelves.Store(k, s)
	c.order = append(c.order, k)
	return s
}

// Shelf is what one server offers with one credential, as far as it was seen. Reading takes no lock. It is safe for
// concurrent use.
type Shelf struct {
	mu  sync.Mutex // held to change what is there
	now atomic.Pointer[Stock]

	looking sync.Mutex // held to read and change the following three
	look    *look      // that goes on; nil if none does
	looked  time.Time  // when the last was over
	failure error      // of the last

	marks, fresh atomic.Uint64 // how often the server changed what it offers; as of the last look
	whole        atomic.Pointer[[]Offer]
}

// Stock is what is on a shelf at one time. It is not changed; nil is that of an empty shelf.
type Stock struct {
	tools map[string]*Tool
	shown map[string][]string // URIs of the tools' resources, to the tools' names
	size  int
}

// Stock returns what is on the shelf now.
func (s *Shelf) Stock() *Stock { return s.now.Load() }

// Tool returns what is remembered of a tool now, nil if it is nothing.
func (s *Shelf) Tool(name string) *Tool { return s.Stock().Tool(name) }

// Tool returns what is remembered of a tool, nil if it is nothing.
func (o *Stock) Tool(name string) *Tool {
	if o == nil {
		return nil
	}
	return o.tools[name]
}

// Offers returns all that is remembered, in the order of names.
func (o *Stock) Offers() []Offer {
	if o == nil {
		return nil
	}
	offers := make([]Offer, 0, len(o.tools))
	for name, tool := range o.tools {
		offers = append(offers, Offer{name, tool})
	}
	slices.SortFunc(offers, func(a, b Offer) int { return strings.Compare(a.Name, b.Name) })
	return offers
}

// ShownBy returns the names of the tools whose results are shown by the resource with this URI. They must not be changed.
func (s *Shelf) ShownBy(uri string) []string {
	if now := s.now.Load(); now != nil {
		return now.shown[uri]
	}
	return nil
}

// Learn takes tools as they were listed just now, in the place of what was known of those of the same names. One that could
// not be read is forgotten.
func (s *Shelf) Learn(tools ...Offer) {
	if s.knows(tools) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &Stock{tools: make(map[string]*Tool)}
	if now := s.now.Load(); now != nil {
		next.tools, next.size = maps.Clone(now.tools), now.size
	}
	for _, o := range tools {
		next.put(o)
	}
	if next.size > mostOnShelf {
		// What was seen last is what is there.
		next.tools, next.size = make(map[string]*Tool), 0
		for _, o := range tools {
			if next.size < mostOnShelf {
				next.put(o)
			}
		}
	}
	next.shown = make(map[string][]string)
	for name, tool := range next.tools {
		if tool.UI != "" {
			next.shown[tool.UI] = append(next.shown[tool.UI], name)
		}
	}
	s.now.Store(next)
}

// put puts one tool on a shelf that nobody reads yet.
func (o *Stock) put(t Offer) {
	if was := o.tools[t.Name]; was != nil {
		o.size -= size(t.Name, was)
		delete(o.tools, t.Name)
	}
	if t.Tool != nil {
		o.tools[t.Name] = t.Tool
		o.size += size(t.Name, t.Tool)
	}
}

// knows reports whether there is nothing new in tools.
func (s *Shelf) knows(tools []Offer) bool {
	for _, o := range tools {
		if was := s.Tool(o.Name); !was.Equal(o.Tool) {
			return false
		}
	}
	return true
}
