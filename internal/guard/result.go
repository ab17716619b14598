package guard

import (
	"strconv"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/jsonrpc"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// resultNames are the members of a result that the guard reads, whatever request
// it answers.
var resultNames = jsonrpc.NewNames("tools", "prompts", "resources", "resourceTemplates", "nextCursor", "cacheScope", "ttlMs", "requestState",
	"task", "taskId", "tasks", "inputRequests", "result", "error")

// members of a result that were seen.
const (
	sawTools = 1 << iota
	sawPrompts
	sawResources
	sawTemplates
	sawCursor
	sawScope
	sawTTL
	sawState
	sawContents
	sawTask
	sawTaskID
	sawTasks
	sawOffers

	// sawOwn are what one person may see and another may not.
	sawOwn = sawTools | sawPrompts | sawResources | sawTemplates | sawContents
)

// result reads a result. A list is recognised by its name alone: which request the
// message answers can't be told on every stream.
func (f *filter) result() error {
	saw := 0
	err := f.object(func(name []byte) error {
		bit := 0
		switch string(name) {
		case "tools":
			bit = sawTools
		case "prompts":
			bit = sawPrompts
		case "resources":
			bit = sawResources
		case "resourceTemplates":
			bit = sawTemplates
		case "nextCursor":
			bit = sawCursor
		case "cacheScope":
			bit = sawScope
		case "ttlMs":
			bit = sawTTL
		case "requestState":
			bit = sawState
		case "contents":
			bit = sawContents
		case "capabilities":
			bit = sawOffers
		case "task":
			bit = sawTask
		case "taskId":
			bit = sawTaskID
		case "tasks":
			bit = sawTasks
		case "_meta":
			return f.meta(f.taskResult)
		case "inputRequests":
			return f.inputRequests()
		case "result":
			return f.outcome()
		case "error":
			return f.failure()
		case "content", "structuredContent", "isError", "resultType", "messages", "description":
			// The members of the answers that come most often.
		default:
			if _, variant := resultNames.Match(name); variant {
				return fault("another spelling of a list's name or of its cursor")
			}
		}
		if saw&bit != 0 {
			return fault("a member of the result twice")
		}
		saw |= bit
		switch bit {
		case sawTools:
			return f.list(policy.Tool)
		case sawPrompts:
			return f.list(policy.Prompt)
		case sawResources:
			return f.list(policy.Resource)
		case sawTemplates:
			return f.list(policy.Template)
		case sawCursor:
			return f.handle(purposeCursor)
		case sawScope:
			return f.cacheScope()
		case sawTTL:
			return f.ttl()
		case sawOffers:
			if !f.scoped {
				return f.capabilities()
			}
		case sawState:
			return f.handle(purposeState)
		case sawTask:
			return f.newTask()
		case sawTaskID:
			return f.taskResult()
		case sawTasks:
			return f.taskList()
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
	if err == nil && f.fr.foreign {
		err = errForeignTask
	}
	if err == nil && f.scoped && saw&sawOwn != 0 && saw&sawScope == 0 {
		// Revision 2026-07-28 requires it; where it is missing, the Go SDK takes "public".
		end := f.s.pos() - 1
		f.replace(end, end, []byte(`,"cacheScope":"private"`))
	}
	return err
}

// cacheScope tells clients and the caches between that the answer is one person's.
func (f *filter) cacheScope() error {
	raw, start, err := f.value()
	if err == nil && string(raw) != `"private"` {
		f.replace(start, f.s.pos(), []byte(`"private"`))
	}
	return err
}

// ttl bounds how long a client takes an answer for fresh, since what a person may
// see can change meanwhile.
func (f *filter) ttl() error {
	raw, start, err := f.value()
	if err != nil {
		return err
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	switch {
	case f.ofTask:
	case err != nil: // not a number, or one beyond all bounds
		f.replace(start, f.s.pos(), []byte("0"))
	case n > float64(f.maxTTL):
		f.replace(start, f.s.pos(), strconv.AppendInt(nil, f.maxTTL, 10))
	}
	return nil
}

// handle puts a sealed handle in the place of a string: it is bound to this caller,
// and what the upstream wrote into a cursor may be the name of a hidden entry. Null
// and the empty cursor, which some servers write for "no more", stay.
func (f *filter) handle(purpose string) error {
	f.s.space()
	start := f.s.pos()
	if f.s.literal("null") {
		return nil
	}
	plain, ok := f.s.text()
	if !ok {
		return fault("a handle that is not a string")
	}
	if plain == "" && purpose == purposeCursor {
		return nil
	}
	sealed, err := f.caller.sealHandle(purpose, plain)
	if err != nil {
		return err
	}
	f.replace(start, f.s.pos(), jsonrpc.AppendString(nil, sealed))
	return nil
}
