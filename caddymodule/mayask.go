package caddymodule

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
)

// askable is what a server may ask for, by the names in a config.
var askable = map[string]guard.Asks{
	"elicitation": guard.AskElicitation,
	"sampling":    guard.AskSampling,
	"roots":       guard.AskRoots,
}

// errMayAsk is what may_ask lacks if it names nothing.
var errMayAsk = errors.New("may_ask needs what the server may ask agents for: any of elicitation, sampling and roots; or none")

// mayNotAsk returns what a server may not ask for that may ask for what is named; without names it may ask for all.
func mayNotAsk(names []string) (guard.Asks, error) {
	if len(names) == 0 {
		return 0, nil
	}
	not := guard.AskElicitation | guard.AskSampling | guard.AskRoots
	if slices.Equal(names, []string{"none"}) {
		return not, nil
	}
	for _, name := range names {
		kind, known := askable[name]
		switch {
		case name == "none":
			return 0, errors.New("may_ask none stands alone")
		case !known:
			return 0, fmt.Errorf("may_ask: %q is none of elicitation, sampling and roots", name)
		case not&kind == 0:
			return 0, fmt.Errorf("may_ask names %s twice", name)
		}
		not &^= kind
	}
	return not, nil
}
