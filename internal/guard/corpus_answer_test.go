package guard

import "strings"

// leak is a way to have the name of a hidden entry reach the client. The message
// answers the request with id 1.
type leak struct {
	name    string
	message string
	shown   string // what must reach the client all the same; empty if the message may be refused
}

const shownTool = `{"name":"shown_lamp","description":"d"}`

// tools makes the answer to tools/list, given its entries.
func tools(entries string) string {
	return `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + entries + `]}}`
}

var leaks = []leak{
	{"a hidden tool", tools(shownTool + `,{"name":"hidden_vault"}`), shownTool},
	{"a hidden tool alone", tools(`{"name":"hidden_vault"}`), `"tools":[]`},
	{"hidden tools around one", tools(`{"name":"hidden_vault"}, ` + shownTool + ` ,{"name":"hidden_vault"},{"name":"hidden_vault2"}`), shownTool},
	{"a hidden prompt", `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"shown_a"},{"name":"hidden_vault"}]}}`, `{"name":"shown_a"}`},
	{"a hidden resource", `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"uri":"docs://shown/a","name":"a"},{"uri":"docs://hidden_vault/a","name":"b"}]}}`, `docs://shown/a`},
	{"a resource that borrows a shown name", `{"jsonrpc":"2.0","id":1,"result":{"resources":[{"name":"shown_a","uri":"docs://hidden_vault/a"}]}}`, `"resources":[]`},
	{"a hidden template", `{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[{"uriTemplate":"docs://shown/{a}","name":"a"},{"uriTemplate":"docs://hidden_vault/{a}","name":"b"}]}}`, `docs://shown/{a}`},
	{"four lists at once", `{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"hidden_vault"}],"resources":[{"uri":"docs://hidden_vault/a"}],"resourceTemplates":[{"uriTemplate":"docs://hidden_vault/{a}"}],"tools":[` + shownTool + `,{"name":"hidden_vault"}]}}`, shownTool},
	{"a list where the result has more", `{"jsonrpc":"2.0","id":1,"result":{"content":[],"tools":[{"name":"hidden_vault"}],"isError":false}}`, `"content":[]`},
	{"the result before the rest", `{"result":{"tools":[{"name":"hidden_vault"},` + shownTool + `]},"id":1,"jsonrpc":"2.0"}`, shownTool},
	{"an escaped name", tools(`{"name":"hidden\u005fvault"},` + shownTool), shownTool},
	{"an escaped member", tools(`{"n\u0061me":"hidden_vault"},` + shownTool), shownTool},
	{"an escaped list", `{"jsonrpc":"2.0","id":1,"result":{"t\u006fols":[{"name":"hidden_vault"},` + shownTool + `]}}`, shownTool},
	{"white space everywhere", "{ \"jsonrpc\" : \"2.0\" ,\r\n\t\"id\" : 1 , \"result\" : { \"tools\" : [ { \"name\" : \"hidden_vault\" } , " + shownTool + " ] } }", shownTool},
	{"two names, the first shown", tools(`{"name":"shown_a","name":"hidden_vault"},` + shownTool), shownTool},
	{"two names, the first hidden", tools(`{"name":"hidden_vault","name":"shown_a"},` + shownTool), shownTool},
	{"two names, one escaped", tools(`{"name":"shown_a","nam\u0065":"hidden_vault"},` + shownTool), shownTool},
	{"a name in another case", tools(`{"name":"shown_a","Name":"hidden_vault"},` + shownTool), shownTool},
	{"a member twice in an entry", tools(`{"name":"shown_a","title":"a","title":"hidden_vault"},` + shownTool), shownTool},
	{"no name but a title", tools(`{"title":"hidden_vault"},` + shownTool), shownTool},
	{"a name that is a number", tools(`{"name":7,"title":"hidden_vault"},` + shownTool), shownTool},
	{"a name that is an object", tools(`{"name":{"name":"hidden_vault"}},` + shownTool), shownTool},
	{"a name that is a list", tools(`{"name":["hidden_vault"]},` + shownTool), shownTool},
	{"an empty name", tools(`{"name":"","title":"hidden_vault"},` + shownTool), shownTool},
	{"a NUL after a shown name", tools(`{"name":"shown_a\u0000hidden_vault"},` + shownTool), shownTool},
	{"an entry that is a string", tools(`"hidden_vault",` + shownTool), shownTool},
	{"an entry that is a list", tools(`[{"name":"hidden_vault"}],` + shownTool), shownTool},
	{"an entry that is null", tools(`null,{"name":"hidden_vault"},` + shownTool), shownTool},
	{"a list that is an object", `{"jsonrpc":"2.0","id":1,"result":{"tools":{"hidden_vault":{}}}}`, ""},
	{"a list that is a string", `{"jsonrpc":"2.0","id":1,"result":{"tools":"hidden_vault"}}`, ""},
	{"a list twice", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in another case", `{"jsonrpc":"2.0","id":1,"result":{"Tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list with a long s", `{"jsonrpc":"2.0","id":1,"result":{"toolſ":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in snake case", `{"jsonrpc":"2.0","id":1,"result":{"resource_templates":[{"uriTemplate":"docs://hidden_vault/{a}"}]}}`, ""},
	{"two results", `{"jsonrpc":"2.0","id":1,"result":{},"result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a result in another case", `{"jsonrpc":"2.0","id":1,"result":{},"Result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a method and a result", `{"jsonrpc":"2.0","id":1,"method":"ping","result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a notification with a result", `{"jsonrpc":"2.0","method":"notifications/message","result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a result and an error", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"},"result":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"params beside a result", `{"jsonrpc":"2.0","id":1,"result":{},"params":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in a notification", `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a list in an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":{"tools":[{"name":"hidden_vault"}]}}}`, ""},
	{"a list deep in an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":{"result":{"tools":[{"name":"hidden_vault"}]}}}}`, ""},
	{"a list in an array in an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":[1,[{"tools": [ {"name":"hidden_vault"}]}]]}}`, ""},
	{"a list in snake case in an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":{"resource_templates":[{"uriTemplate":"docs://hidden_vault/{a}"}]}}}`, ""},
	{"a list beside an error's data", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","tools":[{"name":"hidden_vault"}]}}`, ""},
	{"a result in an error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","result":{"tools":[{"name":"hidden_vault"}]}}}`, ""},
	{"a list for a message", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":{"tools":[{"name":"hidden_vault"}]}}}`, ""},
	{"an error's data nested too deep", `{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m","data":` + strings.Repeat(`{"a":[`, 300) + `{"tools":[{"name":"hidden_vault"}]}` + strings.Repeat(`]}`, 300) + `}}`, ""},
	{"a list beside the result", `{"jsonrpc":"2.0","id":1,"result":{},"tools":[{"name":"hidden_vault"}]}`, ""},
	{"a result that is a list", `{"jsonrpc":"2.0","id":1,"result":[{"tools":[{"name":"hidden_vault"}]}]}`, ""},
	{"a result that is a string", `{"jsonrpc":"2.0","id":1,"result":"hidden_vault"}`, ""},
	{"an array of messages", `[` + tools(`{"name":"hidden_vault"}`) + `]`, ""},
	{"two messages", tools(shownTool) + tools(`{"name":"hidden_vault"}`), ""},
	{"a byte order mark", "\ufeff" + tools(`{"name":"hidden_vault"}`), ""},
	{"bad UTF-8", tools("{\"name\":\"shown_a\",\"description\":\"\xff\"},{\"name\":\"hidden_vault\"}"), ""},
	{"half a surrogate pair in a name", tools(`{"name":"\ud800hidden_vault"}`), ""},
	{"a control character", tools("{\"name\":\"hidden_vault\n\"}"), ""},
	{"a comment", tools(`/*{"name":"hidden_vault"}*/`), ""},
	{"single quotes", tools(`{'name':'hidden_vault'}`), ""},
	{"a comma too many", tools(`{"name":"hidden_vault"},`), ""},
	{"cut off", strings.TrimSuffix(tools(`{"name":"hidden_vault"}`), "]}}"), ""},
	{"not JSON", `hidden_vault`, ""},
	{"HTML", `<p>hidden_vault</p>`, ""},
	{"a response to another request", strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":2`, 1), ""},
	{"a request with the id that is awaited", `{"jsonrpc":"2.0","id":1,"method":"hidden_vault"}`, ""},
	{"a response to nobody", strings.Replace(tools(`{"name":"hidden_vault"}`), `"id":1`, `"id":null`, 1), ""},
	{"a cursor that holds a name", `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + shownTool + `],"nextCursor":"after:hidden_vault"}}`, shownTool},
	{"a cursor that is no string", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":{"after":"hidden_vault"}}}`, ""},
	{"a cursor in another case", `{"jsonrpc":"2.0","id":1,"result":{"tools":[],"NextCursor":"hidden_vault"}}`, ""},
	{"request state that holds a name", `{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","requestState":"hidden_vault"}}`, `input_required`},
	{"an update of a hidden resource", `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://hidden_vault/a"}}`, ""},
	{"an update with two uris", `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a","uri":"docs://hidden_vault/a"}}`, ""},
	{"an update with a uri in another case", `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"docs://shown/a","URI":"docs://hidden_vault/a"}}`, ""},
	{"a notification nobody knows", `{"jsonrpc":"2.0","method":"notifications/hidden_vault","params":{}}`, ""},
	{"a request nobody knows", `{"jsonrpc":"2.0","id":9,"method":"hidden_vault","params":{}}`, ""},
	{"a task's state", `{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"taskId":"hidden_vault"}}`, ""},
}
