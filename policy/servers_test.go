package policy

import "testing"

func TestCheckServers(t *testing.T) {
	p := mustCompile(t, `
roles:
  a:
    allow:
      - {server: githb, tools: [x]}
      - {server: github, tools: [x]}
      - {server: "git*", tools: [x]}
      - {server: "lab*", tools: [x]}
      - {tools: [x]}
    deny:
      - {server: GitHub, tools: [x]}
everyone:
  allow: [{server: elsewhere, tools: [x]}]
`)
	want := `p.yaml:5: no server named githb; did you mean github?
p.yaml:8: no server matches lab*; there are: github, images
p.yaml:11: no server named GitHub; did you mean github?
p.yaml:13: no server named elsewhere; there are: github, images`
	if err := p.CheckServers([]string{"github", "images"}); err == nil || err.Error() != want {
		t.Errorf("got:  %v\nwant: %s", err, want)
	}
	if err := p.CheckServers([]string{"githb", "github", "lab1", "GitHub", "elsewhere"}); err != nil {
		t.Error(err)
	}
	if err := mustCompile(t, `roles: {a: {allow: [{tools: [x]}]}}`).CheckServers(nil); err != nil {
		t.Error("a rule for every server:", err)
	}
}
