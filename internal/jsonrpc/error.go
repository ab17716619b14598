package jsonrpc

import "fmt"

// Codes of JSON-RPC 2.0 (§5.1) and of the Model Context Protocol.
const (
	CodeParse              = -32700
	CodeInvalidRequest     = -32600
	CodeMethodNotFound     = -32601
	CodeInvalidParams      = -32602
	CodeInternal           = -32603
	CodeSession            = -32001
	CodeResourceNotFound   = -32002
	CodeHeaderMismatch     = -32020
	CodeUnsupportedVersion = -32022
)

// Error is why bytes are not one unambiguous message.
type Error struct {
	Code   int    // CodeParse (not JSON) or CodeInvalidRequest (JSON, but not one unambiguous message)
	Reason string // for the log and for the client; quotes nothing of the message but names of members
	ID     []byte // raw id, if it could be read unambiguously
}

// Error returns the reason and the code.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (%d)", e.Reason, e.Code)
}
