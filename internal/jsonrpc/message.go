// Package jsonrpc reads one JSON-RPC 2.0 message of the Model Context Protocol
// strictly enough that no other parser can read it differently.
//
// A gateway that judges a message and then hands its bytes on is only as good
// as the agreement between its own parser and the server's. Some parsers fold
// the case of member names, some keep the first of two equal members, some the
// last, some stop at a NUL, some read past a byte order mark or a second value.
// Parse therefore accepts only what all of them read alike, and the bytes that
// were accepted go on unchanged: nothing here re-encodes a message, since that
// alone would turn 9007199254740993 into 9007199254740992. The one change that
// is made, putting a handle in the place of another, is made by Splice on the
// original bytes.
package jsonrpc

// Kind says which of the four shapes of JSON-RPC 2.0 a message has.
type Kind uint8

// The kinds of message. The zero Kind is none of them.
const (
	Request      Kind = iota + 1 // method and id
	Notification                 // method, no id
	Result                       // id and result
	Failure                      // id and error
)

// String names the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Request:
		return "request"
	case Notification:
		return "notification"
	case Result:
		return "result"
	case Failure:
		return "failure"
	}
	return "unknown"
}

// Message is one message as Parse read it. Its byte slices share memory with
// the bytes given to Parse, which must stay unchanged as long as the Message is
// in use; its strings are copies. A Message is not changed after Parse and may
// be read by several goroutines.
type Message struct {
	Kind   Kind
	ID     []byte // raw JSON of the id, a string or an integer; nil for a notification
	Method string // empty for a Result and a Failure
	Params Params // zero for a Result and a Failure
	Raw    []byte // the bytes of this message, exactly as received
	Offset int    // where Raw begins in the bytes given to Parse (0) or ParseBatch

	// RelatedTask is taskId of "io.modelcontextprotocol/related-task" in the
	// _meta of params or of result (revision 2025-11-25, tasks).
	RelatedTask Text

	// OwnTasks are the ids of tasks that the client itself runs for the server,
	// as a Result names them: its taskId, and those of its task and its tasks
	// (revision 2025-11-25, tasks).
	OwnTasks []Text
}

// Text is a string member and where its raw JSON token stands, quotes included:
// Raw[Start:End] of the Message. The zero Text is a member that is not there.
type Text struct {
	Value      string // unescaped; without control characters
	Start, End int
	Set        bool
}

// Params is what a guard needs to know of a request's or a notification's
// params. In a method of the specification a member below that is there has the
// type the specification gives it, or Parse refuses the message; whether it has
// to be there is for the guard to say. In any other method a member of another
// type is left unset. For params, _meta, arguments and cursor null is the same as
// not being there.
type Params struct {
	Raw             []byte // the raw JSON object; nil if there is none
	Meta            []byte // raw params._meta, an object
	Name            Text   // params.name
	URI             Text   // params.uri
	Cursor          Text   // params.cursor
	TaskID          Text   // params.taskId
	RequestState    Text   // params.requestState
	Arguments       []byte // raw params.arguments, an object
	Task            []byte // raw params.task, an object: the request asks to be run as a task
	ProtocolVersion Text   // _meta["io.modelcontextprotocol/protocolVersion"], or params.protocolVersion of an initialize that has it

	Ref                      []byte // raw params.ref of completion/complete, an object
	RefType, RefName, RefURI Text   // its members

	// Subscriptions are the URIs and WatchedTasks the tasks that
	// subscriptions/listen asks to watch (params.notifications).
	Subscriptions []Text
	WatchedTasks  []Text

	// ToolsChanged, PromptsChanged and ResourcesChanged say of which lists it asks to be told when they change.
	ToolsChanged, PromptsChanged, ResourcesChanged bool
}
