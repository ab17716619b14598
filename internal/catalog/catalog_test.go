package catalog

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func TestReadFindsWhatClientsRepeatAndShow(t *testing.T) {
	deep := strings.Repeat(`{"properties":{"a":`, 40) + `{"x-mcp-header":"Deep"}` + strings.Repeat(`}}`, 40)
	for name, c := range map[string]struct {
		entry string
		want  *Tool
	}{
		"nothing":          {`{"name":"t"}`, new(Tool)},
		"an argument":      {`{"name":"t","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"q":{}}}}`, &Tool{Params: []Param{{"Mcp-Param-Region", []string{"region"}}}, UI: ""}},
		"two, one nested":  {`{"name":"t","inputSchema":{"properties":{"b":{"properties":{"id":{"x-mcp-header":"tenant_id"}}},"a":{"x-mcp-header":"A"}}}}`, &Tool{Params: []Param{{"Mcp-Param-A", []string{"a"}}, {"Mcp-Param-Tenant_id", []string{"b", "id"}}}, UI: ""}},
		"in an array":      {`{"name":"t","inputSchema":{"properties":{"a":{"items":{"x-mcp-header":"A"}}}}}`, new(Tool)},
		"at the root":      {`{"name":"t","inputSchema":{"x-mcp-header":"A"}}`, new(Tool)},
		"no token":         {`{"name":"t","inputSchema":{"properties":{"a":{"x-mcp-header":"A B"},"b":{"x-mcp-header":"B"}}}}`, new(Tool)},
		"empty":            {`{"name":"t","inputSchema":{"properties":{"a":{"x-mcp-header":""}}}}`, new(Tool)},
		"the same twice":   {`{"name":"t","inputSchema":{"properties":{"a":{"x-mcp-header":"Q"},"b":{"x-mcp-header":"q"}}}}`, new(Tool)},
		"a boolean schema": {`{"name":"t","inputSchema":{"properties":{"a":true,"b":{"x-mcp-header":"B"}}}}`, &Tool{Params: []Param{{"Mcp-Param-B", []string{"b"}}}, UI: ""}},
		"too long":         {`{"name":"t","description":"` + strings.Repeat("d", maxEntry) + `","_meta":{"ui":{"resourceUri":"ui://a/b"}}}`, nil},
		"too deep":         {`{"name":"t","inputSchema":` + deep + `}`, new(Tool)},
		"no schema":        {`{"name":"t","inputSchema":true,"_meta":{"ui":{"resourceUri":"ui://a"}}}`, &Tool{UI: "ui://a"}},
		"a page":           {`{"name":"t","_meta":{"ui":{"resourceUri":"ui://a/b"}}}`, &Tool{Params: nil, UI: "ui://a/b"}},
		"a page, flat":     {`{"name":"t","_meta":{"ui/resourceUri":"ui://a/b"}}`, &Tool{Params: nil, UI: "ui://a/b"}},
		"a page, twice":    {`{"name":"t","_meta":{"ui":{"resourceUri":"ui://new"},"ui/resourceUri":"ui://old"}}`, &Tool{Params: nil, UI: "ui://new"}},
		"no page of ours":  {`{"name":"t","_meta":{"ui":{"resourceUri":"docs://vault"}}}`, new(Tool)},
		"not text":         {`{"name":"t","_meta":{"ui":{"resourceUri":7},"ui/resourceUri":[]}}`, new(Tool)},
		"a member twice":   {`{"name":"t","_meta":{"ui":{"resourceUri":"ui://a","resourceUri":"ui://b"}}}`, nil},
		"another case":     {`{"name":"t","_meta":{"UI":{"resourceUri":"ui://a"}}}`, new(Tool)},
		"no name":          {`{"_meta":{"ui":{"resourceUri":"ui://a"}}}`, &Tool{Params: nil, UI: "ui://a"}},
		"nothing at all":   {`7`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Read([]byte(c.entry))
			if got != nil {
				got = &Tool{Params: got.Params, UI: got.UI}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("read %+v; want %+v", got, c.want)
			}
		})
	}
}

// page makes a tool with a page.
func page(name, uri string) Offer { return Offer{name, &Tool{UI: uri}} }

func TestAShelfHasWhatWasSeenLast(t *testing.T) {
	var c Catalog
	s := c.Shelf(Key{"files", ""})
	if s.Tool("a") != nil || s.ShownBy("ui://a") != nil {
		t.Error("something of nothing")
	}
	s.Learn(page("a", "ui://a"), page("b", "ui://a"), Offer{Name: "plain"})
	if got := s.ShownBy("ui://a"); len(got) != 2 || s.Tool("plain") != nil || s.Tool("a").UI != "ui://a" {
		t.Errorf("shown by %q", got)
	}
	before := s.now.Load()
	s.Learn(page("b", "ui://a"), Offer{Name: "plain"})
	if s.now.Load() != before {
		t.Error("nothing new, and all was made anew")
	}
	s.Learn(Offer{"a", &Tool{Params: []Param{{"Mcp-Param-X", []string{"x"}}}}}, Offer{Name: "b"})
	if s.ShownBy("ui://a") != nil || s.Tool("b") != nil || len(s.Tool("a").Params) != 1 {
		t.Error("what was seen before is still there")
	}
	if c.Shelf(Key{"files", ""}) != s || c.Shelf(Key{"files", "alice"}) == s || c.Shelf(Key{"other", ""}).Tool("a") != nil {
		t.Error("a shelf is not its key's")
	}
}

func TestACatalogIsBounded(t *testing.T) {
	var c Catalog
	first := c.Shelf(Key{"0", ""})
	for i := range 2 * mostShelves {
		c.Shelf(Key{fmt.Sprint(i), ""})
	}
	n := 0
	c.shelves.Range(func(any, any) bool { n++; return true })
	if n != mostShelves || len(c.order) != mostShelves || c.Shelf(Key{"0", ""}) == first {
		t.Errorf("%d shelves", n)
	}
	s := new(Shelf)
	long := strings.Repeat("x", mostOnShelf/8)
	var tools []Offer
	for i := range 20 {
		tools = append(tools, page(fmt.Sprint(i), "ui://"+long))
	}
	s.Learn(tools[:5]...)
	s.Learn(tools[5:]...)
	if now := s.now.Load(); now.size > mostOnShelf+mostOnShelf/4 || s.Tool("5") == nil || s.Tool("0") != nil {
		t.Errorf("%d bytes", now.size)
	}
	s.Learn(Offer{Name: "5"}, Offer{Name: "6"})
	sum := 0
	for name, tool := range s.now.Load().tools {
		sum += size(name, tool)
	}
	if got := s.now.Load().size; got != sum {
		t.Errorf("counts %d bytes, has %d", got, sum)
	}
}

func TestManyMayReadAndLearn(t *testing.T) {
	var c Catalog
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 100 {
				s := c.Shelf(Key{fmt.Sprint(n % 3), ""})
				s.Learn(page(fmt.Sprint(n), fmt.Sprintf("ui://%d", i)))
				if tool := s.Tool(fmt.Sprint(n)); tool == nil {
					t.Errorf("learnt %d, has %+v", n, tool)
				}
				s.ShownBy("ui://1")
			}
		})
	}
	wg.Wait()
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"name":"t","inputSchema":{"properties":{"region":{"x-mcp-header":"Region"}}},"_meta":{"ui":{"resourceUri":"ui://a"}}}`))
	f.Add([]byte(`{"name":"t","_meta":{"ui/resourceUri":"ui://a"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, entry []byte) {
		tool := Read(entry)
		if tool == nil {
			return
		}
		if tool.UI != "" && !strings.HasPrefix(tool.UI, "ui://") {
			t.Fatalf("%+v", tool)
		}
		for _, p := range tool.Params {
			if !strings.HasPrefix(p.Header, paramHeader) || !isToken(p.Header) || len(p.Path) == 0 || len(p.Path) > maxDepth {
				t.Fatalf("%+v", p)
			}
		}
	})
}
