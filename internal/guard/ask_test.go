package guard

import (
	"strings"
	"testing"
)

// What a person has to approve is not done without them, and is shown all the same.
func TestWhatNeedsApprovalIsNotDone(t *testing.T) {
	for _, rev := range allRevisions {
		g := newRig(t, jsonAnswer(200, `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`))
		g.policy.Store(compile(t, `everyone: {allow: [{tools: [echo]}], ask: [{tools: [echo]}]}`))
		r := g.post(rev, "tools/call", `{"name":"echo"}`)
		if r.status != 200 || !strings.Contains(r.body, `"isError":true`) || !strings.Contains(r.body, "approved by a person") {
			t.Errorf("%s: %d %s", rev, r.status, r.body)
		}
		if n := len(g.received()); n != 0 {
			t.Errorf("%s: %d requests went on", rev, n)
		}
	}
}
