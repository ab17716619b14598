package jsonrpc

import (
	"strings"
	"testing"
)

// call wraps members of params into a tools/call.
func call(params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + params + `}}`
}

// deep nests deeper than the default allows.
var deep = strings.Repeat("[", DefaultDepth) + strings.Repeat("]", DefaultDepth)

// notJSON are bodies that are no JSON text, or nest too deep.
var notJSON = map[string]struct{ body, reason string }{
	"nothing":                          {"", "empty body"},
	"only space":                       {" \r\n\t", "empty body"},
	"cut short":                        {`{"jsonrpc":"2.0","id":1,"method":"ping"`, "not valid JSON"},
	"cut short in a string":            {`{"jsonrpc":"2.0","id":1,"method":"pi`, "not valid JSON"},
	"byte order mark":                  {"\ufeff" + string(smallCall), "byte order mark"},
	"UTF-16":                           {"{\x00\"\x00}\x00", "not valid JSON"},
	"bad UTF-8 in a value":             {call("\"name\":\"a\xff\""), "not valid UTF-8"},
	"overlong UTF-8 in a name":         {call("\"n\xc1\xa1me\":\"a\""), "not valid UTF-8"},
	"UTF-8 of a surrogate":             {call("\"name\":\"\xed\xa0\x80\""), "not valid UTF-8"},
	"lone high surrogate":              {call(`"name":"\ud800"`), "not valid JSON"},
	"lone low surrogate":               {call(`"name":"\udc00a"`), "not valid JSON"},
	"surrogates the wrong way round":   {call(`"arguments":{"a":"\ude00\ud83d"}`), "not valid JSON"},
	"a second message":                 {string(smallCall) + string(smallCall), "more than one"},
	"a second message, on its line":    {string(smallCall) + "\n" + string(smallCall), "more than one"},
	"trailing bytes":                   {string(smallCall) + "x", "not valid JSON"},
	"a trailing NUL":                   {string(smallCall) + "\x00", "not valid JSON"},
	"a trailing comma":                 {call(`"name":"a",`), "not valid JSON"},
	"a comment":                        {call(`/* "name":"b" */"name":"a"`), "not valid JSON"},
	"single quotes":                    {call(`'name':"a"`), "not valid JSON"},
	"a bare name":                      {call(`name:"a"`), "not valid JSON"},
	"NaN":                              {call(`"arguments":{"x":NaN}`), "not valid JSON"},
	"a leading zero":                   {call(`"arguments":{"x":01}`), "not valid JSON"},
	"a hexadecimal number":             {call(`"arguments":{"x":0x1}`), "not valid JSON"},
	"a raw control character":          {call("\"name\":\"a\nb\""), "not valid JSON"},
	"a form feed as space":             {"\f" + string(smallCall), "not valid JSON"},
	"a no-break space as space":        {"\u00a0" + string(smallCall), "not valid JSON"},
	"an unknown escape":                {call(`"name":"\x61"`), "not valid JSON"},
	"deep arguments":                   {call(`"name":"a","arguments":{"x":` + deep + `}`), "nested too deep"},
	"deep and never closed":            {strings.Repeat(`{"a":`, 1_000_000), "nested too deep"},
	"deep after a string of brackets":  {call(`"arguments":{"y":"}}}]]]\"}","x":` + deep + `}`), "nested too deep"},
	"deep after an escaped backslash":  {call(`"arguments":{"y":"\\","x":` + deep + `}`), "nested too deep"},
	"not JSON at all":                  {"method=tools/call", "not valid JSON"},
	"an unfinished message in nothing": {`[`, "not valid JSON"},
}

// ambiguous are bodies that two readers in use read differently.
var ambiguous = map[string]struct{ body, reason string }{
	"duplicate name":                      {call(`"name":"denied","name":"allowed"`), `duplicate member "name"`},
	"duplicate name, one escaped":         {call(`"name":"denied","n\u0061me":"allowed"`), `duplicate member "name"`},
	"duplicate method":                    {`{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}`, `duplicate member "method"`},
	"duplicate params":                    {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}`, `duplicate member "params"`},
	"duplicate id":                        {`{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, `duplicate member "id"`},
	"duplicate deep in the arguments":     {call(`"name":"a","arguments":{"x":[{"y":{"o":1,"o":2}}]}`), `duplicate member "o"`},
	"duplicate in _meta":                  {call(`"name":"a","_meta":{"x":1,"x":2}`), `duplicate member "x"`},
	"Name beside name":                    {call(`"name":"denied","Name":"allowed"`), "another spelling"},
	"Name before name":                    {call(`"NAME":"allowed","name":"denied"`), "another spelling"},
	"Name alone":                          {call(`"Name":"denied"`), "another spelling"},
	"Arguments beside arguments":          {call(`"name":"a","arguments":{},"Arguments":{"x":1}`), "another spelling"},
	"long s":                              {call(`"name":"a","argument\u017f":{}`), "another spelling"},
	"long s in the envelope":              {`{"jsonrpc":"2.0","id":1,"method":"ping","param` + "\u017f" + `":{}}`, "another spelling"},
	"Kelvin sign":                         {`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"tas` + "\u212a" + `Id":"t"}}`, "another spelling"},
	"dotless i":                           {call(`"ur` + "\u0131" + `":"a:b"`), "another spelling"},
	"a ligature":                          {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"noti` + "\ufb01" + `cations":{}}}`, "another spelling"},
	"snake case":                          {`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a","task_id":"b"}}`, "another spelling"},
	"meta beside _meta":                   {call(`"name":"a","_meta":{},"meta":{}`), "another spelling"},
	"Method beside method":                {`{"jsonrpc":"2.0","id":1,"method":"tools/call","Method":"ping"}`, "another spelling"},
	"METHOD alone":                        {`{"jsonrpc":"2.0","id":1,"METHOD":"tools/call"}`, "another spelling"},
	"ID beside id":                        {`{"jsonrpc":"2.0","id":1,"ID":2,"method":"ping"}`, "another spelling"},
	"Result beside a method":              {`{"jsonrpc":"2.0","id":1,"method":"ping","Result":{}}`, "another spelling"},
	"variant of the version in _meta":     {call(`"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/ProtocolVersion":"2024-11-05"}`), "another spelling"},
	"variant in _meta of any method":      {`{"jsonrpc":"2.0","id":1,"method":"ext/x","params":{"_meta":{"IO.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, "another spelling"},
	"variant in ref":                      {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"a","Name":"b"}}}`, "another spelling"},
	"variant in notifications":            {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"ResourceSubscriptions":["a:b"]}}}`, "another spelling"},
	"variant of a client's task":          {`{"jsonrpc":"2.0","id":1,"result":{"Task":{"taskId":"t"}}}`, "another spelling"},
	"variant in a client's task":          {`{"jsonrpc":"2.0","id":1,"result":{"tasks":[{"taskid":"t"}]}}`, "another spelling"},
	"variant in the related task":         {`{"jsonrpc":"2.0","id":1,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskid":"t"}}}}`, "another spelling"},
	"variant in a result":                 {`{"jsonrpc":"2.0","id":1,"result":{"_Meta":{}}}`, "another spelling"},
	"NUL after a name":                    {call(`"name":"denied\u0000allowed"`), "control"},
	"NUL in a member's name":              {call(`"name":"allowed","name\u0000":"denied"`), "unusable member name"},
	"NUL in a name deep in the arguments": {call(`"name":"a","arguments":{"x":[1,{"owner":"acme","owner\u0000":"evil"}]}`), "NUL"},
	"newline in a name":                   {call(`"name":"a\nb"`), "control"},
	"DEL in a name":                       {call("\"name\":\"a\x7f\""), "control"},
	"C1 control in a name":                {call(`"name":"a\u0085"`), "control"},
	"NUL in a uri":                        {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a\u0000.txt"}}`, "control"},
	"NUL in a subscription":               {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:b","c:\u0000"]}}}`, "control"},
	"NUL in a method":                     {`{"jsonrpc":"2.0","id":1,"method":"tools/call\u0000"}`, "method"},
	"NUL in an id":                        {`{"jsonrpc":"2.0","id":"1\u0000","method":"ping"}`, "id is"},
	"a prototype for params":              {call(`"__proto__":{"name":"denied"}`), "unusable member name"},
	"a prototype for the envelope":        {`{"jsonrpc":"2.0","id":1,"__proto__":{"method":"tools/call"}}`, "unusable member name"},
	"two versions in initialize":          {`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, "another protocol version"},
	"a batch":                             {`[` + string(smallCall) + `]`, "not a JSON object"},
	"too many members":                    {call(`"arguments":{"x":[` + strings.Repeat("0,", 100_000) + `0]}`), "too many members"},
	"too many empty objects":              {call(`"arguments":{"x":[` + strings.Repeat("{},", 50_000) + `0]}`), "too many members"},
}

// noMessage are bodies that are JSON but have not the shape of a message; id is
// what the answer has to name.
var noMessage = map[string]struct{ body, reason, id string }{
	"null":                           {`null`, "not a JSON object", ""},
	"a string":                       {`"tools/call"`, "not a JSON object", ""},
	"an empty object":                {`{}`, "neither", ""},
	"an unknown member":              {`{"jsonrpc":"2.0","id":1,"method":"ping","trace":1}`, `unknown member "trace"`, "1"},
	"_meta in the envelope":          {`{"jsonrpc":"2.0","id":1,"method":"ping","_meta":{}}`, `unknown member "_meta"`, "1"},
	"no jsonrpc":                     {`{"id":1,"method":"ping"}`, "jsonrpc is missing", "1"},
	"jsonrpc 1.0":                    {`{"jsonrpc":"1.0","id":1,"method":"ping"}`, "jsonrpc is not", "1"},
	"jsonrpc as a number":            {`{"jsonrpc":2.0,"id":1,"method":"ping"}`, "jsonrpc is not", "1"},
	"id null":                        {`{"jsonrpc":"2.0","id":null,"method":"ping"}`, "id is", ""},
	"id of a fraction":               {`{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, "id is", ""},
	"id of a whole fraction":         {`{"jsonrpc":"2.0","id":1.0,"method":"ping"}`, "id is", ""},
	"id with an exponent":            {`{"jsonrpc":"2.0","id":1e2,"method":"ping"}`, "id is", ""},
	"id beyond 2^53":                 {`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, "id is", ""},
	"id of 40 digits":                {`{"jsonrpc":"2.0","id":1234567890123456789012345678901234567890,"method":"ping"}`, "id is", ""},
	"id minus zero":                  {`{"jsonrpc":"2.0","id":-0,"method":"ping"}`, "id is", ""},
	"id true":                        {`{"jsonrpc":"2.0","id":true,"method":"ping"}`, "id is", ""},
	"id of an object":                {`{"jsonrpc":"2.0","id":{},"method":"ping"}`, "id is", ""},
	"id of an array":                 {`{"jsonrpc":"2.0","id":[1],"method":"ping"}`, "id is", ""},
	"id too long":                    {`{"jsonrpc":"2.0","id":"` + strings.Repeat("a", MaxID) + `","method":"ping"}`, "id is", ""},
	"tools/call as a notification":   {`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}`, "a request without an id", ""},
	"ping as a notification":         {`{"jsonrpc":"2.0","method":"ping"}`, "a request without an id", ""},
	"an extension's method as one":   {`{"jsonrpc":"2.0","method":"ext/x"}`, "a request without an id", ""},
	"a notification as a request":    {`{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}`, "a notification with an id", "1"},
	"both method and result":         {`{"jsonrpc":"2.0","id":1,"method":"tools/call","result":{}}`, "more than one", "1"},
	"both method and error":          {`{"jsonrpc":"2.0","id":1,"error":{},"method":"tools/call"}`, "more than one", "1"},
	"notification with a result":     {`{"jsonrpc":"2.0","result":{},"method":"notifications/cancelled"}`, "more than one", ""},
	"both result and error":          {`{"jsonrpc":"2.0","id":1,"result":{},"error":{}}`, "more than one", "1"},
	"an answer without an id":        {`{"jsonrpc":"2.0","result":{}}`, "an answer without an id", ""},
	"an error without an id":         {`{"jsonrpc":"2.0","error":{"code":1,"message":""}}`, "an answer without an id", ""},
	"an error with id null":          {`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}`, "id is", ""},
	"only an id":                     {`{"jsonrpc":"2.0","id":1}`, "neither", "1"},
	"result of null":                 {`{"jsonrpc":"2.0","id":1,"result":null}`, "result is not an object", "1"},
	"result of a list":               {`{"jsonrpc":"2.0","id":1,"result":[]}`, "result is not an object", "1"},
	"error of a string":              {`{"jsonrpc":"2.0","id":1,"error":"no"}`, "error is not an object", "1"},
	"params with an answer":          {`{"jsonrpc":"2.0","id":1,"result":{},"params":{}}`, "params without a method", "1"},
	"method of a number":             {`{"jsonrpc":"2.0","id":1,"method":5}`, "method is not a string", "1"},
	"method of null":                 {`{"jsonrpc":"2.0","id":1,"method":null}`, "method is not a string", "1"},
	"method of a list":               {`{"jsonrpc":"2.0","id":1,"method":["tools/call"]}`, "method is not a string", "1"},
	"empty method":                   {`{"jsonrpc":"2.0","id":1,"method":""}`, "method is not a usable name", "1"},
	"method too long":                {`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("a", 300) + `"}`, "method is not a usable name", "1"},
	"params of a list":               {`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["a"]}`, "params is not an object", "1"},
	"params of a list, an extension": {`{"jsonrpc":"2.0","id":1,"method":"ext/x","params":[]}`, "params is not an object", "1"},
	"name of a list":                 {call(`"name":["a"]`), "params.name is not a string", "1"},
	"name of a number":               {call(`"name":1`), "params.name is not a string", "1"},
	"name null":                      {call(`"name":null`), "params.name is not a string", "1"},
	"name of an object":              {call(`"name":{"toString":"a"}`), "params.name is not a string", "1"},
	"uri of a list":                  {`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":["a:b"]}}`, "params.uri is not a string", "1"},
	"cursor false":                   {`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":false}}`, "params.cursor is not a string", "1"},
	"taskId of a number":             {`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":1}}`, "params.taskId is not a string", "1"},
	"requestState of an object":      {call(`"name":"a","requestState":{}`), "params.requestState is not a string", "1"},
	"task null":                      {call(`"name":"a","task":null`), "params.task is not an object", "1"},
	"arguments of a list":            {call(`"name":"a","arguments":[]`), "params.arguments is not an object", "1"},
	"arguments of a string":          {call(`"name":"a","arguments":"{}"`), "params.arguments is not an object", "1"},
	"task true":                      {call(`"name":"a","task":true`), "params.task is not an object", "1"},
	"ref null":                       {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":null}}`, "params.ref is not an object", "1"},
	"protocol version of null":       {call(`"_meta":{"io.modelcontextprotocol/protocolVersion":null}`), "protocol version in _meta is not a string", "1"},
	"params null with an answer":     {`{"jsonrpc":"2.0","id":1,"result":{},"params":null}`, "params without a method", "1"},
	"Arguments null":                 {call(`"name":"a","Arguments":null`), "another spelling", "1"},
	"_meta of a list":                {`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"_meta":[]}}`, "_meta is not an object", ""},
	"protocol version of a number":   {call(`"_meta":{"io.modelcontextprotocol/protocolVersion":2026}`), "protocol version in _meta is not a string", "1"},
	"initialize with a number":       {`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}`, "params.protocolVersion is not a string", "1"},
	"related task of a string":       {call(`"_meta":{"io.modelcontextprotocol/related-task":"t"}`), "related task in _meta is not an object", "1"},
	"ref of a string":                {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":"a"}}`, "params.ref is not an object", "1"},
	"ref with a number for a name":   {`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"name":1}}}`, "params.ref.name is not a string", "1"},
	"subscriptions of a string":      {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":"a:b"}}}`, "is not an array", "1"},
	"subscriptions of numbers":       {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[1]}}}`, "is not a string", "1"},
	"a list to watch by a string":    {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":"true"}}}`, "neither true nor false", "1"},
	"notifications of a list":        {`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":[]}}`, "params.notifications is not an object", "1"},
	"an id after the fault":          {`{"jsonrpc":"2.0","method":"ping","params":[1],"id":"later"}`, "params is not an object", `"later"`},
	"no id to tell of two spellings": {`{"jsonrpc":"2.0","id":1,"Id":2,"method":"ping"}`, "another spelling", ""},
	"an unknown member from a line":  {"{\"" + strings.Repeat("é", 50) + "\":1}", "unknown member", ""},
}

func TestParseRefusesWhatIsNotJSON(t *testing.T) {
	for name, test := range notJSON {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.body), Limits{})
			if e := refused(t, err, CodeParse, test.reason); e.ID != nil {
				t.Errorf("an id %s of what is not JSON", e.ID)
			}
		})
	}
}

func TestParseRefusesWhatReadersReadDifferently(t *testing.T) {
	for name, test := range ambiguous {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.body), Limits{})
			refused(t, err, CodeInvalidRequest, test.reason)
		})
	}
}

func TestParseRefusesWhatIsNoMessage(t *testing.T) {
	for name, test := range noMessage {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(test.body), Limits{})
			if e := refused(t, err, CodeInvalidRequest, test.reason); string(e.ID) != test.id {
				t.Errorf("id is %s, want %s", e.ID, test.id)
			}
		})
	}
}
