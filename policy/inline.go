package policy

import (
	"fmt"
	"slices"
)

// The inline form of a policy stands in a Caddyfile:
//
//	role member {
//		inherit guest
//		allow github tools get_* list_* prompts review
//		deny * tools delete_*
//	}
//	permission image_generation {
//		allow images tools generateImage org org_01H
//	}
//	everyone {
//		allow status tools *
//	}
//	methods ext/ping
//	mode observe
//
// Whoever reads the Caddyfile gives each line's words and position to the methods below, which are as strict as [Parse].
// tools, prompts, resources, templates and org, and the words of rules to come, always begin a new part of a rule: a tool of
// such a name can be named in a policy file only.

var inlineKeys = []string{"role", "permission", "everyone", "methods", "mode"}

// AddBlock adds the block that a line such as `role member`, `permission image_generation` or `everyone` begins, and returns
// it. Its error is an [*Error].
func (d *Document) AddBlock(at Position, words ...string) (*Block, error) {
	b := &Block{At: at}
	first, names := shift(words)
	blocks := &d.Roles
	switch first {
	case "role":
	case "permission":
		blocks = &d.Permissions
	case "everyone":
		if len(names) > 0 {
			return nil, mistake(at, "everyone takes no name, but there is %q", names[0])
		}
		if d.Everyone != nil {
			return nil, mistake(at, "everyone is written twice")
		}
		d.Everyone = b
		return b, nil
	default:
		return nil, mistake(at, "%s", unknownKey(first, inlineKeys, nil))
	}
	if len(names) != 1 {
		return nil, mistake(at, "%s takes exactly one name", first)
	}
	name := names[0]
	if fault := slugFault(name); fault != "" {
		return nil, mistake(at, "%s: %q %s", first, name, fault)
	}
	if (*blocks)[name] != nil {
		return nil, mistake(at, "%s %s is written twice", first, name)
	}
	if *blocks == nil {
		*blocks = make(map[string]*Block)
	}
	(*blocks)[name] = b
	return b, nil
}

// AddSetting applies a line that begins no block: `methods ext/ping` or `mode observe`. Its error is an [*Error].
func (d *Document) AddSetting(at Position, words ...string) error {
	first, values := shift(words)
	var fault func(string) string
	switch first {
	case "methods":
		fault = slugFault
		d.MethodsAt = at
		d.Methods = append(d.Methods, values...)
	case "mode":
		if len(values) != 1 || d.Mode != "" {
			return mistake(at, "mode takes exactly one value: enforce or observe")
		}
		fault = modeFault
		d.ModeAt, d.Mode = at, values[0]
	default:
		return mistake(at, "%s", unknownKey(first, inlineKeys, nil))
	}
	return checkWords(at, first, values, fault)
}

// AddLine adds a line of a block: `allow SERVER tools a b prompts c`, `deny SERVER tools c` or `inherit member`. Its error
// is an [*Error].
func (b *Block) AddLine(at Position, words ...string) error {
	first, values := shift(words)
	switch first {
	case "inherit":
		b.InheritAt = at
		b.Inherit = append(b.Inherit, values...)
		return checkWords(at, first, values, slugFault)
	case "allow", "deny":
		r, err := inlineRule(at, first, values)
		if err != nil {
			return err
		}
		if first == "allow" {
			b.Allow = append(b.Allow, *r)
		} else {
			b.Deny = append(b.Deny, *r)
		}
		return nil
	}
	return mistake(at, "%s", unknownKey(first, blockKeys, blockLater))
}

// inlineRule reads SERVER and then parts that each begin with a key of a rule.
func inlineRule(at Position, verdict string, words []string) (*Rule, error) {
	server, words := shift(words)
	r := &Rule{Server: server, At: at}
	if fault := serverFault(server); fault != "" {
		return nil, mistake(at, "%s: server %q %s", verdict, server, fault)
	}
	if len(words) == 0 || !isRuleKey(words[0]) {
		return nil, mistake(at, "%s", inlineUsage(verdict, server, words))
	}
	for len(words) > 0 {
		key := words[0]
		end := 1
		for end < len(words) && !isRuleKey(words[end]) {
			end++
		}
		if err := r.addPart(at, key, words[1:end]); err != nil {
			return nil, err
		}
		words = words[end:]
	}
	return r, nil
}

// addPart adds a key and its values to an inline rule.
func (r *Rule) addPart(at Position, key string, values []string) error {
	if slices.Contains(ruleLater, key) {
		return mistake(at, "%s", unknownKey(key, ruleKeys, ruleLater))
	}
	if key == "org" {
		if len(values) != 1 || r.Org != "" {
			return mistake(at, "org takes exactly one organization")
		}
		r.Org = values[0]
		return checkWords(at, key, values, slugFault)
	}
	kind, _ := kindOf(key)
	list := r.list(kind)
	if *list != nil {
		return mistake(at, "%s is written twice in one rule", key)
	}
	*list = values
	return checkWords(at, key, values, func(s string) string { return patternFault(kind, s) })
}

// isRuleKey reports whether a word begins a part of an inline rule.
func isRuleKey(word string) bool {
	_, ok := kindOf(word)
	return ok || word == "org" || slices.Contains(ruleLater, word)
}

// inlineUsage says what is wrong with a rule whose server is not followed by a key.
func inlineUsage(verdict, server string, words []string) string {
	usage := fmt.Sprintf("%s takes a server and what it names there: %[1]s SERVER tools NAME...", verdict)
	if isRuleKey(server) {
		return usage + "; for every server write *"
	}
	if len(words) > 0 {
		return fmt.Sprintf("%s; there is %q after the server%s", usage, words[0], didYouMean(words[0], ruleKeys[1:], ""))
	}
	return usage
}

// checkWords refuses a key without values, and values with a fault.
func checkWords(at Position, key string, values []string, fault func(string) string) error {
	if len(values) == 0 {
		return mistake(at, "%s needs at least one value", key)
	}
	for _, v := range values {
		if f := fault(v); f != "" {
			return mistake(at, "%s: %q %s", key, v, f)
		}
	}
	return nil
}

// shift takes the first word off.
func shift(words []string) (first string, rest []string) {
	if len(words) == 0 {
		return "", nil
	}
	return words[0], slices.Clip(words[1:])
}
