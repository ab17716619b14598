package hostile

import "strings"

// Attacks are those in the text of a request.
var Attacks = []Attack{
	{Name: "the name of something hidden", Params: `"{key}":"{hidden}"`},
	{Name: "a name with an escape", Params: `"{key}":"` + `\u0068idden_vault"`},
	{Name: "a name of escapes alone", Params: `"{key}":"\u0068\u0069\u0064\u0064\u0065\u006e_vault"`},
	{Name: "a member with an escape", Params: `"` + `\u006eame":"hidden_vault"`, Method: nameOnly},

	// One parser takes the first of several, another the last.
	{Name: "two names, the last hidden", Params: `"{key}":"{shown}","{key}":"{hidden}"`},
	{Name: "two names, the first hidden", Params: `"{key}":"{hidden}","{key}":"{shown}"`},
	{Name: "three names, the middle one hidden", Params: `"{key}":"{shown}","{key}":"{hidden}","{key}":"{shown}"`, Odd: true},
	{Name: "a second name with an escape", Params: `"name":"shown_a","n\u0061me":"hidden_vault"`, Method: nameOnly},
	{Name: "a second name far behind", Params: `"{key}":"{shown}","arguments":{"a":"` + strings.Repeat("a", 70_000) + `"},"{key}":"{hidden}"`},
	{Name: "two params, the last hidden", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{S}},"params":{params{H}}}`},
	{Name: "two params, the first hidden", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{H}},"params":{params{S}}}`},
	{Name: "two methods, the last hidden", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"{method}","params":{params{H}}}`, Header: map[string][]string{"Mcp-Method": {"tools/list"}, "Mcp-Name": nil}},
	{Name: "two methods, the first hidden", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","method":"tools/list","params":{params{H}}}`, Header: map[string][]string{"Mcp-Method": {"tools/list"}, "Mcp-Name": nil}},

	// One parser folds the case of members, another does not.
	{Name: "a name in another case behind it", Params: `"{key}":"{shown}","NAME":"hidden_vault","URI":"docs://hidden_vault/a"`},
	{Name: "a name in another case before it", Params: `"Name":"hidden_vault","Uri":"docs://hidden_vault/a","{key}":"{shown}"`},
	{Name: "a name in another case alone", Params: `"nAME":"hidden_vault","uRI":"docs://hidden_vault/a"`},
	{Name: "a uri with a dotless i", Params: `"uri":"{shown}","urı":"{hidden}"`, Method: uriOnly},
	{Name: "a name with an underscore", Params: `"{key}":"{shown}","na_me":"hidden_vault","ur_i":"docs://hidden_vault/a"`},
	{Name: "a name with a NUL behind", Params: `"{key}":"{shown}","{key}\u0000":"{hidden}"`},
	{Name: "a name with a NUL and more behind, before it", Params: `"{key}\u0000x":"{hidden}","{key}":"{shown}"`},
	{Name: "a method in another case beside it", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"{method}","params":{params{H}}}`, Header: map[string][]string{"Mcp-Method": {"tools/list"}, "Mcp-Name": nil}},
	{Name: "params in another case beside it", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{S}},"Params":{params{H}}}`},
	{Name: "params with a long s", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{S}},"paramſ":{params{H}}}`},
	{Name: "params with a long s alone", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","paramſ":{params{H}}}`},
	{Name: "params with a NUL behind", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params\u0000":{params{H}},"params":{params{S}}}`},
	{Name: "a ref in another case beside it", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{S},"Ref":{"type":"ref/prompt","name":"hidden_vault"}}}`, Method: refOnly},
	{Name: "two refs", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{S},{H}}}`, Method: refOnly},
	{Name: "a ref to both", Params: `"{key}":"{shown}","name":"hidden_vault","uri":"docs://hidden_vault/a"`, Method: refOnly},
	{Name: "a ref of a type nobody knows", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params"ref":{"type":"ref/tool","name":"hidden_vault"},"argument":{"name":"a","value":"b"}}}`, Method: refOnly},
	{Name: "a method in capitals", Body: `{"jsonrpc":"2.0","id":1,"method":"TOOLS/CALL","params":{params{H}}}`, Header: map[string][]string{"Mcp-Method": {"TOOLS/CALL"}}, Method: nameOnly},
	{Name: "a method between spaces", Body: `{"jsonrpc":"2.0","id":1,"method":" {method} ","params":{params{H}}}`},
	{Name: "a method with a NUL behind", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}\u0000","params":{params{H}}}`},
	{Name: "a method with an escaped slash", Body: strings.Replace(`{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{H}}}`, "{method}", `tools\/call`, 1), Method: callOnly},
	{Name: "a method nobody knows", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/invoke","params":{params{H}}}`, Header: map[string][]string{"Mcp-Method": {"tools/invoke"}, "Mcp-Name": {"{hidden}"}}},
	{Name: "a method in a list", Body: `{"jsonrpc":"2.0","id":1,"method":["{method}"],"params":{params{H}}}`},

	// Names that are another to some.
	{Name: "a name with a NUL behind it", Params: `"{key}":"{hidden}\u0000"`},
	{Name: "a shown name behind a NUL", Params: `"{key}":"{hidden}\u0000{shown}"`},
	{Name: "a name in capitals", Params: `"name":"HIDDEN_VAULT"`, Method: nameOnly},
	{Name: "a name between spaces", Params: `"{key}":" {hidden} "`},
	{Name: "a name with a character nobody sees", Params: `"{key}":"hid` + "\u200b" + `den_vault"`},
	{Name: "a name with half a surrogate pair", Params: `"{key}":"hid\ud800den_vault"`},
	{Name: "half a surrogate pair before a second name", Params: `"{key}":"{shown}","a":"\udc00","{key}":"{hidden}"`},
	{Name: "a name with bad UTF-8", Params: "\"{key}\":\"hid\xffden_vault\""},
	{Name: "bad UTF-8 before a second name", Params: "\"{key}\":\"{shown}\",\"a\":\"\xff\",\"{key}\":\"{hidden}\""},
	{Name: "an overlong letter", Params: "\"{key}\":\"\xc1\xa8idden_vault\""},
	{Name: "an overlong quote", Params: "\"{key}\":\"{shown}\xc0\xa2,\xc0\xa2{key}\xc0\xa2:\xc0\xa2{hidden}\""},
	{Name: "a name without quotes", Params: `"{key}":hidden_vault`},
	{Name: "a name in a list", Params: `"{key}":["{shown}"],"{key}":"{hidden}"`},
	{Name: "a name in an object", Params: `"{key}":{"{key}":"{hidden}"}`, Odd: true},
	{Name: "a name that is null before another", Params: `"{key}":null,"{key}":"{hidden}"`},
	{Name: "a name that is a number", Params: `"{key}":1`, Odd: true},
	{Name: "a uri with dot segments", Params: `"uri":"docs://shown/../hidden_vault/a"`, Method: resourceOnly},
	{Name: "a uri with encoded dot segments", Params: `"uri":"docs://shown/%2e%2e/hidden_vault/a"`, Method: resourceOnly},
	{Name: "a uri with backslashes", Params: `"uri":"docs://shown\\..\\hidden_vault/a"`, Method: resourceOnly},
	{Name: "a uri with an encoded slash", Params: `"uri":"docs://shown/..%2fhidden_vault/a"`, Method: resourceOnly},
	{Name: "a uri with user info", Params: `"uri":"docs://shown@hidden_vault/a"`, Method: resourceOnly},
	{Name: "a uri with a scheme in capitals", Params: `"uri":"DOCS://hidden_vault/a"`, Method: resourceOnly},
	{Name: "a resource with a shown name beside it", Params: `"name":"shown_a","uri":"docs://hidden_vault/a"`, Method: resourceOnly},

	// What is no JSON to one parser is to another.
	{Name: "a comment that hides the shown name", Params: `/*"{key}":"{shown}",*/"{key}":"{hidden}"`},
	{Name: "a comment around the hidden name", Params: `"{key}":"{shown}"/*,"{key}":"{hidden}"*/`},
	{Name: "a comment to the line's end", Params: "\"{key}\":\"{shown}\"//\n,\"{key}\":\"{hidden}\""},
	{Name: "a comment that some end elsewhere", Params: `"{key}":"{shown}"/*/,"{key}":"{hidden}"/*/`},
	{Name: "a comma too many", Params: `"{key}":"{hidden}",`},
	{Name: "a comma too few", Params: `"{key}":"{shown}" "{key}":"{hidden}"`},
	{Name: "single quotes", Params: `'{key}':'{hidden}'`},
	{Name: "single quotes around double ones", Params: `'{key}':'{hidden}',"{key}":"{shown}"`},
	{Name: "members without quotes", Params: `{key}:"{hidden}"`},
	{Name: "NaN", Params: `"a":NaN,"{key}":"{hidden}"`},
	{Name: "Infinity before a second name", Params: `"{key}":"{shown}","a":-Infinity,"{key}":"{hidden}"`},
	{Name: "a hexadecimal number", Params: `"{key}":"{hidden}","a":0x10`},
	{Name: "a number that begins with nothing", Params: `"{key}":"{hidden}","a":01,"b":.5,"c":+1,"d":1.`},
	{Name: "a line break in a text", Params: "\"{key}\":\"{hidden}\",\"a\":\"\n\""},
	{Name: "a tab in a name", Params: "\"{key}\":\"hid\tden_vault\""},
	{Name: "an escape that is none", Params: `"{key}":"\hidden_vault"`},
	{Name: "an escape of two digits", Params: `"{key}":"\x68idden_vault"`},
	{Name: "an equals sign", Params: `"{key}"="{hidden}"`},
	{Name: "a byte order mark", Body: "\ufeff" + plainCall},
	{Name: "a byte order mark behind white space", Body: " \ufeff" + plainCall},
	{Name: "white space that is none in JSON", Body: "\u00a0" + plainCall},
	{Name: "a form feed before it", Body: "\f" + plainCall},
	{Name: "a guard against scripts before it", Body: "for(;;);" + plainCall},
	{Name: "a record separator before it", Body: "\x1e" + plainCall + "\n"},
	{Name: "a NUL before it", Body: "\x00" + plainCall},
	{Name: "a NUL behind an honest message, then another", Body: honestCall + "\x00" + plainCall},
	{Name: "a second message behind it", Body: honestCall + plainCall},
	{Name: "a second message on the next line", Body: honestCall + "\n" + plainCall},
	{Name: "a second message behind a comma", Body: honestCall + "," + plainCall},
	{Name: "a second message behind megabytes of white space", Body: honestCall + strings.Repeat(" ", 1<<20) + plainCall},
	{Name: "cut off behind the name", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{H}`},
	{Name: "nested beyond a parser's depth", Params: `"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,"{key}":"{hidden}"`, Odd: true},
	{Name: "nested just beyond ours", Params: `"{key}":"{shown}","a":` + strings.Repeat(`{"a":`, 130) + `1` + strings.Repeat("}", 130) + `,"{key}":"{hidden}"`},
	{Name: "more members than are counted", Params: strings.Repeat(`"a":[`+strings.Repeat("1,", 9_999)+`1],`, 11) + `"{key}":"{hidden}"`},
	{Name: "an object that becomes a prototype", Params: `"__proto__":{"{key}":"{hidden}"}`},
	{Name: "params that become a prototype", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","__proto__":{"params":{params{H}}}}`},
	{Name: "params in a list", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{params{H}}]}`},

	// What kind of message it is.
	{Name: "a call as a notification", Body: `{"jsonrpc":"2.0","method":"{method}","params":{params{H}}}`},
	{Name: "a call with a null id", Body: `{"jsonrpc":"2.0","id":null,"method":"{method}","params":{params{H}}}`},
	{Name: "a call with a fraction for an id", Body: `{"jsonrpc":"2.0","id":1.5,"method":"{method}","params":{params{H}}}`},
	{Name: "a call with an object for an id", Body: `{"jsonrpc":"2.0","id":{},"method":"{method}","params":{params{H}}}`},
	{Name: "a call without jsonrpc", Body: `{"id":1,"method":"{method}","params":{params{H}}}`},
	{Name: "a call of JSON-RPC 1.0", Body: `{"jsonrpc":"1.0","id":1,"method":"{method}","params":{params{H}}}`},
	{Name: "a call that is also a result", Body: `{"jsonrpc":"2.0","id":1,"result":{},"method":"{method}","params":{params{H}}}`},
	{Name: "a call that is also an error", Body: `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"},"method":"{method}","params":{params{H}}}`},
	{Name: "a call that is an initialize to some", Body: `{"jsonrpc":"2.0","id":1,"method":"initialize","Method":"{method}","params":{params{H},"protocolVersion":"2025-06-18"}}`, Header: map[string][]string{"Mcp-Method": {"initialize"}, "Mcp-Name": nil}},
	{Name: "a message in a message", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","message":` + plainCall + `}`, Odd: true},
	{Name: "a batch of an honest call and another", Body: `[` + honestCall + `,{"jsonrpc":"2.0","id":2,"method":"{method}","params":{params{H}}}]`},
	{Name: "a batch of one", Body: `[` + plainCall + `]`},
	{Name: "a batch in a batch", Body: `[[` + plainCall + `]]`},
	{Name: "a batch behind white space", Body: " \r\n\t[" + plainCall + `]`},
	{Name: "a batch with equal ids", Body: `[` + honestCall + `,` + plainCall + `]`},
	{Name: "a batch that does not end", Body: `[` + honestCall + `,` + plainCall},
	{Name: "a batch with a comma too many", Body: `[` + honestCall + `,` + plainCall + `,]`},
	{Name: "a batch and a message behind it", Body: `[` + honestCall + `]` + plainCall},
	{Name: "a batch of an initialize and another", Body: `[{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"a","version":"1"}}},` + plainCall + `]`},
	{Name: "an object with numbers for names, as some write lists", Body: `{"0":` + honestCall + `,"1":` + plainCall + `}`, Odd: true},

	// Handles that are another's, or made up.
	{Name: "a made-up cursor", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{params"cursor":"hidden_vault"}}`, Header: map[string][]string{"Mcp-Method": {"tools/list"}, "Mcp-Name": nil}, Method: callOnly},
	{Name: "a made-up cursor in another case", Body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{params"Cursor":"hidden_vault"}}`, Header: map[string][]string{"Mcp-Method": {"tools/list"}, "Mcp-Name": nil}, Method: callOnly},
	{Name: "a made-up cursor with a call", Params: `"{key}":"{shown}","cursor":"hidden_vault"`, Method: notRef},
	{Name: "made-up request state", Params: `"{key}":"{shown}","requestState":"hidden_vault"`, Method: notRef},
	{Name: "made-up request state with an underscore", Params: `"{key}":"{shown}","request_state":"hidden_vault"`, Method: notRef},
	{Name: "the result of a task of someone's", Body: `{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{params"taskId":"hidden_task"}}`, Header: map[string][]string{"Mcp-Method": {"tasks/result"}, "Mcp-Name": {"hidden_task"}}, Method: callOnly},
	{Name: "a task of someone's", Body: `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{params"taskId":"hidden_task"}}`, Header: map[string][]string{"Mcp-Method": {"tasks/get"}, "Mcp-Name": {"hidden_task"}}, Method: callOnly},
	{Name: "ending a task of someone's", Body: `{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{params"taskId":"hidden_task"}}`, Header: map[string][]string{"Mcp-Method": {"tasks/cancel"}, "Mcp-Name": {"hidden_task"}}, Method: callOnly},
	{Name: "a related task of someone's", Body: `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{S},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"hidden_task"}}}}`, Only: notModern},
	{Name: "watching something hidden among others", Body: `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{params"notifications":{"resourceSubscriptions":["docs://shown/a","docs://hidden_vault/a"]}}}`, Header: map[string][]string{"Mcp-Method": {"subscriptions/listen"}, "Mcp-Name": nil}, Method: callOnly},
	{Name: "watching twice", Body: `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{params"notifications":{"resourceSubscriptions":["docs://shown/a"],"resourceSubscriptions":["docs://hidden_vault/a"]}}}`, Header: map[string][]string{"Mcp-Method": {"subscriptions/listen"}, "Mcp-Name": nil}, Method: callOnly},
	{Name: "watching in snake case", Body: `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{params"notifications":{"resource_subscriptions":["docs://hidden_vault/a"]}}}`, Header: map[string][]string{"Mcp-Method": {"subscriptions/listen"}, "Mcp-Name": nil}, Method: callOnly},
	{Name: "watching a task of someone's", Body: `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{params"notifications":{"taskIds":["hidden_task"]}}}`, Header: map[string][]string{"Mcp-Method": {"subscriptions/listen"}, "Mcp-Name": nil}, Method: callOnly, Odd: true},
}

// Messages that the attacks are made of.
const (
	plainCall  = `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{H}}}`
	honestCall = `{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params{S}}}`
)

func notModern(rev string) bool   { return rev != Modern }
func callOnly(method string) bool { return method == "tools/call" }
func nameOnly(method string) bool { return method == "tools/call" || method == "prompts/get" }
func uriOnly(method string) bool  { return strings.HasPrefix(method, "resources/") }
func resourceOnly(method string) bool {
	return method == "resources/read" || method == "resources/subscribe"
}
func refOnly(method string) bool { return method == "completion/complete" }
func notRef(method string) bool  { return !refOnly(method) }
