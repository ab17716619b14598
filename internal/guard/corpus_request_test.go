package guard

import "strings"

// attack is a way to have a hidden tool run. The body may say {meta} for the
// _meta that the revision asks for.
type attack struct {
	name   string
	body   string
	header map[string]string // beside those of an honest call of echo; empty: taken away
	values map[string][]string
	only   func(rev string) bool
	passes bool // it is not refused, but does nothing
}

func legacyOnly(rev string) bool { return !isModern(rev) }
func modernOnly(rev string) bool { return isModern(rev) }

// call makes the body of a call, given the params without their braces.
func call(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{meta}` + params + `}}`
}

var attacks = []attack{
	{name: "the name of a hidden tool", body: call(`"name":"hidden_vault"`), header: map[string]string{"Mcp-Name": "hidden_vault"}},
	{name: "two names, the last hidden", body: call(`"name":"echo","name":"hidden_vault"`)},
	{name: "two names, the first hidden", body: call(`"name":"hidden_vault","name":"echo"`)},
	{name: "a variant of name in another case", body: call(`"name":"echo","Name":"hidden_vault"`)},
	{name: "a variant of name before it", body: call(`"NAME":"hidden_vault","name":"echo"`)},
	{name: "an escaped second name", body: call(`"name":"echo","n\u0061me":"hidden_vault"`)},
	{name: "a name with an escape", body: call(`"name":"hidden\u005fvault"`), header: map[string]string{"Mcp-Name": "hidden_vault"}},
	{name: "a NUL after an allowed name", body: call(`"name":"hidden_vault\u0000"`), header: map[string]string{"Mcp-Name": "=?base64?aGlkZGVuX3ZhdWx0AA==?="}},
	{name: "a NUL in a member's name", body: call(`"name":"echo","name\u0000":"hidden_vault"`)},
	{name: "two params", body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{meta}"name":"echo"},"params":{{meta}"name":"hidden_vault"}}`},
	{name: "params in another case", body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{meta}"name":"echo"},"Params":{{meta}"name":"hidden_vault"}}`},
	{name: "params with a long s", body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{meta}"name":"echo"},"paramſ":{{meta}"name":"hidden_vault"}}`},
	{name: "a second method in another case", body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call","params":{{meta}"name":"hidden_vault"}}`, header: map[string]string{"Mcp-Method": "tools/list", "Mcp-Name": ""}},
	{name: "two methods", body: `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{{meta}"name":"hidden_vault"}}`, header: map[string]string{"Mcp-Method": "tools/list", "Mcp-Name": ""}},
	{name: "a byte order mark", body: "\ufeff" + call(`"name":"hidden_vault"`)},
	{name: "a second message after the first", body: call(`"name":"echo"`) + call(`"name":"hidden_vault"`)},
	{name: "a second message on the next line", body: call(`"name":"echo"`) + "\n" + call(`"name":"hidden_vault"`)},
	{name: "bad UTF-8 before a second name", body: call("\"name\":\"echo\",\"a\":\"\xff\",\"name\":\"hidden_vault\"")},
	{name: "a comment", body: call(`"name":"echo"/*,*/,"name":"hidden_vault"`)},
	{name: "nesting beyond the parser's depth", body: call(`"name":"echo","arguments":{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `},"name":"hidden_vault"`)},
	{name: "a call as a notification", body: `{"jsonrpc":"2.0","method":"tools/call","params":{{meta}"name":"hidden_vault"}}`, header: map[string]string{"Mcp-Name": "hidden_vault"}},
	{name: "a call with a null id", body: `{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{{meta}"name":"hidden_vault"}}`, header: map[string]string{"Mcp-Name": "hidden_vault"}},
	{name: "method and result", body: `{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{{meta}"name":"hidden_vault"}}`},
	{name: "__proto__ with params", body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","__proto__":{"params":{"name":"hidden_vault"}},"params":{{meta}"name":"echo"}}`},
	{name: "a batch of an allowed and a hidden call", body: `[` + call(`"name":"echo"`) + `,` + strings.Replace(call(`"name":"hidden_vault"`), `"id":1`, `"id":2`, 1) + `]`, header: map[string]string{"Mcp-Name": "", "Mcp-Method": ""}},
	{name: "a batch within a batch", body: `[[` + call(`"name":"hidden_vault"`) + `]]`, header: map[string]string{"Mcp-Name": "", "Mcp-Method": ""}},
	{name: "a batch behind white space", body: " \n\t[" + call(`"name":"hidden_vault"`) + `]`, header: map[string]string{"Mcp-Name": "", "Mcp-Method": ""}},
	{name: "text/plain", body: call(`"name":"hidden_vault"`), header: map[string]string{"Content-Type": "text/plain"}},
	{name: "no content type", body: call(`"name":"hidden_vault"`), header: map[string]string{"Content-Type": ""}},
	{name: "a form", body: call(`"name":"hidden_vault"`), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}},
	{name: "UTF-16", body: call(`"name":"echo"`), header: map[string]string{"Content-Type": "application/json; charset=utf-16"}},
	{name: "two content types", body: call(`"name":"echo"`), values: map[string][]string{"Content-Type": {"application/json", "text/plain"}}},
	{name: "a long s in the content type", body: call(`"name":"echo"`), header: map[string]string{"Content-Type": "application/jſon"}},
	{name: "a gzip body", body: "\x1f\x8b\x08", header: map[string]string{"Content-Encoding": "gzip"}},
	{name: "two codings, one of them identity", body: call(`"name":"echo"`), values: map[string][]string{"Content-Encoding": {"identity", "br"}}},
	{name: "Mcp-Name says another tool", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Name": "hidden_vault"}},
	{name: "the body says another tool than Mcp-Name", body: call(`"name":"hidden_vault"`), header: map[string]string{"Mcp-Name": "echo"}},
	{name: "Mcp-Name twice", body: call(`"name":"echo"`), values: map[string][]string{"Mcp-Name": {"echo", "hidden_vault"}}},
	{name: "Mcp-Name in Base64 says another tool", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Name": "=?base64?aGlkZGVuX3ZhdWx0?="}},
	{name: "Mcp-Name in Base64 without padding", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Name": "=?base64?ZWNobw?="}},
	{name: "Mcp-Name in Base64 with other bits", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Name": "=?base64?ZWNobx==?="}},
	{name: "Mcp-Name with markers that overlap", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Name": "=?base64?="}},
	{name: "Mcp-Method says another method", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Method": "tools/list"}},
	{name: "Mcp-Method twice", body: call(`"name":"echo"`), values: map[string][]string{"Mcp-Method": {"tools/call", "prompts/get"}}},
	{name: "an older version in the header", body: strings.Replace(call(`"name":"hidden_vault"`), "{meta}", `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},`, 1), header: map[string]string{"Mcp-Protocol-Version": "2025-03-26", "Mcp-Name": "hidden_vault"}},
	{name: "no version in the header", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Protocol-Version": ""}, only: modernOnly},
	{name: "two versions in the header", body: call(`"name":"echo"`), values: map[string][]string{"Mcp-Protocol-Version": {"2025-06-18", "2026-07-28"}}},
	{name: "a version that does not exist", body: call(`"name":"echo"`), header: map[string]string{"Mcp-Protocol-Version": "2099-01-01"}},
	{name: "a method in another case", body: strings.Replace(call(`"name":"hidden_vault"`), "tools/call", "Tools/Call", 1), header: map[string]string{"Mcp-Method": "Tools/Call", "Mcp-Name": "hidden_vault"}},
	{name: "a method with a space", body: strings.Replace(call(`"name":"hidden_vault"`), "tools/call", "tools/call ", 1), header: map[string]string{"Mcp-Name": "hidden_vault"}},
	{name: "a method nobody knows", body: strings.Replace(call(`"name":"hidden_vault"`), "tools/call", "tools/invoke", 1), header: map[string]string{"Mcp-Method": "tools/invoke", "Mcp-Name": "hidden_vault"}},
	{name: "a call as a task", body: call(`"name":"hidden_vault","task":{"ttl":1000}`), header: map[string]string{"Mcp-Name": "hidden_vault"}},
	{name: "a task of someone's", body: `{"jsonrpc":"2.0","id":1,"method":"tasks/result","params":{{meta}"taskId":"t-1"}}`, header: map[string]string{"Mcp-Method": "tasks/result", "Mcp-Name": ""}},
	{name: "a task of someone's, as the extension names it", body: `{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{{meta}"taskId":"t-1"}}`, header: map[string]string{"Mcp-Method": "tasks/get", "Mcp-Name": "t-1"}},
	{name: "a related task of someone's", body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t-1"}}}}`, only: legacyOnly},
	{name: "a hidden prompt", body: strings.Replace(call(`"name":"hidden_vault"`), "tools/call", "prompts/get", 1), header: map[string]string{"Mcp-Method": "prompts/get", "Mcp-Name": "hidden_vault"}},
	{name: "a hidden resource", body: strings.Replace(call(`"uri":"docs://hidden_vault/a"`), "tools/call", "resources/read", 1), header: map[string]string{"Mcp-Method": "resources/read", "Mcp-Name": "docs://hidden_vault/a"}},
	{name: "a hidden resource by dot segments", body: strings.Replace(call(`"uri":"docs://shown/../hidden_vault/a"`), "tools/call", "resources/read", 1), header: map[string]string{"Mcp-Method": "resources/read", "Mcp-Name": "docs://shown/../hidden_vault/a"}},
	{name: "a resource with an allowed name beside it", body: strings.Replace(call(`"name":"echo","uri":"docs://hidden_vault/a"`), "tools/call", "resources/read", 1), header: map[string]string{"Mcp-Method": "resources/read", "Mcp-Name": "echo"}},
	{name: "a subscription to a hidden resource", body: strings.Replace(call(`"uri":"docs://hidden_vault/a"`), "tools/call", "resources/subscribe", 1), header: map[string]string{"Mcp-Method": "resources/subscribe", "Mcp-Name": ""}},
	{name: "completion for a hidden prompt", body: strings.Replace(call(`"ref":{"type":"ref/prompt","name":"hidden_vault"},"argument":{"name":"a","value":"b"}`), "tools/call", "completion/complete", 1), header: map[string]string{"Mcp-Method": "completion/complete", "Mcp-Name": ""}},
	{name: "completion for a hidden template", body: strings.Replace(call(`"ref":{"type":"ref/resource","uri":"docs://hidden_vault/{a}"},"argument":{"name":"a","value":"b"}`), "tools/call", "completion/complete", 1), header: map[string]string{"Mcp-Method": "completion/complete", "Mcp-Name": ""}},
	{name: "completion for a prompt and a template at once", body: strings.Replace(call(`"ref":{"type":"ref/prompt","name":"shown_a","uri":"docs://hidden_vault/{a}"},"argument":{"name":"a","value":"b"}`), "tools/call", "completion/complete", 1), header: map[string]string{"Mcp-Method": "completion/complete", "Mcp-Name": ""}},
	{name: "watching a hidden resource among others", body: strings.Replace(call(`"notifications":{"resourceSubscriptions":["docs://shown/a","docs://hidden_vault/a"]}`), "tools/call", "subscriptions/listen", 1), header: map[string]string{"Mcp-Method": "subscriptions/listen", "Mcp-Name": ""}},
	{name: "a made-up cursor", body: strings.Replace(call(`"cursor":"hidden_vault"`), "tools/call", "tools/list", 1), header: map[string]string{"Mcp-Method": "tools/list", "Mcp-Name": ""}},
	{name: "a cursor where there is none", body: call(`"name":"echo","cursor":"hidden_vault"`)},
	{name: "made-up request state", body: call(`"name":"echo","requestState":"hidden_vault"`)},
	{name: "headers that CGI takes for ours", body: call(`"name":"echo"`), values: map[string][]string{"Mcp_Name": {"hidden_vault"}, "mcp_Name": {"hidden_vault"}, "Mcp-Name_": {"hidden_vault"}}, passes: true},
}
