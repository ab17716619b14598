package oauth

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	testName     = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
)

// TestRequirementsAreHeldByTests keeps REQUIREMENTS.md from telling of tests that are gone, and from rows that nothing holds.
func TestRequirementsAreHeldByTests(t *testing.T) {
	exists := make(map[string]bool)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range testFunction.FindAllStringSubmatch(string(source), -1) {
			exists[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("REQUIREMENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(document)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[0]) == "where" {
			continue
		}
		if rows++; len(cells) != 3 {
			t.Errorf("a row of %d cells: %s", len(cells), line)
			continue
		}
		held := strings.TrimSpace(cells[2])
		named := testName.FindAllString(held, -1)
		for _, name := range named {
			if !exists[name] {
				t.Errorf("there is no %s: %s", name, line)
			}
		}
		if len(named) == 0 && !strings.HasPrefix(held, "does not apply: ") {
			t.Errorf("nothing holds this: %s", line)
		}
	}
	if rows < 190 {
		t.Errorf("only %d rows were found", rows)
	}
}

// A refresh token does not depend on offline_access: most MCP clients never ask for it, since metadata of resources are not to name it, and
// would have their people sign in every hour. A client that must not have one says so when it registers.
func TestRefreshTokensDoNotWaitForOfflineAccess(t *testing.T) {
	f := newFixture(t, nil)
	for _, scope := range []string{"", "mcp", "mcp offline_access", "offline_access"} {
		clientID := f.register(testRedirect)
		code := f.browser().login(authorizeQuery(clientID, testRedirect, "scope", scope)).code(t, testRedirect)
		a := f.read(f.post("/token", redeem(clientID, code)))
		if a.Status != http.StatusOK || a.Refresh == "" {
			t.Errorf("with the scope %q: %+v", scope, a)
		}
		// What was not given at the consent is not to be had at a refresh.
		form := refreshForm(clientID, a.Refresh)
		form.Set("scope", "mcp offline_access admin")
		if b := f.read(f.post("/token", form)); b.Status != http.StatusOK || b.Scope != a.Scope {
			t.Errorf("with the scope %q, widened: %+v", scope, b)
		}
	}
}

// A machine's subject can't be that of a person, whatever somebody is called (RFC 9068 section 5, RFC 9700 section 4.15).
func TestMachinesAndPeopleHaveDifferentNames(t *testing.T) {
	f := newFixture(t, nil)
	_, person := f.newTokens()
	machine := f.read(f.post("/token", map[string][]string{
		"grant_type": {grantClientCredentials}, "client_id": {"ci-bot"}, "client_secret": {"bot-secret"}, "resource": {testResource},
	}))
	his, err1 := f.call(person.Access, testResource)
	its, err2 := f.call(machine.Access, testResource)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if !strings.HasPrefix(its.Subject.ID, machineGrant) || strings.HasPrefix(his.Subject.ID, machineGrant) || !its.Subject.Machine || his.Subject.Machine {
		t.Errorf("%q and %q", his.Subject.ID, its.Subject.ID)
	}
	one, err1 := f.server.parseAccessToken(t.Context(), person.Access)
	other, err2 := f.server.parseAccessToken(t.Context(), machine.Access)
	if err1 != nil || err2 != nil || one.Subject == other.Subject {
		t.Errorf("the subjects are %v and %v: %v, %v", one, other, err1, err2)
	}
}
