package hostile

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// TestEveryAttackWorksWithoutTheGateway holds that the corpus is no scarecrow: some server would do what each attack asks
// for, and the readers here notice.
func TestEveryAttackWorksWithoutTheGateway(t *testing.T) {
	cases := 0
	for _, a := range slices.Concat(Attacks, HeaderAttacks) {
		works := false
		for _, rev := range Revisions {
			for c := range a.Cases(rev) {
				cases++
				if !strings.HasSuffix(c.Name, "Mcp-Name hidden") {
					works = works || c.Executes() != ""
				}
				if strings.Contains(string(c.Body), "{key}") || strings.Contains(string(c.Body), "{params") {
					t.Errorf("%s: a placeholder is left in %.200s", a.Name, c.Body)
				}
			}
		}
		if works == a.Odd {
			t.Errorf("%s: it works: %v, and is said to be odd: %v", a.Name, works, a.Odd)
		}
	}
	t.Logf("%d attacks, %d requests of them", len(Attacks)+len(HeaderAttacks), cases)
}

func TestNamesOfCasesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range slices.Concat(Attacks, HeaderAttacks) {
		if seen[a.Name] {
			t.Errorf("%s is there twice", a.Name)
		}
		seen[a.Name] = true
	}
}

func TestHonestRequestsExecuteNothingHidden(t *testing.T) {
	for _, rev := range Revisions {
		for i := range targets {
			for _, body := range []string{honestCall, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params"name":"echo","arguments":{"name":"hidden_vault","params":{"name":"hidden"}}}}`} {
				q := Request{"POST", "/mcp", targets[i].honest(rev), []byte(targets[i].fill(body, rev))}
				if what := q.Executes(); what != "" {
					t.Errorf("%s: %s: %s", rev, q.Body, what)
				}
			}
		}
	}
}

func TestWhatRevealsANameIsFound(t *testing.T) {
	name := "hidden_vault"
	for how, text := range map[string]string{
		"as it is":           "a " + name + " b",
		"in capitals":        "HIDDEN",
		"escaped":            `{"name":"\u0068idden"}`,
		"escaped twice":      `\\u0068idden`,
		"escaped by two":     `\x68idden`,
		"percent-encoded":    "%68%69dden",
		"encoded twice":      "%2568idden",
		"in HTML":            "&#104;idden &#x68;",
		"in Base64":          "cursor=aGlkZGVuX3ZhdWx0",
		"in Base64, shifted": "x=eHhoaWRkZW5fdmF1bHQ=",
		"in Base64 for URLs": "YT8_aGlkZGVuX3ZhdWx0",
		"in hex":             "id: 68696464656e5f7661756c74",
		"in hex, shifted":    "id: f68696464656e5f7661756c74",
		"in UTF-16":          string(utf16Of(binary.LittleEndian, "")(name)),
		"in gzip":            "abc" + string(gzipped("…"+name)),
		"over lines":         "data: hid\ndata: den_vault\n\n",
		"over chunks":        "3\r\nhid\r\n9;a=b\r\nden_vault\r\n0\r\n\r\n",
	} {
		if Reveals([]byte(text)) == "" {
			t.Errorf("%s: nothing is found in %q", how, text)
		}
	}
	if what := Reveals([]byte(`{"tools":[{"name":"shown_lamp","description":"hid den, aGlk"}]}`)); what != "" {
		t.Errorf("found %s", what)
	}
}

// TestEveryLeakLeaksWithoutTheGateway holds that what is looked for is in each message.
func TestEveryLeakLeaksWithoutTheGateway(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Leaks {
		if seen[l.Name] {
			t.Errorf("%s is there twice", l.Name)
		}
		seen[l.Name] = true
		if Reveals([]byte(l.Message)) == "" {
			t.Errorf("%s: %.200s names nothing hidden", l.Name, l.Message)
		}
		if what := Reveals([]byte(l.Shown)); what != "" && !l.Free {
			t.Errorf("%s: what is shown is hidden: %s", l.Name, what)
		}
	}
}
