package policy

import (
	"fmt"
	"slices"
	"strings"
)

// The inline form of a policy stands in a Caddyfile:
//
//	role member {
//		inherit guest
//		allow github tools get_* list_* prompts review
//		allow github tools create_issue when `args.owner == "acme"` limit 30/m per user
//		ask github tools merge_* annotations destructiveHint true
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
// tools, prompts, resources, templates, org, when, annotations and limit always begin a new part of a rule: a tool of such a
// name can be named in a policy file only. An expression is one word, so it stands between backticks.

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
		return nil, mistake(at, "%s", unknownKey(first, inlineKeys))
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
		return mistake(at, "%s", unknownKey(first, inlineKeys))
	}
	return checkWords(at, first, values, fault)
}

// AddLine adds a line of a block: `allow SERVER tools a b prompts c`, the same with ask or deny, or `inherit member`. Its error
// is an [*Error].
func (b *Block) AddLine(at Position, words ...string) error {
	first, values := shift(words)
	switch first {
	case "inherit":
		b.InheritAt = at
		b.Inherit = append(b.Inherit, values...)
		return checkWords(at, first, values, slugFault)
	case "allow", "ask", "deny":
		r, err := inlineRule(at, first, values)
		if err != nil {
			return err
		}
		switch first {
		case "allow":
			b.Allow = append(b.Allow, *r)
		case "ask":
			b.Ask = append(b.Ask, *r)
		default:
			b.Deny = append(b.Deny, *r)
		}
		return nil
	}
	return mistake(at, "%s", unknownKey(first, blockKeys))
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
		if key == "when" {
			end = min(2, len(words)) // whatever the expression is
		}
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
	switch key {
	case "org":
		if len(values) != 1 || r.Org != "" {
			return mistake(at, "org takes exactly one organization")
		}
		r.Org = values[0]
		return checkWords(at, key, values, slugFault)
	case "when":
		if len(values) != 1 || r.When != "" {
			return mistake(at, "when takes exactly one expression; put it between backticks")
		}
		r.When, r.WhenAt = values[0], at
		return checkWords(at, key, values, whenFault)
	case "annotations":
		return r.addHints(at, values)
	case "limit":
		if len(values) == 0 || r.Limit != "" {
			return mistake(at, "limit takes exactly one limit, such as 30/m per user")
		}
		r.Limit = strings.Join(values, " ")
		return checkWords(at, key, []string{r.Limit}, limitFault)
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
	return ok || word != "server" && slices.Contains(ruleKeys, word)
}

// addHints adds what annotations have to say to an inline rule: pairs of a hint and true or false.
func (r *Rule) addHints(at Position, words []string) error {
	if r.Annotations != nil || len(words) == 0 || len(words)%2 != 0 {
		return mistake(at, "annotations takes hints, each with true or false, once: annotations readOnlyHint true")
	}
	r.Annotations = make(map[string]bool)
	for i := 0; i < len(words); i += 2 {
		hint, says := words[i], words[i+1]
		if fault := hintFault(hint); fault != "" {
			return mistake(at, "annotations: %q %s", hint, fault)
		}
		if _, twice := r.Annotations[hint]; twice || says != "true" && says != "false" {
			return mistake(at, "annotations: %s must be true or false, once", hint)
		}
		r.Annotations[hint] = says == "true"
	}
	return nil
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
