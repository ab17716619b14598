package mcpcmd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

const (
	// mostUses bounds what is remembered of a log: things that differ, each by whom.
	mostUses = 200_000

	// mostBeside is how many resources in one folder are named one by one.
	mostBeside = 8
)

// errManyUses is why a log is not read on.
var errManyUses = fmt.Errorf("more than %d different uses; look at fewer servers at a time, with --server", mostUses)

// counts are how many records there were.
type counts struct {
	Read    int `json:"read"`    // audit records
	Used    int `json:"used"`    // of something that was used
	Denied  int `json:"denied"`  // of something that was denied
	Skipped int `json:"skipped"` // lines that are no audit records
}

// trail is what was used, by an audit trail.
type trail struct {
	counts
	only        []string // servers; all if it is empty
	uses        map[use]*used
	words       map[string]bool // roles, permissions and servers seen, and whether a policy can name them
	first, last time.Time
}

// use is one thing, and who of the policy's roles, permissions or everyone can have allowed it: words such as "role member",
// one after the other.
type use struct {
	server string
	kind   policy.Kind
	name   string
	by     string
}

// used says how often something was used.
type used struct {
	times    int
	observed int // of these, how often it would have been denied
	approved int // and how often a person had to approve it
	last     time.Time
}

// newTrail begins with nothing.
func newTrail(only []string) *trail {
	return &trail{only: only, uses: make(map[use]*used), words: make(map[string]bool)}
}

// ruleBlock finds in the name of a rule whose rule it is.
var ruleBlock = regexp.MustCompile(`\((role|permission) (.+), (?:allow|ask)\)$`)

// add adds a record.
func (u *trail) add(record *auditLine) error {
	u.Read++
	kind := slices.IndexFunc(kindNames, func(name string) bool { return name == record.Kind })
	name := record.name()
	// What people say of calls that wait for their approval is recorded by other events than the calls.
	if kind < 0 || name == "" || record.Method == "" || record.Event != record.Method || !u.nameable(record.Server) || len(u.only) > 0 && !slices.Contains(u.only, record.Server) {
		return nil
	}
	unnameable := func(word string) bool { return !u.nameable(word) }
	record.Roles = slices.DeleteFunc(record.Roles, unnameable)
	record.Permissions = slices.DeleteFunc(record.Permissions, unnameable)
	switch record.Decision {
	case "allow", "observe":
	case "deny":
		u.Denied++
		return nil
	default:
		return nil
	}
	u.Used++
	when := record.when()
	if !when.IsZero() && (u.first.IsZero() || when.Before(u.first)) {
		u.first = when
	}
	if when.After(u.last) {
		u.last = when
	}
	key := use{record.Server, policy.Kind(kind), name, allowedBy(record)}
	one := u.uses[key]
	if one == nil {
		if len(u.uses) == mostUses {
			return errManyUses
		}
		one = new(used)
		u.uses[key] = one
	}
	one.times++
	if record.Decision == "observe" {
		one.observed++
	}
	if strings.HasSuffix(record.Rule, ", ask)") {
		one.approved++
	}
	if when.After(one.last) {
		one.last = when
	}
	return nil
}

// add adds what is said of the same.
func (u *used) add(other *used) {
	u.times, u.observed, u.approved = u.times+other.times, u.observed+other.observed, u.approved+other.approved
	if other.last.After(u.last) {
		u.last = other.last
	}
}

// nameable reports whether a policy can name a role, a permission or a server so.
func (u *trail) nameable(word string) bool {
	fine, known := u.words[word]
	if !known {
		_, err := policy.Compile(&policy.Document{Roles: map[string]*policy.Block{word: {Allow: []policy.Rule{{Server: word, Tools: []string{"*"}}}}}})
		fine = err == nil && word != ""
		if len(u.words) < mostUses {
			u.words[word] = fine
		}
	}
	return fine
}

// kindNames are the words of records for kinds.
var kindNames = []string{policy.Tool.String(), policy.Prompt.String(), policy.Resource.String(), policy.Template.String()}

// allowedBy says who can have been meant by what allowed a use. That is the role or permission whose rule it was, if the person
// has it themselves and not only inherits it; else any of their roles, or, if they have none, any of their permissions.
func allowedBy(record *auditLine) string {
	if m := ruleBlock.FindStringSubmatch(record.Rule); m != nil {
		if m[1] == "role" && slices.Contains(record.Roles, m[2]) || m[1] == "permission" && slices.Contains(record.Permissions, m[2]) {
			return m[1] + " " + m[2]
		}
	}
	what, names := "role ", record.Roles
	if len(names) == 0 {
		what, names = "permission ", record.Permissions
	}
	if len(names) == 0 {
		return everyoneWord
	}
	words := make([]string, len(names))
	for i, name := range slices.Sorted(slices.Values(names)) {
		words[i] = what + name
	}
	return strings.Join(slices.Compact(words), bySeparator)
}

const (
	everyoneWord = "everyone"
	bySeparator  = "\n"
)

// settle chooses for each thing as few roles as explain all of its uses: those that are the only explanation of one first, then
// those that explain most.
func (u *trail) settle() map[string]map[use]*used {
	things := make(map[use][]use)
	for key := range u.uses {
		thing := key
		thing.by = ""
		things[thing] = append(things[thing], key)
	}
	settled := make(map[string]map[use]*used)
	for thing, open := range things {
		for len(open) > 0 {
			by := u.mostCommon(open)
			if settled[by] == nil {
				settled[by] = make(map[use]*used)
			}
			sum := new(used)
			settled[by][thing] = sum
			open = slices.DeleteFunc(open, func(key use) bool {
				if !slices.Contains(strings.Split(key.by, bySeparator), by) {
					return false
				}
				sum.add(u.uses[key])
				return true
			})
		}
	}
	return settled
}

// mostCommon returns who explains most of the uses that nobody explains yet, or one that has no other explanation.
func (u *trail) mostCommon(open []use) string {
	count := make(map[string]int)
	alone := ""
	for _, key := range open {
		words := strings.Split(key.by, bySeparator)
		if len(words) == 1 && (alone == "" || words[0] < alone) {
			alone = words[0]
		}
		for _, word := range words {
			count[word]++
		}
	}
	if alone != "" {
		return alone
	}
	return slices.MinFunc(slices.Collect(maps.Keys(count)), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	})
}

// draft makes the policy.
func (u *trail) draft() *draft {
	d := &draft{head: u.summary()}
	settled := u.settle()
	for _, by := range slices.Sorted(maps.Keys(settled)) {
		block := draftBlock{allow: draftRules(settled[by])}
		maps.DeleteFunc(settled[by], func(_ use, one *used) bool { return one.approved == 0 })
		block.ask = draftRules(settled[by])
		what, name, _ := strings.Cut(by, " ")
		block.name = name
		switch what {
		case "role":
			d.roles = append(d.roles, block)
		case "permission":
			d.permissions = append(d.permissions, block)
		default:
			block.about = "used by people without any role or permission"
			d.everyone = &block
		}
	}
	return d
}

// summary says what the policy was made of.
func (u *trail) summary() string {
	text := fmt.Sprintf("What was used, and nothing else, by %d of %d audit records", u.Used, u.Read)
	if !u.first.IsZero() {
		text += fmt.Sprintf(" from %s to %s", u.first.Format(time.DateOnly), u.last.Format(time.DateOnly))
	}
	text += "."
	if u.Denied > 0 {
		text += fmt.Sprintf("\n%d more were denied, and are not in here.", u.Denied)
	}
	if u.Skipped > 0 {
		text += fmt.Sprintf("\n%d lines were no audit records, and are left out.", u.Skipped)
	}
	return text + "\nWhat is marked with ! would have been denied: it was let pass by the mode observe. Read it before you allow it.\n" +
		"Conditions and limits are not in the records: add them again."
}

// draftRules makes a rule for each server.
func draftRules(uses map[use]*used) []draftRule {
	byServer := make(map[string]*draftRule)
	keys := slices.SortedFunc(maps.Keys(uses), func(a, b use) int {
		return cmp.Or(cmp.Compare(a.server, b.server), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	folders := make(map[use]int)
	for _, key := range keys {
		folders[folderOf(key)]++
	}
	grouped := make(map[use]*used)
	var order []use
	for _, key := range keys {
		named := key
		if folder := folderOf(key); folder != key && folders[folder] > mostBeside {
			named = folder
		} else {
			named.name = unredacted(key)
		}
		if grouped[named] == nil {
			grouped[named] = new(used)
			order = append(order, named)
		}
		grouped[named].add(uses[key])
	}
	for _, key := range order {
		rule := byServer[key.server]
		if rule == nil {
			rule = &draftRule{server: key.server}
			byServer[key.server] = rule
		}
		rule.kinds[key.kind] = append(rule.kinds[key.kind], draftEntry{key.name, grouped[key].String()})
	}
	rules := make([]draftRule, 0, len(byServer))
	for _, server := range slices.Sorted(maps.Keys(byServer)) {
		rules = append(rules, *byServer[server])
	}
	return rules
}

// String says how often something was used.
func (u *used) String() string {
	text := fmt.Sprintf("%d×", u.times)
	if !u.last.IsZero() {
		text += ", last " + u.last.Format(time.DateOnly)
	}
	if u.observed > 0 {
		text = fmt.Sprintf("! %s, would have been denied %d×", text, u.observed)
	}
	return text
}

// folderOf returns all that stands beside a resource, as a glob; other things are returned as they are.
func folderOf(key use) use {
	slash := strings.LastIndexByte(key.name, '/')
	if key.kind != policy.Resource || strings.ContainsAny(key.name, "?#…") || slash <= strings.Index(key.name, "://")+len("://") {
		return key
	}
	key.name = key.name[:slash+1] + "*"
	return key
}

// unredacted returns a glob for a URI whose query or fragment the audit record leaves out.
func unredacted(key use) string {
	for _, mark := range []string{"?", "#"} {
		if before, found := strings.CutSuffix(key.name, mark+"…"); found && (key.kind == policy.Resource || key.kind == policy.Template) {
			return before + mark + "**"
		}
	}
	return key.name
}

// asJSON is the JSON form of the answer.
func (u *trail) asJSON(text string) (string, error) {
	form, err := policyJSON(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = printJSON(&out, suggestion{json.RawMessage(form), u.counts})
	return out.String(), err
}
