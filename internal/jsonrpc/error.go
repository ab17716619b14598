package jsonrpc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Codes of JSON-RPC 2.0 (§5.1) and of the Model Context Protocol.
const (
	CodeParse              = -32700 // not JSON
	CodeInvalidRequest     = -32600 // JSON, but not a message
	CodeMethodNotFound     = -32601
	CodeInvalidParams      = -32602
	CodeInternal           = -32603
	CodeSession            = -32001 // no such session
	CodeResourceNotFound   = -32002 // before revision 2026-07-28
	CodeHeaderMismatch     = -32020
	CodeUnsupportedVersion = -32022
)

// Error is why bytes are not one unambiguous message.
type Error struct {
	Code   int    // CodeParse or CodeInvalidRequest
	Reason string // for the log and for the client: one line of ASCII that quotes nothing of the message but a member's name
	ID     []byte // the raw id, if it could be read unambiguously; it shares memory with the bytes given to Parse
}

// Error returns the reason and the code.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (%d)", e.Reason, e.Code)
}

// syntaxError classifies what the decoder refused. Grammar permits two members
// of one name (RFC 8259 §4), so that alone is JSON, but no message.
func syntaxError(body []byte, err error) *Error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && errors.Is(syntax.Err, jsontext.ErrDuplicateName) {
		return &Error{Code: CodeInvalidRequest, Reason: "duplicate member " + quoteName([]byte(syntax.JSONPointer.LastToken()))}
	}
	reason := "not valid JSON"
	switch {
	case len(bytes.TrimLeft(body, " \t\r\n")) == 0:
		reason = "empty body"
	case bytes.HasPrefix(body, []byte("\ufeff")):
		reason = "not valid JSON: it begins with a byte order mark"
	case !utf8.Valid(body):
		reason = "not valid UTF-8"
	case syntax != nil:
		reason = "not valid JSON near byte " + strconv.FormatInt(syntax.ByteOffset, 10)
	}
	return &Error{Code: CodeParse, Reason: reason}
}

// maxQuoted is how much of a member's name an error quotes.
const maxQuoted = 40

// quoteName quotes a member's name for a reason, in ASCII and cut short: names
// come from the network and go to a log.
func quoteName(name []byte) string {
	if len(name) > maxQuoted {
		return strconv.QuoteToASCII(string(name[:maxQuoted])) + "..."
	}
	return strconv.QuoteToASCII(string(name))
}
