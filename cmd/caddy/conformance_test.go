package main

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/peers"
)

// conformanceRuns are the scenarios of the official suite: all that it has for a revision.
var conformanceRuns = []string{
	"--suite all --spec-version 2025-03-26",
	"--suite all --spec-version 2025-06-18",
	"--requirements 2025-11-25",
	"--requirements 2026-07-28",
}

// rightDifferences are the checks of the newest revision on which the verdict behind the gateway is another than directly,
// for each kind of server, and why that is right (that with tasks is a [taskServer]). Most are of a server in sessions' mode that is asked in a revision
// without: it refuses the revision, but the gateway, which speaks it, has looked at the request before that.
var rightDifferences = map[string]map[string]string{
	"stateful": {
		"sep-2575-http-server-method-not-found-404-initialize":            notOfThisRevision,
		"sep-2575-http-server-method-not-found-404-ping":                  notOfThisRevision,
		"sep-2575-http-server-method-not-found-404-logging-setlevel":      notOfThisRevision,
		"sep-2575-http-server-method-not-found-404-resources-subscribe":   notOfThisRevision,
		"sep-2575-http-server-method-not-found-404-resources-unsubscribe": notOfThisRevision,
		"tasks-headers-reject-mismatched-method":                          "FAILURE directly, SUCCESS here: headers are compared with the body first",
		"sep-2663-tasks-get-invalid-task-id-32602":                        notOfAnyTask,
	},
	"stateless": {"sep-2663-tasks-get-invalid-task-id-32602": notOfAnyTask},
	"tasks": {
		"sep-2663-tasks-methods-non-declaring": "SUCCESS directly, FAILURE here: it is asked with a made-up id, which the gateway " +
			"refuses as such before the server can say which capability the client lacks",
	},
}

const (
	notOfThisRevision = "FAILURE directly, SUCCESS here: a method that the revision does not have is refused first"
	notOfAnyTask      = "FAILURE directly, SUCCESS here: the server has no tasks, but a handle that the gateway never gave is refused first"
)

// TestConformanceIsTheSameBehindTheGateway runs the official suite against the Go SDK's everything-server, with sessions
// and without, and again through a gateway whose policy allows everything: no verdict may differ.
func TestConformanceIsTheSameBehindTheGateway(t *testing.T) {
	program := peers.BuildGoEverything(t)
	// Each has a server of its own: the scenarios change the state of a server, and tell all who listen.
	serve := func(kind string) string { return peers.GoEverything(t, program, kind == "stateless") }
	f := startFronted(t, openPolicy, map[string]string{"/stateful": serve("stateful"), "/stateless": serve("stateless")})
	type arm struct{ kind, run string }
	var mu sync.Mutex
	direct, guarded := make(map[arm][]peers.Check), make(map[arm][]peers.Check)
	var wait sync.WaitGroup
	for _, kind := range []string{"stateful", "stateless"} {
		for origin, results := range map[string]map[arm][]peers.Check{"http://" + serve(kind): direct, f.front.url: guarded} {
			wait.Go(func() {
				for _, run := range conformanceRuns {
					all := peers.ServerConformance(t, origin+"/"+kind, strings.Fields(run)...)
					mu.Lock()
					results[arm{kind, run}] = all
					mu.Unlock()
				}
			})
		}
	}
	wait.Wait()

	var scenarios, compared int
	different := make(map[[2]string]bool)
	for at, all := range direct {
		want, got := byScenario(all), byScenario(guarded[at])
		if len(want) == 0 {
			t.Errorf("%v: no scenario ran", at)
		}
		for scenario := range got {
			if want[scenario] == nil {
				t.Errorf("%v: %s ran through the gateway only", at, scenario)
			}
		}
		for _, scenario := range slices.Sorted(maps.Keys(want)) {
			scenarios++
			compared += len(want[scenario])
			if len(want[scenario]) != len(got[scenario]) {
				t.Errorf("%v: %s:\ndirectly            %v\nthrough the gateway %v", at, scenario, want[scenario], got[scenario])
				continue
			}
			for i, check := range want[scenario] {
				other := got[scenario][i]
				switch {
				case check.ID == other.ID && check.Status == other.Status:
				case check.ID == other.ID && at.run == "--requirements 2026-07-28" && rightDifferences[at.kind][check.ID] != "":
					different[[2]string{at.kind, check.ID}] = true
				default:
					t.Errorf("%v: %s:\ndirectly            %v\nthrough the gateway %v", at, scenario, check, other)
				}
			}
		}
	}
	for _, kind := range []string{"stateful", "stateless"} {
		for id := range rightDifferences[kind] {
			if !different[[2]string{kind, id}] {
				t.Errorf("%s: %s should differ, and does not", kind, id)
			}
		}
	}
	t.Logf("%d scenarios with %d checks, run directly and through the gateway: %d verdicts differ, all of them rightly", scenarios, compared, len(different))
}

// byScenario sorts verdicts by what they are on.
func byScenario(all []peers.Check) map[string][]peers.Check {
	sorted := make(map[string][]peers.Check)
	for _, check := range all {
		sorted[check.Scenario] = append(sorted[check.Scenario], check)
	}
	return sorted
}
