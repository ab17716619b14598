package policy

import "crypto/sha256"

// Sight stands for what a View shows of one kind. Views of equal Sights show the same entries of every list of that kind,
// whichever policies they are of, so nobody has to be told of a change between them. It is comparable; the zero Sight
// is that of a View that shows nothing.
type Sight [16]byte

// Sight returns what stands for what v shows of a kind.
func (v *View) Sight(k Kind) Sight { return v.kinds[k].sight }

// sights digests the patterns. Rules that say the same in other words, or that deny what nothing allows, count as
// different: it costs a client a list that it has already.
func (d *verdicts) sights() (s Sight) {
	if len(d.allowed) == 0 {
		return s
	}
	sum := sha256.Sum256(appendTexts(appendTexts(nil, meanings(d.allowed)), meanings(append(d.denied[:len(d.denied):len(d.denied)], d.maybe...))))
	copy(s[:], sum[:])
	return s
}

// sight digests what is left of a view's tools.
func (n *narrowing) sight(v *View) (s Sight) {
	of := v.kinds[Tool].sight
	if of == s || n.tools != nil && len(n.tools) == 0 {
		return s
	}
	left := &Narrowing{ReadOnly: n.readOnly, Tools: n.tools}
	sum := sha256.Sum256(left.appendTo(of[:]))
	copy(s[:], sum[:])
	return s
}

// meanings returns the texts of patterns, with the conditions that they are under.
func meanings(patterns []*pattern) []string {
	list := make([]string, 0, len(patterns))
	for _, p := range patterns {
		text := p.text
		if p.rule.conditional(p.kind) {
			text += "\x00" + string(p.rule.appendConditions(nil))
		}
		list = append(list, text)
	}
	return list
}
