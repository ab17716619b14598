package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxErrors is how many mistakes of one document are reported at once.
const maxErrors = 50

// Position is where something of a policy is written. In a JSON config there are no lines: File is the path of the JSON
// value, such as policy.roles.member.allow[0], and Line is 0.
type Position struct {
	File string
	Line int
}

// String returns file:line, or the file alone where there is no line.
func (p Position) String() string {
	file := p.File
	if file == "" {
		file = "policy"
	}
	if p.Line == 0 {
		return file
	}
	return file + ":" + strconv.Itoa(p.Line)
}

// Error is one mistake in a policy and where it is written. [Parse], [Compile] and [Policy.CheckServers] return all the
// mistakes they find (up to a bound), joined with [errors.Join], each an *Error.
type Error struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"` // 0 if unknown
	Message string `json:"message"`
}

func (e *Error) Error() string {
	return Position{e.File, e.Line}.String() + ": " + e.Message
}

// Mistakes takes apart what [Parse] and its likes join. An error that is none of a policy's is one mistake without a place.
func Mistakes(err error) []*Error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, err := range joined.Unwrap() {
			all = append(all, Mistakes(err)...)
		}
		return all
	}
	if one, ok := errors.AsType[*Error](err); ok {
		return []*Error{one}
	}
	return []*Error{{Message: err.Error()}}
}

// maxMessage bounds a message, which may quote the document, in bytes.
const maxMessage = 1000

// mistake makes an Error of a position and a message.
func mistake(at Position, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	return &Error{File: at.File, Line: at.Line, Message: message}
}

// mistakes collects what is wrong with a document.
type mistakes struct {
	found []*Error
	more  int // found beyond maxErrors, which are only counted
}

func (m *mistakes) add(at Position, format string, args ...any) {
	if len(m.found) == maxErrors {
		m.more++
		return
	}
	m.found = append(m.found, mistake(at, format, args...))
}

// err joins what was found, in the order of the file, or returns nil.
func (m *mistakes) err() error {
	if len(m.found) == 0 {
		return nil
	}
	slices.SortStableFunc(m.found, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	errs := make([]error, 0, len(m.found)+1)
	for _, e := range m.found {
		errs = append(errs, e)
	}
	if m.more > 0 {
		errs = append(errs, mistake(Position{File: m.found[0].File}, "and %d more", m.more))
	}
	return errors.Join(errs...)
}
