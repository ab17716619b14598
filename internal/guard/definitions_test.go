package guard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestAnnotationsCountOnlyWhereTheyAreTrusted(t *testing.T) {
	said := policy.Annotations{Known: true, ReadOnly: true}
	tool := &catalog.Tool{Annotations: said}
	if got := (&Guard{}).annotations(tool); got != (policy.Annotations{}) {
		t.Errorf("believed: %+v", got)
	}
	trusting := &Guard{cfg: Config{TrustAnnotations: true}}
	if got := trusting.annotations(tool); got != said {
		t.Errorf("not believed: %+v", got)
	}
	if got := trusting.annotations(nil); got != (policy.Annotations{}) {
		t.Errorf("known of a tool that was never seen: %+v", got)
	}
}

func TestADefinitionIsAskedForWhenItIsNeeded(t *testing.T) {
	s := &listing{era: "modern", tools: fiveTools()}
	g := looking(t, s)
	x := &exchange{g: g.guard, out: new(Outcome), r: httptest.NewRequest(http.MethodPost, "/", nil)}
	if tool, err := x.definition("tool_3"); err != nil || tool == nil || !tool.Annotations.ReadOnly {
		t.Fatalf("%+v, %v", tool, err)
	}
	asked := s.methods()
	if tool, err := x.definition("tool_4"); err != nil || tool == nil {
		t.Errorf("%+v, %v", tool, err)
	}
	if tool, err := x.definition("nothere"); err != nil || tool != nil {
		t.Errorf("%+v, %v", tool, err)
	}
	if again := s.methods(); again != "" {
		t.Errorf("asked %s, and then %s", asked, again)
	}
}

func TestADefinitionThatCannotBeHadIsAnError(t *testing.T) {
	x := &exchange{g: newRig(t, nil).guard, out: new(Outcome), r: httptest.NewRequest(http.MethodPost, "/", nil)}
	if tool, err := x.definition("tool_3"); err == nil || tool != nil {
		t.Errorf("%+v, %v", tool, err)
	}
}
