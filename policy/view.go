package policy

import (
	"encoding/binary"
	"slices"
)

// View is what applies to agents of subjects of equal rights at one server. It is immutable and safe for concurrent use. The zero
// View denies everything.
type View struct {
	id       string
	server   string
	narrow   *narrowing // nil if all is left to the agent
	patterns int
	kinds    [kinds]verdicts
}

// verdicts holds what applies to one kind.
type verdicts struct {
	allow     *index // of rules without a condition and a limit
	deny, ask bars   // of rules without a condition

	// Of all others; nil if there are none.
	allowIf       *index
	denyIf, askIf bars

	allowed []*pattern
	denied  []*pattern // by rules without a condition
	asked   []*pattern
	maybe   []*pattern // denied by rules with a condition
	sight   Sight

	conditional bool         // more than names decides
	annotated   bool         // so do annotations
	conditions  []*condition // that decide what is shown, each once
}

// bars are the patterns of rules that stand in the way. Unlike those of allow rules they also match other spellings of what
// they name.
type bars struct {
	written, plain *index // see plainURI
}

// View returns what applies to s at the server; it never returns nil. Two subjects whose roles, permissions and
// organization make no difference to the policy, and who left their agents the same, get the same View. Views are kept, so that asking again takes no lock and
// does not allocate.
func (p *Policy) View(s *Subject, server string) *View {
	if s == nil || len(p.blocks) == 0 {
		return &View{}
	}
	var numbersBuf [64]int
	var keyBuf [512]byte
	numbers := p.rights(numbersBuf[:0], s)
	var left *Narrowing
	if !s.Narrowing.all() {
		left = s.Narrowing
	}
	key := appendRights(keyBuf[:0], numbers, p.orgs[s.Org], left, server)
	if v := p.views.Load().find(key); v != nil {
		return v
	}
	if left != nil {
		whole := *s
		whole.Narrowing = nil
		base := p.View(&whole, server)
		return p.remember(string(key), func() *View { return base.narrowed(left) })
	}
	numbers = slices.Clone(numbers)
	return p.remember(string(key), func() *View { return p.build(numbers, s.Org, server) })
}

// rights appends the numbers of the blocks that apply to s by themselves, sorted and each once.
func (p *Policy) rights(numbers []int, s *Subject) []int {
	if !s.Machine && p.blocks[everyone] != nil {
		numbers = append(numbers, everyone)
	}
	for _, role := range s.Roles {
		if n, ok := p.roles[role]; ok {
			numbers = append(numbers, n)
		}
	}
	for _, permission := range s.Permissions {
		if n, ok := p.permissions[permission]; ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// appendRights appends what a view depends on, besides the policy.
func appendRights(key []byte, numbers []int, org int, left *Narrowing, server string) []byte {
	if left != nil {
		key = left.appendTo(append(key, 1))
	} else {
		key = append(key, 0)
	}
	key = binary.BigEndian.AppendUint32(key, uint32(org))
	key = binary.BigEndian.AppendUint32(key, uint32(len(numbers)))
	for _, n := range numbers {
		key = binary.BigEndian.AppendUint32(key, uint32(n))
	}
	return append(key, server...)
}

// build collects the rules that apply, those of inherited roles included.
func (p *Policy) build(numbers []int, org, server string) *View {
	v := &View{server: server}
	seen := make(map[int]bool)
	for len(numbers) > 0 {
		n := numbers[0]
		numbers = numbers[1:]
		if seen[n] {
			continue
		}
		seen[n] = true
		b := p.blocks[n]
		numbers = append(numbers, b.inherit...)
		for _, r := range b.rules {
			if r.org != "" && r.org != org || !r.servers.match(server) {
				continue
			}
			v.patterns += len(r.patterns)
			for _, pat := range r.patterns {
				v.kinds[pat.kind].add(pat)
			}
		}
	}
	for k := range v.kinds {
		v.kinds[k].link(Kind(k))
	}
	return v
}

// add adds what a rule names.
func (d *verdicts) add(p *pattern) {
	list := &d.allowed
	switch p.rule.effect {
	case asks:
		list = &d.asked
	case denies:
		if list = &d.denied; p.rule.conditional(p.kind) {
			list = &d.maybe
		}
	}
	*list = append(*list, p)
}

// link makes what was added ready to be judged by.
func (d *verdicts) link(k Kind) {
	form := written
	if k.uri() {
		form = bounded
	}
	sure, rest := split(d.allowed, func(p *pattern) bool { return !p.rule.conditional(k) && p.rule.limit == nil })
	d.allow, d.allowIf = newIndex(sure, form, false), newIndex(rest, form, true)
	sure, rest = split(d.asked, func(p *pattern) bool { return !p.rule.conditional(k) })
	d.ask, d.askIf = newBars(k, sure, false), newBars(k, rest, true)
	d.deny, d.denyIf = newBars(k, d.denied, false), newBars(k, d.maybe, true)
	d.sight = d.sights()
	d.note(k)
}

// split returns the patterns that are chosen, and the others.
func split(patterns []*pattern, choose func(*pattern) bool) (chosen, others []*pattern) {
	for _, p := range patterns {
		if choose(p) {
			chosen = append(chosen, p)
		} else {
			others = append(others, p)
		}
	}
	return chosen, others
}

// newBars indexes the patterns of rules that stand in the way.
func newBars(k Kind, patterns []*pattern, every bool) bars {
	b := bars{written: newIndex(patterns, written, every)}
	if k.uri() {
		b.plain = newIndex(patterns, plain, every)
	}
	return b
}

// ID identifies the policy's meaning, the rights and the server: views with equal IDs decide alike. It is a cache key.
func (v *View) ID() string { return v.id }
