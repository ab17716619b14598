package audit

import (
	"encoding/json"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// full is a record as a call leaves it.
func full() *Record {
	return &Record{
		Time: time.Date(2025, 6, 7, 8, 9, 10, 0, time.UTC), Event: "tools/call", Decision: "deny", Rule: "no rule allows it", Reason: "unknown tool", Policy: "0123456789abcdef",
		UserID: "workos:user_01", Email: "bob@example.com", Org: "org_01", Roles: []string{"member", "viewer"}, Permissions: []string{"docs", "images"}, Impersonator: "admin@example.com",
		ClientID: "client-1", ClientName: "Some Agent", GrantID: "grant-1", Server: "images", Method: "tools/call", Kind: "tool", Name: "generateImage",
		RequestID: "req-1", Session: "a1b2c3", Protocol: "2025-11-25", Latency: 1500 * time.Microsecond, Status: 200, UpstreamStatus: 202, Filtered: 3,
	}
}

// logged returns the entry that is written for r, as JSON reads it.
func logged(t *testing.T, r *Record) map[string]any {
	t.Helper()
	var out strings.Builder
	Log(zap.New(encoder(zapcore.AddSync(&out)))).Record(r)
	if strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("not one line:\n%s", out.String())
	}
	var entry map[string]any
	if err := json.Unmarshal([]byte(out.String()), &entry); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return entry
}

// encoder is Caddy's JSON log, without its time in the way.
func encoder(w zapcore.WriteSyncer) zapcore.Core {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.ISO8601TimeEncoder
	return zapcore.NewCore(zapcore.NewJSONEncoder(config), w, zapcore.InfoLevel)
}

func TestEveryFieldIsLogged(t *testing.T) {
	want := map[string]any{
		"level": "info", "ts": "2025-06-07T08:09:10.000Z", "msg": "audit",
		"event": "tools/call", "decision": "deny", "rule": "no rule allows it", "reason": "unknown tool", "policy": "0123456789abcdef",
		"user_id": "workos:user_01", "email": "bob@example.com", "org": "org_01", "roles": []any{"member", "viewer"}, "permissions": []any{"docs", "images"}, "impersonator": "admin@example.com",
		"client_id": "client-1", "client_name": "Some Agent", "grant_id": "grant-1",
		"server": "images", "method": "tools/call", "kind": "tool", "tool": "generateImage",
		"request_id": "req-1", "session": "a1b2c3", "protocol": "2025-11-25",
		"latency": 0.0015, "status": 200.0, "upstream_status": 202.0, "filtered": 3.0,
	}
	if got := logged(t, full()); !reflect.DeepEqual(got, want) {
		t.Errorf("logged\n%v, want\n%v", got, want)
	}
	// A field that is added to Record must be added to the log and to full.
	for i := range reflect.TypeFor[Record]().NumField() {
		if reflect.ValueOf(full()).Elem().Field(i).IsZero() {
			t.Errorf("%s is not in this test", reflect.TypeFor[Record]().Field(i).Name)
		}
	}
	if fields := reflect.TypeFor[Record]().NumField(); fields != len(want)-2 {
		t.Errorf("Record has %d fields, the log %d", fields, len(want)-2)
	}
}

func TestEmptyFieldsAreLeftOut(t *testing.T) {
	got := logged(t, &Record{Event: "login"})
	delete(got, "ts")
	if want := map[string]any{"level": "info", "msg": "audit", "event": "login"}; !reflect.DeepEqual(got, want) {
		t.Errorf("logged %v, want %v", got, want)
	}
}

func TestTargetsHaveTheNameOfTheirKind(t *testing.T) {
	for kind, key := range map[string]string{
		"tool": "tool", "prompt": "prompt", "resource": "resource", "template": "template", "": "name", "decision": "name",
	} {
		got := logged(t, &Record{Event: "e", Kind: kind, Name: "n"})
		if got[key] != "n" {
			t.Errorf("kind %q: %v", kind, got)
		}
	}
}

func TestSecretsInURIsAreLeftOut(t *testing.T) {
	for uri, want := range map[string]string{
		"docs://a/b":                      "docs://a/b",
		"https://h/p?token=secret":        "https://h/p?…",
		"https://h/p#access_token=secret": "https://h/p#…",
		"https://u:secret@h:1/p":          "https://…@h:1/p",
		"https://a@secret@h":              "https://…@h",
		"https://u:secret@h?x":            "https://…@h?…",
		"//secret@h/p":                    "//…@h/p",
		`https://secret@h\p`:              `https://…@h\p`,
		"mailto:a@example.com":            "mailto:a@example.com",
		"https://h/@scope/package":        "https://h/@scope/package",
		"?secret":                         "?…",
		"#":                               "#…",
		"":                                "",
	} {
		if got := bareURI(uri); got != want {
			t.Errorf("%s is logged as %s, want %s", uri, got, want)
		}
		for _, kind := range []string{"resource", "template"} {
			got := logged(t, &Record{Event: "e", Kind: kind, Name: uri})
			if text, _ := got[kind].(string); text != want {
				t.Errorf("%s %s is logged as %q", kind, uri, text)
			}
		}
	}
}

func TestWhatTheNetworkSaysIsBoundedAndOnOneLine(t *testing.T) {
	r := full()
	long := strings.Repeat("é\n\x00\u2028", 100_000)
	value := reflect.ValueOf(r).Elem()
	for i := range value.NumField() {
		if f := value.Field(i); f.Kind() == reflect.String {
			f.SetString(long)
		}
	}
	r.Kind = "tool"
	r.Roles = slices.Repeat([]string{long}, 1000)
	r.Permissions = r.Roles
	var total int
	for key, v := range logged(t, r) {
		if text, ok := v.(string); ok && len(text) > maxText+len("…") {
			t.Errorf("%s is %d bytes long", key, len(text))
		} else if ok && strings.ContainsRune(text, '\ufffd') {
			t.Errorf("%s was cut within a character", key)
		}
		if list, ok := v.([]any); ok && len(list) != maxSlugs {
			t.Errorf("%s has %d elements", key, len(list))
		}
		total++
	}
	if total != len(slices.Collect(maps.Keys(logged(t, full())))) {
		t.Errorf("%d fields", total)
	}
}

// TestTheRecordMayBeUsedAgain holds that the sink keeps nothing of a record, so that a caller may take it
// from a pool.
func TestTheRecordMayBeUsedAgain(t *testing.T) {
	var out strings.Builder
	sink := Log(zap.New(encoder(zapcore.AddSync(&out))))
	r := full()
	sink.Record(r)
	r.Roles[0], r.Name = "changed", "changed"
	if strings.Contains(out.String(), "changed") || !strings.Contains(out.String(), "generateImage") {
		t.Error(out.String())
	}
}

func TestOneEntryAtAnyDecision(t *testing.T) {
	core, entries := observer.New(zapcore.InfoLevel)
	sink := Log(zap.New(core).Named("mcp_gateway.audit"))
	for _, decision := range []string{"allow", "deny", "refuse", "error", "observe"} {
		sink.Record(&Record{Event: "e", Decision: decision})
	}
	for _, entry := range entries.All() {
		if entry.Level != zapcore.InfoLevel || entry.LoggerName != "mcp_gateway.audit" {
			t.Errorf("%+v", entry.Entry)
		}
	}
	if entries.Len() != 5 {
		t.Errorf("%d entries, want 5", entries.Len())
	}
}

type count int

func (c *count) Record(*Record) { *c++ }

func TestMultiHandsToAll(t *testing.T) {
	var a, b count
	Multi(&a, nil, &b).Record(full())
	Multi().Record(full())
	if a != 1 || b != 1 {
		t.Errorf("%d, %d, want 1 each", a, b)
	}
}

func FuzzLog(f *testing.F) {
	f.Add("https://u:p@h/?q", "tool\xff", 5)
	f.Fuzz(func(t *testing.T, uri, s string, n int) {
		logged(t, &Record{Event: s, Kind: "resource", Name: uri, Roles: []string{s}, Status: n})
		if got := bareURI(uri); strings.ContainsAny(strings.TrimSuffix(strings.TrimSuffix(got, "?…"), "#…"), "?#") {
			t.Errorf("%q is logged as %q", uri, got)
		}
	})
}

func BenchmarkLog(b *testing.B) {
	sink, r := Log(zap.New(encoder(zapcore.AddSync(io.Discard)))), full()
	b.ReportAllocs()
	for b.Loop() {
		sink.Record(r)
	}
}

func BenchmarkLogOff(b *testing.B) {
	sink, r := Log(zap.NewNop()), full()
	b.ReportAllocs()
	for b.Loop() {
		sink.Record(r)
	}
}
