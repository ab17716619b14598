package guard

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// knowing returns a filter for a member that remembers entries.
func knowing(t *testing.T) *filter {
	t.Helper()
	view := compile(t, testPolicy).View(&policy.Subject{Roles: []string{"member"}}, "files")
	return &filter{view: view, maxTTL: 1000, known: &known{seed: maphash.MakeSeed()}, caller: nobody}
}

// filtered returns what becomes of a message.
func filtered(t *testing.T, f *filter, msg string) string {
	t.Helper()
	out, _, err := f.message([]byte(msg))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// remembered counts the entries that are.
func (k *known) remembered() (entries int, space int64) {
	t := k.table.Load()
	if t == nil {
		return 0, 0
	}
	for i := range t.slots {
		if e := t.slots[i].entry.Load(); e != nil {
			entries++
			space += e.size()
		}
	}
	return entries, space
}

func TestEntriesAreRememberedWhenTheyComeAgain(t *testing.T) {
	f := knowing(t)
	list := string(toolList(100))
	want := filtered(t, f, list)
	if n, _ := f.known.remembered(); n != 0 {
		t.Fatalf("%d entries are remembered that came once", n)
	}
	filtered(t, f, list)
	n, space := f.known.remembered()
	if n < 90 || n > 100 {
		t.Fatalf("%d entries are remembered", n)
	}
	if got := f.known.table.Load(); got.count.Load() != int64(n) || got.space.Load() != space {
		t.Errorf("%d entries of %d bytes are accounted for, not %d of %d", got.count.Load(), got.space.Load(), n, space)
	}
	if got := filtered(t, f, list); got != want {
		t.Error("what is remembered is filtered otherwise")
	}
	// Whatever stands around them.
	turned := strings.Replace(list, `{"jsonrpc":"2.0","id":7,"result":{`, `{"result":{"n":1,`, 1)
	turned = strings.TrimSuffix(turned, "}") + `,"id":"x","jsonrpc":"2.0"}`
	if got := filtered(t, f, turned); strings.Count(got, "shown_") != 67 || strings.Contains(got, "hidden") {
		t.Errorf("in another list: %.200s", got)
	}
}

func TestEntriesAreOnlyThoseThatCameBefore(t *testing.T) {
	f := knowing(t)
	shown := `{"name":"shown_lamp","description":"` + strings.Repeat("a", 300) + `"}`
	for range 3 {
		filtered(t, f, tools(shown))
		filtered(t, f, tools(`{"name":"hidden_vault","title":"a"}`))
	}
	for name, c := range map[string]struct{ in, want string }{
		"as it came":                {tools(shown), tools(shown)},
		"twice":                     {tools(shown + "," + shown), tools(shown + "," + shown)},
		"another at its end":        {tools(strings.Replace(shown, `a"}`, `a","name":"hidden_vault"}`, 1)), tools("")},
		"another name in the end":   {tools(strings.Replace(shown, `a"}`, `a","Name":"x"}`, 1)), tools("")},
		"one byte else":             {tools(strings.Replace(shown, "lamp", "lame", 1)), tools(strings.Replace(shown, "lamp", "lame", 1))},
		"a hidden one with another": {tools(`{"name":"hidden_vault","title":"b"},` + shown), tools(shown)},
		"in a list of others":       {`{"jsonrpc":"2.0","id":1,"result":{"resources":[` + shown + `]}}`, `{"jsonrpc":"2.0","id":1,"result":{"resources":[]}}`},
	} {
		if got := filtered(t, f, c.in); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
	for range 3 {
		filtered(t, f, tools(shown+",1"))
	}
	if got := filtered(t, f, tools(shown+",12")); got != tools(shown) {
		t.Errorf("after a number, one that begins with it: %s", got)
	}
	for name, msg := range map[string]string{
		"no comma after it":     tools(shown + shown),
		"something after it":    tools(shown + "x"),
		"cut off after it":      strings.TrimSuffix(tools(shown), "]}}"),
		"cut off in its middle": tools(shown)[:200],
	} {
		if out, _, err := f.message([]byte(msg)); err == nil {
			t.Errorf("%s: passes as %s", name, out)
		}
	}
}

func TestWhatIsRememberedIsJudgedForEach(t *testing.T) {
	f := knowing(t)
	p := compile(t, testPolicy)
	list := string(toolList(30))
	for range 5 {
		for role, want := range map[string]int{"member": 20, "admin": 30, "guest": 0} {
			f.view = p.View(&policy.Subject{Roles: []string{role}}, "files")
			out, fr, err := f.message([]byte(list))
			if err != nil || strings.Count(string(out), `"name"`) != want || fr.filtered != 30-want {
				t.Fatalf("a %s sees %.100s (%d left out), %v", role, out, fr.filtered, err)
			}
		}
	}
	f.view, f.observe = p.View(&policy.Subject{Roles: []string{"guest"}}, "files"), true
	if out, fr, err := f.message([]byte(list)); err != nil || string(out) != list || fr.filtered != 30 {
		t.Errorf("observing: %.100s, %d, %v", out, fr.filtered, err)
	}
	f.view, f.observe = compile(t, `roles: { member: { allow: [{ tools: [shown_0] }] } }`).View(&policy.Subject{Roles: []string{"member"}}, "files"), false
	if out := filtered(t, f, list); strings.Count(out, `"name"`) != 1 {
		t.Errorf("under another policy: %s", out)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	k := &known{seed: maphash.MakeSeed()}
	raw := make([]byte, knownMost)
	for i := range 3000 {
		copy(raw, fmt.Sprintf("{%07d", i))
		for range 2 {
			_, sum := k.find(policy.Tool, &scanner{b: raw}, nil)
			k.learn(sum, policy.Tool, raw, "name", nil)
		}
		if _, space := k.remembered(); space > knownSpace {
			t.Fatalf("%d bytes are remembered", space)
		}
	}
	if n, _ := k.remembered(); n == 0 {
		t.Error("nothing is remembered")
	}
	for range 3 {
		_, sum := k.find(policy.Tool, &scanner{b: append(raw, 'x')}, nil)
		k.learn(sum, policy.Tool, append(raw, 'x'), "", nil)
		if e, _ := k.find(policy.Tool, &scanner{b: append(raw, 'x')}, nil); e != nil && len(e.raw) > knownMost {
			t.Error("an entry is remembered that is too large to be")
		}
	}
	small := &known{seed: maphash.MakeSeed()}
	for i := range knownSlots {
		raw := fmt.Appendf(nil, `{"name":"tool_%d"}`, i)
		for range 2 {
			_, sum := small.find(policy.Tool, &scanner{b: raw}, nil)
			small.learn(sum, policy.Tool, raw, string(raw), nil)
		}
	}
	if n := len(small.table.Load().slots); n > knownSlots {
		t.Errorf("a table has %d slots", n)
	}
}

func TestManyLearnAndFindAtOnce(t *testing.T) {
	f := knowing(t)
	list := toolList(300)
	want := filtered(t, f, string(list))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			one := &filter{view: f.view, maxTTL: 1000, known: f.known, caller: nobody}
			for range 20 {
				if out, _, err := one.message(list); err != nil || string(out) != want {
					t.Errorf("got %.100s, %v", out, err)
				}
			}
		})
	}
	wait.Wait()
}
