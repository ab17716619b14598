package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Policy is a compiled policy. Its rules are immutable; it is safe for concurrent use. The zero Policy denies everything.
type Policy struct {
	blocks      []*block // everyone (nil if not written), then roles and permissions, each sorted by name
	roles       map[string]int
	permissions map[string]int
	orgs        map[string]int // organizations that rules name, numbered from 1
	methods     map[string]struct{}
	observe     bool
	digest      [32]byte

	views   atomic.Pointer[viewMemo]
	viewing sync.Mutex // held while a view is built
}

// block is a compiled [Block].
type block struct {
	name      string
	title     string   // such as "role member"
	inherits  []string // names of roles
	inherit   []int    // their blocks
	inheritAt Position
	rules     []*rule
}

// rule is a compiled [Rule].
type rule struct {
	at       Position
	title    string // what it is and where it is written
	effect   effect
	server   string
	servers  glob
	org      string
	when     *condition // nil if there is none
	hints    []hint
	limit    *Limit // nil if there is none
	patterns []*pattern
}

// effect is what a rule does with what it names.
type effect uint8

const (
	allows effect = iota
	asks
	denies
)

// String returns the key under which rules of the effect are written.
func (e effect) String() string { return [...]string{"allow", "ask", "deny"}[e] }

// conditional reports whether more than its name decides about whether a thing of the kind meets the rule.
func (r *rule) conditional(k Kind) bool { return r.when != nil || k == Tool && r.hints != nil }

// everyone is the number of the block that applies to every person.
const everyone = 0

// Compile checks a document as a whole and compiles it: every inherited role exists and none inherits itself, every rule
// names something, every glob can match. The document must not be changed afterwards. Errors are joined, each an [*Error].
func Compile(d *Document) (*Policy, error) {
	c := &compiler{}
	p := c.compile(d)
	if err := c.err(); err != nil {
		return nil, err
	}
	return p, nil
}

type compiler struct {
	mistakes
	rules, patterns int
	conditions      map[string]*condition // by their text; nil for one that is wrong
}

func (c *compiler) compile(d *Document) *Policy {
	p := &Policy{
		blocks:      []*block{nil},
		roles:       make(map[string]int, len(d.Roles)),
		permissions: make(map[string]int, len(d.Permissions)),
		methods:     make(map[string]struct{}, len(d.Methods)),
		observe:     d.Mode == modeObserve,
	}
	if len(d.Roles)+len(d.Permissions) > MaxBlocks {
		c.add(Position{}, "the policy has more than %d roles and permissions", MaxBlocks)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(d.Roles)) {
		p.roles[name] = len(p.blocks)
		p.blocks = append(p.blocks, c.block("role", name, d.Roles[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Permissions)) {
		p.permissions[name] = len(p.blocks)
		p.blocks = append(p.blocks, c.block("permission", name, d.Permissions[name]))
	}
	if d.Everyone != nil {
		p.blocks[everyone] = c.block("everyone", "", d.Everyone)
	}
	c.limits()
	for _, m := range d.Methods {
		if fault := slugFault(m); fault != "" {
			c.add(d.MethodsAt, "methods: %q %s", m, fault)
		}
		p.methods[m] = struct{}{}
	}
	if d.Mode != "" {
		if fault := modeFault(d.Mode); fault != "" {
			c.add(d.ModeAt, "mode: %q %s", d.Mode, fault)
		}
	}
	c.link(p)
	p.orgs = numberOrgs(p.blocks)
	p.digest = p.fingerprint()
	return p
}

// limits reports, once, that the policy is larger than its bounds.
func (c *compiler) limits() {
	if c.rules > MaxRules {
		c.add(Position{}, "the policy has more than %d rules", MaxRules)
	}
	if c.patterns > MaxPatterns {
		c.add(Position{}, "the policy has more than %d names and globs", MaxPatterns)
	}
}

// block compiles the rules of a block.
func (c *compiler) block(what, name string, b *Block) *block {
	out := &block{name: name, title: strings.TrimSpace(what + " " + name)}
	if b == nil {
		c.add(Position{}, "%s has no body; write {} if it may do nothing", out.title)
		return out
	}
	if fault := slugFault(name); fault != "" && what != "everyone" {
		c.add(b.At, "%s: %q %s", what, name, fault)
	}
	out.inherits, out.inheritAt = b.Inherit, b.InheritAt
	for e, rules := range [...][]Rule{allows: b.Allow, asks: b.Ask, denies: b.Deny} {
		for i := range rules {
			out.rules = append(out.rules, c.rule(out.title, &rules[i], effect(e)))
		}
	}
	return out
}

func (c *compiler) rule(block string, r *Rule, e effect) *rule {
	c.rules++
	out := &rule{at: r.At, effect: e, server: r.Server, org: r.Org, title: r.At.String() + " (" + block + ", " + e.String() + ")"}
	if out.server == "" {
		out.server = "*"
	}
	if fault := serverFault(out.server); fault != "" {
		c.add(r.At, "server: %q %s", r.Server, fault)
	}
	out.servers = parseGlob(Tool, out.server)
	if r.Org != "" {
		if fault := slugFault(r.Org); fault != "" {
			c.add(r.At, "org: %q %s", r.Org, fault)
		}
	}
	named := false
	for k := range kinds {
		texts := *r.list(k)
		if texts != nil && len(texts) == 0 {
			c.add(r.At, emptyList, k.plural())
		}
		named = named || texts != nil
		if c.patterns += len(texts); c.patterns > MaxPatterns {
			break
		}
		for _, text := range texts {
			if fault := patternFault(k, text); fault != "" {
				c.add(r.At, "%s: %q %s", k.plural(), text, fault)
				continue
			}
			out.patterns = append(out.patterns, newPattern(k, text, out))
		}
	}
	if !named {
		c.add(r.At, "the rule names nothing; add tools, prompts, resources or templates (tools: [\"*\"] names all tools)")
	}
	c.when(out, r)
	c.limit(out, r, block)
	return out
}

// when compiles what has to be true for a rule to apply.
func (c *compiler) when(out *rule, r *Rule) {
	for name := range r.Annotations {
		if fault := hintFault(name); fault != "" {
			c.add(r.At, "annotations: %q %s", name, fault)
			return
		}
	}
	switch {
	case r.Annotations == nil:
	case len(r.Annotations) == 0:
		c.add(r.At, emptyHints)
	case r.Tools == nil:
		c.add(r.At, "annotations are of tools, and the rule names none; add tools, or leave annotations out")
	}
	out.hints = newHints(r.Annotations)
	if r.When != "" {
		out.when = c.condition(r)
	}
}

// limit compiles how often what a rule allows may be done.
func (c *compiler) limit(out *rule, r *Rule, block string) {
	if r.Limit == "" {
		return
	}
	if fault := limitFault(r.Limit); fault != "" {
		c.add(r.At, "limit: %q %s", r.Limit, fault)
		return
	}
	if out.effect != allows {
		c.add(r.At, "limit: %s rules take none; write it in the allow rule", out.effect)
		return
	}
	l, _ := parseLimit(r.Limit)
	out.limit = &l
	key := sha256.Sum256(out.appendMeaning(appendText(nil, block)))
	l.Key = hex.EncodeToString(key[:12])
}

func newPattern(k Kind, text string, of *rule) *pattern {
	p := &pattern{text: text, kind: k, glob: parseGlob(k, text), rule: of}
	if k.uri() {
		p.parts = parseParts(k, text, p.glob)
		p.plain = plainGlobs(k, text)
	}
	return p
}

// numberOrgs numbers the organizations that rules name, from 1.
func numberOrgs(blocks []*block) map[string]int {
	orgs := make(map[string]int)
	for _, b := range blocks {
		if b == nil {
			continue
		}
		for _, r := range b.rules {
			if r.org != "" {
				orgs[r.org] = 0
			}
		}
	}
	for i, org := range slices.Sorted(maps.Keys(orgs)) {
		orgs[org] = i + 1
	}
	return orgs
}

// HasRole reports whether the policy has rules for the role.
func (p *Policy) HasRole(slug string) bool {
	_, ok := p.roles[slug]
	return ok
}

// HasPermission reports whether the policy has rules for the permission.
func (p *Policy) HasPermission(slug string) bool {
	_, ok := p.permissions[slug]
	return ok
}

// Roles returns the roles that the policy has rules for, sorted.
func (p *Policy) Roles() []string { return slices.Sorted(maps.Keys(p.roles)) }

// Permissions returns the permissions that the policy has rules for, sorted.
func (p *Policy) Permissions() []string { return slices.Sorted(maps.Keys(p.permissions)) }

// AllowsMethod reports whether a method outside the MCP specification may pass.
func (p *Policy) AllowsMethod(method string) bool {
	_, ok := p.methods[method]
	return ok
}

// Observe reports whether the policy's denials are only to be logged.
func (p *Policy) Observe() bool { return p.observe }
