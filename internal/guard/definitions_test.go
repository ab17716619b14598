package guard

import (
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
