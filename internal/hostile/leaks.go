package hostile

import (
	"encoding/binary"
	"strings"
)

// Leak is a message of a server with which the name of something hidden may reach a client. If it is an answer, it
// answers the request with id 1.
type Leak struct {
	Name    string
	Message string
	Shown   string // what must reach the client all the same; empty if the message may be refused
	Free    bool   // the name is in free text, which reaches the client as it is
	Large   bool   // sent in few pieces only
}

const shownTool = `{"name":"shown_lamp","description":"d"}`

// result makes the answer to the request, given the members of its result.
func result(members string) string { return `{"jsonrpc":"2.0","id":1,"result":{` + members + `}}` }

// tools makes the answer to tools/list, given its entries.
func tools(entries string) string { return result(`"tools":[` + entries + `]`) }

// Leaks are in the text of a message, whatever way it comes.
var Leaks = []Leak{
	{Name: "a hidden tool", Message: tools(shownTool + `,{"name":"hidden_vault"}`), Shown: shownTool},
	{Name: "a hidden tool alone", Message: tools(`{"name":"hidden_vault"}`), Shown: `"tools":[]`},
	{Name: "hidden tools around one", Message: tools(`{"name":"hidden_vault"}, ` + shownTool + ` ,{"name":"hidden_vault"},{"name":"hidden_vault2"}`), Shown: shownTool},
	{Name: "a hidden prompt", Message: `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"shown_a"},{"name":"hidden_vault"}]}}`, Shown: `{"name":"shown_a"}`},
	{Name: "a hidden resource", Message: `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"docs://shown/a","name":"a"},{"uri":"docs://hidden_vault/a","name":"b"}]}}`, Shown: `docs://shown/a`},
	{Name: "a resource that borrows a shown name", Message: `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"name":"shown_a","uri":"docs://hidden_vault/a"}]}}`, Shown: `"resources":[]`},
	{Name: "a hidden template", Message: `{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"docs://shown/{a}","name":"a"},{"uriTemplate":"docs://hidden_vault/{a}","name":"b"}]}}`, Shown: `docs://shown/{a}`},
	{Name: "four lists at once", Message: `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"hidden_vault"}],"resources":[{"uri":"docs://hidden_vault/a"}],"resourceTemplates":[{"uriTemplate":"docs://hidden_vault/{a}"}],"tools":[` + shownTool + `,{"name":"hidden_vault"}]}}`, Shown: shownTool},
	{Name: "a list where the result has more", Message: `{"jsonrpc":"2.0","id":1,"result":{"content":[],"tools":[{"name":"hidden_vault"}],"isError":false}}`, Shown: `"content":[]`},
	{Name: "the result before the rest", Message: `{"result":{"tools":[{"name":"hidden_vault"},` + shownTool + `]},"id":1,"jsonrpc":"2.0"}`, Shown: shownTool},
	{Name: "an escaped name", Message: tools(`{"name":"hidden\u005fvault"},` + shownTool), Shown: shownTool},
	{Name: "an escaped member", Message: tools(`{"n\u0061me":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "an escaped list", Message: `{"jsonrpc":"2.0","id":1,"result":{"t\u006fols":[{"name":"hidden_vault"},` + shownTool + `]}}`, Shown: shownTool},
	{Name: "white space everywhere", Message: "{ \"jsonrpc\" : \"2.0\" ,\r\n\t\"id\" : 1 , \"result\" : { \"tools\" : [ { \"name\" : \"hidden_vault\" } , " + shownTool + " ] } }", Shown: shownTool},
	{Name: "two names, the first shown", Message: tools(`{"name":"shown_a","name":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "two names, the first hidden", Message: tools(`{"name":"hidden_vault","name":"shown_a"},` + shownTool), Shown: shownTool},
	{Name: "two names, one escaped", Message: tools(`{"name":"shown_a","nam\u0065":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a name in another case", Message: tools(`{"name":"shown_a","Name":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a member twice in an entry", Message: tools(`{"name":"shown_a","title":"a","title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "no name but a title", Message: tools(`{"title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a name that is a number", Message: tools(`{"name":7,"title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a name that is an object", Message: tools(`{"name":{"name":"hidden_vault"}},` + shownTool), Shown: shownTool},
	{Name: "a name that is a list", Message: tools(`{"name":["hidden_vault"]},` + shownTool), Shown: shownTool},
	{Name: "an empty name", Message: tools(`{"name":"","title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a NUL after a shown name", Message: tools(`{"name":"shown_a\u0000hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "an entry that is a string", Message: tools(`"hidden_vault",` + shownTool), Shown: shownTool},
	{Name: "an entry that is a list", Message: tools(`[{"name":"hidden_vault"}],` + shownTool), Shown: shownTool},
	{Name: "an entry that is null", Message: tools(`null,{"name":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a list that is an object", Message: `{"jsonrpc":"2.0","id":1,"result":{"tools":{"hidden_vault":{}}}}`},
	{Name: "a list that is a string", Message: `{"jsonrpc":"2.0","id":1,"result":{"tools":"hidden_vault"}}`},
	{Name: "a list twice", Message: `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a list in another case", Message: `{"jsonrpc":"2.0","id":1,"result":{"Tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a list with a long s", Message: `{"jsonrpc":"2.0","id":1,"result":{"toolſ":[{"name":"hidden_vault"}]}}`},
	{Name: "a list in snake case", Message: `{"jsonrpc":"2.0","id":1,"result":{"resource_templates":[{"uriTemplate":"docs://hidden_vault/{a}"}]}}`},
	{Name: "two results", Message: `{"jsonrpc":"2.0","id":1,"result":{},"result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a result in another case", Message: `{"jsonrpc":"2.0","id":1,"result":{},"Result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a method and a result", Message: `{"jsonrpc":"2.0","id":1,"method":"ping","result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a notification with a result", Message: `{"jsonrpc":"2.0","method":"notifications/message","result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a result and an error", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"},"result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "params beside a result", Message: `{"jsonrpc":"2.0","id":1,"result":{},"params":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a list in a notification", Message: `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a list in an error", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":{"tools":[{"name":"hidden_vault"}]}}}`},
	{Name: "a list deep in an error", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":{"result":{"tools":[{"name":"hidden_vault"}]}}}}`},
	{Name: "a list in an array in an error", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":[1,[{"tools": [ {"name":"hidden_vault"}]}]]}}`},
	{Name: "a list in snake case in an error", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":{"resource_templates":[{"uriTemplate":"docs://hidden_vault/{a}"}]}}}`},
	{Name: "a list beside an error's data", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a result in an error", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","result":{"tools":[{"name":"hidden_vault"}]}}}`},
	{Name: "a list for a message", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":{"tools":[{"name":"hidden_vault"}]}}}`},
	{Name: "an error's data nested too deep", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":` + strings.Repeat(`{"a":[`, 300) + `{"tools":[{"name":"hidden_vault"}]}` + strings.Repeat(`]}`, 300) + `}}`},
	{Name: "a list beside the result", Message: `{"jsonrpc":"2.0","id":1,"result":{},"tools":[{"name":"hidden_vault"}]}`},
	{Name: "a result that is a list", Message: `{"jsonrpc":"2.0","id":1,"result":[{"tools":[{"name":"hidden_vault"}]}]}`},
	{Name: "a result that is a string", Message: `{"jsonrpc":"2.0","id":1,"result":"hidden_vault"}`},
	{Name: "an array of messages", Message: `[` + tools(`{"name":"hidden_vault"}`) + `]`},
	{Name: "two messages", Message: tools(shownTool) + tools(`{"name":"hidden_vault"}`)},
	{Name: "a byte order mark", Message: "\ufeff" + tools(`{"name":"hidden_vault"}`)},
	{Name: "bad UTF-8", Message: tools("{\"name\":\"shown_a\",\"description\":\"\xff\"},{\"name\":\"hidden_vault\"}")},
	{Name: "half a surrogate pair in a name", Message: tools(`{"name":"\ud800hidden_vault"}`)},
	{Name: "a control character", Message: tools("{\"name\":\"hidden_vault\n\"}")},
	{Name: "a comment", Message: tools(`/*{"name":"hidden_vault"}*/`)},
	{Name: "single quotes", Message: tools(`{'name':'hidden_vault'}`)},
	{Name: "a comma too many", Message: tools(`{"name":"hidden_vault"},`)},
	{Name: "cut off", Message: strings.TrimSuffix(tools(`{"name":"hidden_vault"}`), "]}}")},
	{Name: "not JSON", Message: `hidden_vault`},
	{Name: "HTML", Message: `<p>hidden_vault</p>`},
	{Name: "a response to another request", Message: strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":2`, 1)},
	{Name: "a request with the id that is awaited", Message: `{"jsonrpc":"2.0","id":1,"method":"hidden_vault"}`},
	{Name: "a response to nobody", Message: strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":null`, 1)},
	{Name: "a cursor that holds a name", Message: `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + shownTool + `],"nextCursor":"after:hidden_vault"}}`, Shown: shownTool},
	{Name: "a cursor that is no string", Message: `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":{"after":"hidden_vault"}}}`},
	{Name: "a cursor in another case", Message: `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"NextCursor":"hidden_vault"}}`},
	{Name: "request state that holds a name", Message: `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"hidden_vault"}}`, Shown: `input_required`},
	{Name: "an update of a hidden resource", Message: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://hidden_vault/a"}}`},
	{Name: "an update with two uris", Message: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a","uri":"docs://hidden_vault/a"}}`},
	{Name: "an update with a uri in another case", Message: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a","URI":"docs://hidden_vault/a"}}`},
	{Name: "a notification nobody knows", Message: `{"jsonrpc":"2.0","method":"notifications/hidden_vault","params":{}}`},
	{Name: "a request nobody knows", Message: `{"jsonrpc":"2.0","id":9,"method":"hidden_vault","params":{}}`},
	{Name: "a task's state", Message: `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"hidden_vault"}}`},

	// Members that some read otherwise.
	{Name: "a list and an empty one with an escape before it", Message: result(`"t\u006fols":[],"tools":[{"name":"hidden_vault"}]`)},
	{Name: "a list that is null and another", Message: result(`"tools":null,"TOOLS":[{"name":"hidden_vault"}]`)},
	{Name: "templates in another case", Message: result(`"resourcetemplates":[{"uriTemplate":"docs://hidden_vault/{a}"}]`)},
	{Name: "templates with hyphens", Message: result(`"resource-templates":[{"uriTemplate":"docs://hidden_vault/{a}"}]`)},
	{Name: "prompts with a NUL", Message: result(`"prompts\u0000":[{"name":"hidden_vault"}]`)},
	{Name: "a list in what becomes a prototype", Message: result(`"__proto__":{"tools":[{"name":"hidden_vault"}]}`)},
	{Name: "a result that becomes a prototype", Message: `{"jsonrpc":"2.0","id":1,"result":{},"__proto__":{"result":{"tools":[{"name":"hidden_vault"}]}}}`},
	{Name: "a result in the result", Message: result(`"result":{"tools":[{"name":"hidden_vault"}]}`)},
	{Name: "a result in the result, in another case", Message: result(`"Result":{"Tools":[{"name":"hidden_vault"}]}`)},
	{Name: "a list in a list", Message: tools(`[[{"name":"hidden_vault"}]],` + shownTool), Shown: shownTool},
	{Name: "two ids", Message: `{"jsonrpc":"2.0","id":1,"id":1,"result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "an id in another case", Message: `{"jsonrpc":"2.0","id":1,"ID":2,"result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "the id as text", Message: strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":"1"`, 1)},
	{Name: "the id as a fraction", Message: strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":1.0`, 1)},
	{Name: "another JSON-RPC", Message: strings.Replace(tools(`{"name":"hidden_vault"}`), "2.0", "2.1", 1)},
	{Name: "no JSON-RPC", Message: strings.Replace(tools(`{"name":"hidden_vault"}`), `"jsonrpc":"2.0",`, "", 1)},
	{Name: "a method that is null beside a result", Message: `{"jsonrpc":"2.0","id":1,"method":null,"result":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "an error that is null beside a result", Message: `{"jsonrpc":"2.0","id":1,"error":null,"result":{"tools":[{"name":"hidden_vault"}]}}`},

	// Entries that some take for another.
	{Name: "a name with an underscore", Message: tools(`{"name":"shown_a","na_me":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a uri in capitals beside it", Message: result(`"resources":[{"uri":"docs://shown/b","URI":"docs://hidden_vault/a"},{"uri":"docs://shown/a"}]`), Shown: "docs://shown/a"},
	{Name: "a uri with a dotless i", Message: result(`"resources":[{"uri":"docs://shown/b","urı":"docs://hidden_vault/a"},{"uri":"docs://shown/a"}]`), Shown: "docs://shown/a"},
	{Name: "a uri with dot segments", Message: result(`"resources":[{"uri":"docs://shown/../hidden_vault/a"},{"uri":"docs://shown/a"}]`), Shown: "docs://shown/a"},
	{Name: "a uri with encoded dot segments", Message: result(`"resources":[{"uri":"docs://shown/%2e%2e/hidden_vault/a"},{"uri":"docs://shown/a"}]`), Shown: "docs://shown/a"},
	{Name: "a uri with user info", Message: result(`"resources":[{"uri":"docs://shown@hidden_vault/a"},{"uri":"docs://shown/a"}]`), Shown: "docs://shown/a"},
	{Name: "a template in snake case", Message: result(`"resourceTemplates":[{"uriTemplate":"docs://shown/{b}","uri_template":"docs://hidden_vault/{a}"},{"uriTemplate":"docs://shown/{a}"}]`), Shown: "docs://shown/{a}"},
	{Name: "a template that says uri", Message: result(`"resourceTemplates":[{"uri":"docs://hidden_vault/{a}"},{"uriTemplate":"docs://shown/{a}"}]`), Shown: "docs://shown/{a}"},
	{Name: "a tool that says uri", Message: tools(`{"uri":"docs://shown/a","title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a name in what becomes a prototype", Message: tools(`{"__proto__":{"name":"hidden_vault"}},` + shownTool), Shown: shownTool},
	{Name: "a name in capitals", Message: tools(`{"name":"HIDDEN_VAULT"},` + shownTool), Shown: shownTool},
	{Name: "a name between spaces", Message: tools(`{"name":" hidden_vault "},` + shownTool), Shown: shownTool},
	{Name: "a name that is true", Message: tools(`{"name":true,"title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a name that is null", Message: tools(`{"name":null,"title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "a name with a control character", Message: tools(`{"name":"shown_\u0085hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "an entry with more members than any has", Message: tools(`{"name":"shown_b"` + strings.Repeat(`,"a":1`, 70) + `,"title":"hidden_vault"},` + shownTool), Shown: shownTool},
	{Name: "an entry nested too deep", Message: tools(`{"name":"hidden_vault","inputSchema":` + strings.Repeat(`{"a":`, 300) + "1" + strings.Repeat("}", 300) + `}`)},
	{Name: "an entry of 900 KB", Message: tools(`{"description":"` + strings.Repeat("a", 900_000) + `","name":"hidden_vault"},` + shownTool), Shown: shownTool, Large: true},
	{Name: "a thousand hidden entries", Message: tools(strings.Repeat(`{"name":"hidden_vault"},`, 1000) + shownTool + strings.Repeat(`,{"name":"hidden_vault"}`, 1000)), Shown: shownTool, Large: true},
	{Name: "every other entry hidden", Message: tools(strings.Repeat(`{"name":"hidden_vault"},`+shownTool+",", 100) + shownTool), Shown: strings.Repeat(shownTool+",", 100) + shownTool, Large: true},

	// What is no JSON to one parser is to another.
	{Name: "a comment around the brackets", Message: `{"jsonrpc":"2.0","id":1,"result":{"tools":[/*]*/{"name":"hidden_vault"}]}}`},
	{Name: "a comment to the line's end", Message: "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":[//]\n{\"name\":\"hidden_vault\"}]}}"},
	{Name: "NaN", Message: tools(`{"a":NaN,"name":"hidden_vault"}`)},
	{Name: "a number that begins with nothing", Message: tools(`{"a":01,"name":"hidden_vault"}`)},
	{Name: "an escape that is none", Message: tools(`{"name":"\hidden_vault"}`)},
	{Name: "an escape of two digits", Message: tools(`{"name":"\x68idden_vault"}`)},
	{Name: "members without quotes", Message: `{jsonrpc:"2.0",id:1,result:{tools:[{name:"hidden_vault"}]}}`},
	{Name: "a form feed", Message: "\f" + tools(`{"name":"hidden_vault"}`)},
	{Name: "a NUL before it", Message: "\x00" + tools(`{"name":"hidden_vault"}`)},
	{Name: "a NUL behind it", Message: tools(shownTool) + "\x00" + tools(`{"name":"hidden_vault"}`)},
	{Name: "a record separator", Message: "\x1e" + tools(`{"name":"hidden_vault"}`)},
	{Name: "a guard against scripts", Message: ")]}'," + tools(`{"name":"hidden_vault"}`)},
	{Name: "a call of a function", Message: "callback(" + tools(`{"name":"hidden_vault"}`) + ")"},
	{Name: "UTF-16", Message: string(utf16Of(binary.LittleEndian, "\ufeff")(tools(`{"name":"hidden_vault"}`)))},
	{Name: "UTF-32", Message: string(utf32Of(binary.BigEndian)(tools(`{"name":"hidden_vault"}`)))},
	{Name: "gzip that is not said", Message: string(gzipped(tools(`{"name":"hidden_vault"}`)))},
	{Name: "overlong letters", Message: tools("{\"name\":\"\xc1\xa8idden_vault\"}")},
	{Name: "surrogates in UTF-8", Message: tools("{\"name\":\"\xed\xa0\x80hidden_vault\"}")},

	// Handles.
	{Name: "a cursor that is a number", Message: result(`"tools":[],"nextCursor":7,"a":"hidden_vault"`)},
	{Name: "a cursor that is a list", Message: result(`"tools":[],"nextCursor":["hidden_vault"]`)},
	{Name: "a cursor in snake case", Message: result(`"tools":[],"next_cursor":"hidden_vault"`)},
	{Name: "two cursors", Message: result(`"tools":[],"nextCursor":"a","nextCursor":"hidden_vault"`)},
	{Name: "a cursor without a list", Message: result(`"nextCursor":"hidden_vault"`), Shown: `"nextCursor":"`},
	{Name: "a cursor before the list", Message: result(`"nextCursor":"hidden_vault","tools":[` + shownTool + `]`), Shown: shownTool},
	{Name: "a cursor longer than any", Message: result(`"tools":[],"nextCursor":"` + strings.Repeat("hidden_vault", 1000) + `"`)},
	{Name: "request state that is an object", Message: result(`"requestState":{"a":"hidden_vault"}`)},
	{Name: "request state in snake case", Message: result(`"request_state":"hidden_vault"`)},
	{Name: "two request states", Message: result(`"requestState":"a","requestState":"hidden_vault"`)},

	// Requests and notifications of the server.
	{Name: "a list in a request for roots", Message: `{"jsonrpc":"2.0","id":9,"method":"roots/list","params":{"tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a list in a ping", Message: `{"jsonrpc":"2.0","id":9,"method":"ping","params":{"Resources":[{"uri":"docs://hidden_vault/a"}]}}`},
	{Name: "a list in a question", Message: `{"jsonrpc":"2.0","id":9,"method":"elicitation/create","params":{"message":"m","prompts":[{"name":"hidden_vault"}]}}`},
	{Name: "a list in a log line's params", Message: `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d","tools":[{"name":"hidden_vault"}]}}`},
	{Name: "a list in progress", Message: `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"resource_templates":[{"uriTemplate":"docs://hidden_vault/{a}"}]}}`},
	{Name: "a request for tools", Message: `{"jsonrpc":"2.0","id":9,"method":"tools/list","params":{"of":"hidden_vault"}}`},
	{Name: "params in a list", Message: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":["docs://hidden_vault/a"]}`},
	{Name: "an update without a uri", Message: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"of":"docs://hidden_vault/a"}}`},
	{Name: "an update whose uri is an object", Message: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":{"uri":"docs://hidden_vault/a"}}}`},
	{Name: "an update with params twice", Message: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a"},"params":{"uri":"docs://hidden_vault/a"}}`},
	{Name: "an acknowledgement of something hidden", Message: `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscriptions":["docs://shown/a","docs://hidden_vault/a"]}}}`},
	{Name: "an acknowledgement of something hidden, with an escape", Message: `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"resourceSubscription\u0073":["docs://\u0068idden_vault/a"]}}}`},
	{Name: "an acknowledgement in another case", Message: `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"ResourceSubscriptions":["docs://hidden_vault/a"]}}}`},
	{Name: "two acknowledgements in one", Message: `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{},"notifications":{"resourceSubscriptions":["docs://hidden_vault/a"]}}}`},
	{Name: "an acknowledgement that is a list", Message: `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":["docs://hidden_vault/a"]}}`},

	// Free text and free content are not searched, and stay as they are.
	{Name: "a text that names it", Message: result(`"content":[{"type":"text","text":"see hidden_vault"}]`), Free: true},
	{Name: "a list in structured content", Message: result(`"content":[],"structuredContent":{"tools":[{"name":"hidden_vault"}],"nextCursor":"hidden_vault"}`), Free: true},
	{Name: "a message that names it", Message: `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no hidden_vault today"}}`, Free: true},
	{Name: "a description that names it", Message: tools(`{"name":"shown_a","description":"see hidden_vault","title":"hidden_vault","annotations":{"title":"hidden_vault"}}`), Shown: `{"name":"shown_a","description":"see hidden_vault","title":"hidden_vault","annotations":{"title":"hidden_vault"}}`, Free: true},
}
