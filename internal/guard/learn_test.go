package guard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
)

// described makes the entries of tools with a description.
func described(n int, text string) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"name":"shown_%d","description":"%s"}`, i, text)
	}
	return strings.Join(entries, ",")
}

// shelf is what the guard has seen of the server.
func (g *rig) shelf() *catalog.Shelf {
	return g.guard.cfg.Catalog.Shelf(catalog.Key{Server: "files"})
}

func TestDefinitionsAreLearntFromLists(t *testing.T) {
	for _, all := range []bool{false, true} {
		g := newRig(t, nil)
		g.guard.reading.all = all
		g.lists(`{"name":"hidden_vault","description":"v1","annotations":{"readOnlyHint":true}},` + described(3, "v1"))
		first := g.shelf().Tool("hidden_vault")
		if first == nil || !first.Annotations.ReadOnly || g.shelf().Tool("shown_2") == nil {
			t.Fatalf("%+v", first)
		}
		for range 3 { // so that the entries are known
			g.lists(`{"name":"hidden_vault","description":"v1","annotations":{"readOnlyHint":true}},` + described(3, "v1"))
		}
		if g.shelf().Tool("hidden_vault") != first {
			t.Error("the same is there anew")
		}
		g.lists(`{"name":"hidden_vault","description":"v2"}`)
		if tool := g.shelf().Tool("hidden_vault"); tool == nil || tool.Digest == first.Digest || tool.Annotations.ReadOnly {
			t.Errorf("%+v", tool)
		}
		g.lists(`{"name":"hidden_vault","Description":"v3"}`)
		if tool := g.shelf().Tool("hidden_vault"); tool != nil {
			t.Errorf("can't be read for certain, and is %+v", tool)
		}
	}
}

func TestNoMoreIsReadThanIsWorthIt(t *testing.T) {
	long := strings.Repeat("d", maxEntry/32)
	many := 2*freeReading/len(long) + 1
	last := fmt.Sprintf("shown_%d", many-1)
	g := newRig(t, nil)
	g.lists(described(many, long))
	if g.shelf().Tool("shown_0") == nil || g.shelf().Tool(last) != nil {
		t.Fatal("all were read, or none")
	}
	for range 3 {
		g.lists(described(many, long))
	}
	if g.shelf().Tool(last) == nil {
		t.Error("what comes again is never read")
	}
	marked := `{"name":"shown_x","description":"` + long + `","inputSchema":{"properties":{"a":{"x-mcp-header":"A"}}}}`
	g.lists(described(many, long+"2") + "," + marked)
	if tool := g.shelf().Tool("shown_x"); tool == nil || len(tool.Params) != 1 {
		t.Errorf("%+v", tool)
	}
	g.lists(described(many, long+"3") + `,{"name":"shown_x"}`)
	if tool := g.shelf().Tool("shown_x"); tool != nil && len(tool.Params) != 0 {
		t.Errorf("has the fields of its old definition: %+v", tool)
	}

	g.guard.reading.all = true
	g.lists(described(many, long+"4"))
	for i := range many {
		name := fmt.Sprintf("shown_%d", i)
		want := catalog.Read([]byte(`{"name":"` + name + `","description":"` + long + `4"}`))
		if !g.shelf().Tool(name).Equal(want) {
			t.Fatalf("%s was not read", name)
		}
	}
}

func TestTheFreeReadingIsPerSecond(t *testing.T) {
	var r reading
	at := time.Unix(1000, 0)
	if got := r.spare(at); got != freeReading {
		t.Errorf("%d bytes", got)
	}
	r.spent.Add(freeReading)
	if got := r.spare(at.Add(999 * time.Millisecond)); got > 0 {
		t.Errorf("%d bytes more in the same second", got)
	}
	if got := r.spare(at.Add(time.Second)); got != freeReading {
		t.Errorf("%d bytes in the next", got)
	}
	var none *reading
	if none.spare(at) != 0 {
		t.Error("something is read for nobody")
	}
}
