package guard

import (
	"net/http"
	"strings"
	"testing"
)

// TestNothingOfALargeAnswerGoesOnBeforeWhatIsJudgedAtItsEnd pads answers that do not pass for what stands in the midst of
// them, so that they are passed on while they arrive.
func TestNothingOfALargeAnswerGoesOnBeforeWhatIsJudgedAtItsEnd(t *testing.T) {
	padding := `"pad":["` + strings.Repeat("x", 400<<10) + `"]`
	const elicits = `"error":{"data":{"elicitations":[{"url":"https://evil.example/"}]},"code":-32042,"message":"m"}`
	const foreign = `"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"task-of-evil"}},"content":[]}`
	for name, members := range map[string]string{
		"it elicits, then is long":            elicits + "," + padding,
		"it is long, then elicits":            padding + "," + elicits + "," + strings.Replace(padding, "pad", "more", 1),
		"a stranger's task, then is long":     foreign + "," + padding,
		"it is long, then a stranger's task":  padding + "," + foreign + "," + strings.Replace(padding, "pad", "more", 1),
		"input that is not had, then is long": `"inputRequests":{"a":{"method":"elicitation/create","params":{"url":"https://evil.example/"}}},` + padding,
	} {
		answer := `{"jsonrpc":"2.0","id":7,"result":{` + members + `}}`
		for kind, text := range map[string]string{typeJSON: answer, typeStream: "data: " + answer + "\n\n"} {
			g, c := fuzzGuard(t)
			g.cfg.MaxAnswer, g.cfg.MayNotAsk = 8<<20, AskElicitation
			out, w, _ := answeredBy(g, c, written(kind, text))
			if strings.Contains(w.Body.String(), "evil") || out.Decision != Failed {
				t.Errorf("%s, %s: it goes on: %+v", name, kind, out)
			}
			if w.Code != http.StatusOK && w.Code != http.StatusBadGateway {
				t.Errorf("%s, %s: status %d", name, kind, w.Code)
			}
		}
	}
}
