package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
)

// Hash returns a short hex digest of what the policy means: two files that differ only in comments, layout or order have
// the same.
func (p *Policy) Hash() string { return hex.EncodeToString(p.digest[:8]) }

// fingerprint digests the compiled policy, with everything that has no order sorted.
func (p *Policy) fingerprint() [sha256.Size]byte {
	var b []byte
	for _, blk := range p.blocks {
		if blk != nil {
			b = appendText(b, blk.title)
			b = appendTexts(b, blk.inherits)
			rules := make([]string, 0, len(blk.rules))
			for _, r := range blk.rules {
				rules = append(rules, string(r.appendMeaning(nil)))
			}
			b = appendTexts(b, rules)
		}
	}
	b = appendTexts(b, slices.Collect(maps.Keys(p.methods)))
	if p.observe {
		b = append(b, modeObserve...)
	}
	return sha256.Sum256(b)
}

func (r *rule) appendMeaning(b []byte) []byte {
	b = appendText(appendText(appendText(b, r.effect.String()), r.server), r.org)
	b = r.appendConditions(b)
	if l := r.limit; l != nil {
		b = append(b, 1, byte(l.By))
		b = binary.BigEndian.AppendUint64(b, uint64(l.Count))
		b = binary.BigEndian.AppendUint64(b, uint64(l.Per))
	} else {
		b = append(b, 0)
	}
	patterns := make([]string, 0, len(r.patterns))
	for _, p := range r.patterns {
		patterns = append(patterns, p.kind.String()+" "+p.text)
	}
	return appendTexts(b, patterns)
}

// appendConditions appends what has to be true for the rule to apply.
func (r *rule) appendConditions(b []byte) []byte {
	if r.when != nil {
		b = append(b, 1)
		b = appendText(b, r.when.text)
	} else {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.hints)))
	for _, h := range r.hints {
		b = append(appendText(b, h.name), 0)
		if h.says {
			b[len(b)-1] = 1
		}
	}
	return b
}

// appendTexts appends a set of texts, such that no other set gives the same bytes.
func appendTexts(b []byte, texts []string) []byte {
	texts = slices.Compact(slices.Sorted(slices.Values(texts)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(texts)))
	for _, t := range texts {
		b = appendText(b, t)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}
