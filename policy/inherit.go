package policy

import (
	"slices"
	"strings"
)

// link looks up what the blocks inherit, and refuses unknown roles, circles and chains that are too long.
func (c *compiler) link(p *Policy) {
	for _, b := range p.blocks {
		if b == nil {
			continue
		}
		for _, name := range b.inherits {
			if above, ok := p.roles[name]; ok {
				b.inherit = append(b.inherit, above)
			} else {
				c.add(b.inheritAt, "inherit: no role named %s%s", name, didYouMean(name, p.Roles(), ""))
			}
		}
	}
	l := &lineage{compiler: c, blocks: p.blocks, depths: make([]int, len(p.blocks))}
	l.check()
}

// lineage goes through the blocks along what they inherit, depth first.
type lineage struct {
	*compiler
	blocks []*block
	depths []int // of each block, how many it has above itself, itself included; 0 if not known yet
	path   []int // the blocks on the way to the present one
}

// check reports every circle once, and one chain that is too long.
func (l *lineage) check() {
	long := false
	for n, b := range l.blocks {
		if b != nil && l.depth(n) > MaxInheritDepth && !long {
			long = true
			l.add(b.inheritAt, "inherit: more than %d roles inherit one another in a row, from %s on", MaxInheritDepth, b.title)
		}
	}
}

func (l *lineage) depth(n int) int {
	if l.depths[n] > 0 {
		return l.depths[n]
	}
	if i := slices.Index(l.path, n); i >= 0 {
		var circle []string
		for _, m := range l.path[i:] {
			circle = append(circle, l.blocks[m].name)
		}
		circle = append(circle, l.blocks[n].name)
		l.add(l.blocks[n].inheritAt, "inherit: a role inherits itself: %s", strings.Join(circle, " > "))
		return 0
	}
	l.path = append(l.path, n)
	deepest := 0
	for _, above := range l.blocks[n].inherit {
		deepest = max(deepest, l.depth(above))
	}
	l.path = l.path[:len(l.path)-1]
	l.depths[n] = deepest + 1
	return l.depths[n]
}
