package policy

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// randomPolicy writes policies of few names, so that rules meet.
type randomPolicy struct{ *rand.Rand }

func (r randomPolicy) pick(words ...string) string { return words[r.IntN(len(words))] }

func (r randomPolicy) some(n int, one func() string) []string {
	var list []string
	for range r.IntN(n + 1) {
		list = append(list, one())
	}
	return list
}

func (r randomPolicy) name() string {
	return r.pick("get", "put", "Get") + r.pick("", "_a", "_b", "_ab") + r.pick("", "_x", "/y")
}

func (r randomPolicy) glob() string {
	name := r.name()
	switch i := r.IntN(len(name) + 1); r.IntN(4) {
	case 0:
		return name[:i] + "*"
	case 1:
		return "*" + name[i:]
	case 2:
		return name[:i] + "*" + name[min(len(name), i+2):]
	}
	return name
}

func (r randomPolicy) uri() string {
	return r.pick("docs:", "docs:", "file:") + r.pick("//a", "//b", "/a") + r.pick("", "/x", "/y", "/%78", "//x") +
		r.pick("", "/z", "/..", "/z/z", "#f", "?q", "?q/z", "?/z#f")
}

func (r randomPolicy) uriGlob() string {
	return r.pick("docs://", "docs://a/", "**/", "docs://*/", "file://a/") + r.pick("**", "*", "x", "x/*", "*/z", "%78", "*?q*", "**#f")
}

func (r randomPolicy) rules() []Rule {
	var rules []Rule
	for range r.IntN(4) {
		rule := Rule{
			Server:    r.pick("", "*", "s1", "s*", "s2"),
			Org:       r.pick("", "", "o1", "o2"),
			Tools:     r.some(3, r.glob),
			Prompts:   r.some(1, r.glob),
			Resources: r.some(2, r.uriGlob),
			Templates: r.some(1, r.uriGlob),
		}
		if slices.Concat(rule.Tools, rule.Prompts, rule.Resources, rule.Templates) == nil {
			rule.Tools = []string{"*"}
		}
		rules = append(rules, rule)
	}
	return rules
}

// document makes roles r0 to r3, of which each can inherit those before it, and permissions p0 and p1.
func (r randomPolicy) document() *Document {
	d := &Document{Roles: map[string]*Block{}, Permissions: map[string]*Block{}}
	block := func(roles int) *Block {
		b := &Block{Allow: r.rules(), Deny: r.rules()}
		if roles > 0 {
			b.Inherit = r.some(2, func() string { return fmt.Sprintf("r%d", r.IntN(roles)) })
		}
		return b
	}
	for i := range 4 {
		d.Roles[fmt.Sprintf("r%d", i)] = block(i)
	}
	for i := range 2 {
		d.Permissions[fmt.Sprintf("p%d", i)] = block(4)
	}
	if r.IntN(2) == 0 {
		d.Everyone = block(4)
	}
	return d
}

func (r randomPolicy) subject() *Subject {
	return &Subject{
		Roles:       r.some(3, func() string { return r.pick("r0", "r1", "r2", "r3", "other") }),
		Permissions: r.some(2, func() string { return r.pick("p0", "p1", "r1") }),
		Org:         r.pick("", "o1", "o2", "o3"),
		Machine:     r.IntN(4) == 0,
	}
}

var slashesAfterScheme = regexp.MustCompile(`:/+`)

// judge is the policy's meaning, written down a second time without any index, memo or shortcut.
func judge(d *Document, s *Subject, server string, k Kind, name string) bool {
	allowed, denied := false, false
	var apply func(b *Block)
	matches := func(rule Rule, deny bool) bool {
		if rule.Org != "" && rule.Org != s.Org || rule.Server != "" && !wildMatch(Tool, rule.Server, server) {
			return false
		}
		names := []string{name}
		if path := strings.FieldsFunc(name, func(r rune) bool { return r == '?' || r == '#' })[0]; k.uri() && strings.HasPrefix(name, "file:") {
			names = append(names, path)
		}
		return slices.ContainsFunc(*rule.list(k), func(text string) bool {
			if !deny {
				return wildMatchAllowed(k, text, name)
			}
			return slices.ContainsFunc(names, func(name string) bool {
				return wildMatch(k, text, name) || k.uri() && slices.ContainsFunc([]string{":/", "://", ":///"}, func(slashes string) bool {
					respelt := slashesAfterScheme.ReplaceAllString(plainText(text), slashes)
					return wildMatch(k, respelt, plainURI(name))
				})
			})
		})
	}
	apply = func(b *Block) {
		if b == nil {
			return
		}
		for _, rule := range b.Allow {
			allowed = allowed || matches(rule, false)
		}
		for _, rule := range b.Deny {
			denied = denied || matches(rule, true)
		}
		for _, role := range b.Inherit {
			apply(d.Roles[role])
		}
	}
	if !s.Machine {
		apply(d.Everyone)
	}
	for _, role := range s.Roles {
		apply(d.Roles[role])
	}
	for _, permission := range s.Permissions {
		apply(d.Permissions[permission])
	}
	return allowed && !denied && nameTrap(k, name) == ""
}

// What a list shows is what can be called: whoever lists, in whatever order and by whichever View, sees exactly the names
// that a call is allowed for, and both are what the rules say.
func TestListingAndCallingNeverDisagree(t *testing.T) {
	r := randomPolicy{rand.New(rand.NewPCG(3, 4))}
	counts := map[bool]int{}
	for range 70 {
		d := r.document()
		lister, err := Compile(d)
		if err != nil {
			t.Fatal(err)
		}
		caller, err := Compile(d)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			s := r.subject()
			server := r.pick("s1", "s2", "x")
			for k := range kinds {
				offered := make([]string, 30)
				for i := range offered {
					if offered[i] = r.name(); k.uri() {
						offered[i] = r.uri()
					}
				}
				view := lister.View(s, server)
				listed := slices.DeleteFunc(slices.Clone(offered), func(name string) bool { return !view.Decide(k, name).Allowed })

				again := *s // a call comes later: the roles have been read anew, in another order
				again.Roles = slices.Clone(s.Roles)
				slices.Reverse(again.Roles)
				again.Roles = append(again.Roles, again.Roles...)
				for _, name := range offered {
					call := caller.View(&again, server).Decide(k, name)
					if call.Allowed != slices.Contains(listed, name) {
						t.Fatalf("%v %q: listed %v, but the call is %+v", k, name, !call.Allowed, call)
					}
					if want := judge(d, s, server, k, name); call.Allowed != want {
						t.Fatalf("%v %q is %+v, but the rules say %v", k, name, call, want)
					}
					if call.Allowed && view.Empty() {
						t.Fatalf("%v %q is allowed by an empty view", k, name)
					}
					counts[call.Allowed]++
				}
				checkDescription(t, view, k, listed)
			}
		}
	}
	if counts[true] < 3_000 || counts[false] < 3_000 {
		t.Errorf("allowed and denied: %v: the test shows little", counts)
	}
}

// checkDescription holds that whatever can be used is described.
func checkDescription(t *testing.T, v *View, k Kind, listed []string) {
	t.Helper()
	abilities := v.Describe()
	if v.Empty() != (len(abilities) == 0) {
		t.Fatalf("Empty is %v, but the description is %v", v.Empty(), abilities)
	}
	i := slices.IndexFunc(abilities, func(a Ability) bool { return a.Kind == k })
	for _, name := range listed {
		if i < 0 || !slices.ContainsFunc(abilities[i].Allowed, func(text string) bool { return wildMatch(k, text, name) }) {
			t.Fatalf("%v %q is allowed, but not described: %v", k, name, abilities)
		}
	}
}

// An index of many patterns finds what trying each finds.
func TestIndexAgreesWithTryingEach(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	letters := func(s string, n int) string {
		var b strings.Builder
		for range r.IntN(n + 1) {
			b.WriteByte(s[r.IntN(len(s))])
		}
		return b.String()
	}
	for range 500 {
		k := []Kind{Tool, Resource}[r.IntN(2)]
		var patterns []*pattern
		for i := range r.IntN(40) {
			patterns = append(patterns, newPattern(k, letters("ab/?**", 6), &rule{title: fmt.Sprint(i)}))
		}
		x, match := newIndex(patterns, written, false), wildMatch
		if k.uri() && r.IntN(2) == 0 {
			x, match = newIndex(patterns, bounded, false), wildMatchAllowed
		}
		for range 200 {
			text := letters("ab/?", 8)
			rule := x.first(text)
			got := rule != nil
			i := slices.IndexFunc(patterns, func(p *pattern) bool { return match(k, p.text, text) })
			if got != (i >= 0) {
				t.Fatalf("%q: %v, want %v", text, got, i >= 0)
			}
			if got && !slices.ContainsFunc(patterns, func(p *pattern) bool { return p.rule == rule && match(k, p.text, text) }) {
				t.Fatalf("%q: the rule %s does not match it", text, rule.title)
			}
		}
	}
}
