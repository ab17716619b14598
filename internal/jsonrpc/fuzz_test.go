package jsonrpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// FuzzParse holds that a message that is accepted is read alike by every reader
// there is a model of, by encoding/json, by the Go SDK, and by Node's JSON.parse.
func FuzzParse(f *testing.F) {
	for _, table := range []map[string]struct{ body, reason string }{notJSON, ambiguous} {
		for _, test := range table {
			if len(test.body) < 10_000 {
				f.Add([]byte(test.body))
			}
		}
	}
	for _, test := range noMessage {
		f.Add([]byte(test.body))
	}
	for _, body := range accepted {
		f.Add([]byte(body))
	}
	ways := readers()
	script := startNode(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if batch, err := ParseBatch(body, Limits{}); err == nil {
			for _, m := range batch {
				if _, err := Parse(m.Raw, Limits{}); err != nil {
					t.Fatalf("%s passes in a batch only: %v", m.Raw, err)
				}
			}
		}
		before := bytes.Clone(body)
		m, err := Parse(body, Limits{})
		if !bytes.Equal(body, before) {
			t.Fatal("Parse has changed the body")
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code != CodeParse && e.Code != CodeInvalidRequest || e.Reason == "" {
				t.Fatalf("not a reason to refuse: %#v", err)
			}
			return
		}
		tree, err := readTree(body)
		if err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		for _, r := range ways {
			sameToReader(t, r, tree, m)
		}
		sameToStructs(t, m)
		sameToSDK(t, m)
		sameToNode(t, script, m)
		spansHold(t, m)
	})
}

// sameToReader checks that r finds in tree what m says.
func sameToReader(t *testing.T, r reader, tree any, m *Message) {
	t.Helper()
	var method, id any
	if m.Kind == Request || m.Kind == Notification {
		method = m.Method
	}
	if m.ID != nil {
		var err error
		if id, err = readTree(m.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		path  string
		value any
	}{{"jsonrpc", "2.0"}, {"method", method}, {"id", id}} {
		if got := r.get(tree, want.path); got != want.value {
			t.Fatalf("%s (last %v) reads %s as %#v, not %#v", r.name, r.last, want.path, got, want.value)
		}
	}
	for path, there := range map[string]bool{"result": m.Kind == Result, "error": m.Kind == Failure} {
		if got := r.get(tree, path); (got != nil) != there {
			t.Fatalf("%s (last %v) reads %s as %#v", r.name, r.last, path, got)
		}
	}
	if _, ok := specified[m.Method]; !ok {
		return // the params of other methods are their own affair
	}
	p := &m.Params
	texts := []struct {
		text Text
		path []string
	}{
		{p.Name, []string{"name"}},
		{p.URI, []string{"uri"}},
		{p.Cursor, []string{"cursor"}},
		{p.TaskID, []string{"taskId"}},
		{p.RequestState, []string{"requestState"}},
		{p.RefType, []string{"ref", "type"}},
		{p.RefName, []string{"ref", "name"}},
		{p.RefURI, []string{"ref", "uri"}},
		{m.RelatedTask, []string{"_meta", metaRelatedTask, "taskId"}},
		{p.ProtocolVersion, []string{"_meta", metaProtocolVersion}},
	}
	if m.Method == "initialize" && r.get(tree, "params", "protocolVersion") != nil {
		// Only where it has none of its own the one in _meta counts: it is how the guard knows a client of 2026-07-28.
		texts[len(texts)-1].path = []string{"protocolVersion"}
	}
	for _, want := range texts {
		var value any
		if want.text.Set {
			value = want.text.Value
		}
		if got := r.get(tree, append([]string{"params"}, want.path...)...); got != value {
			t.Fatalf("%s (last %v) reads %v as %#v, not %#v", r.name, r.last, want.path, got, value)
		}
	}
	for name, raw := range map[string][]byte{"arguments": p.Arguments, "task": p.Task, "_meta": p.Meta, "ref": p.Ref} {
		var value any
		if raw != nil {
			value, _ = readTree(raw)
		}
		if got := r.get(tree, "params", name); !reflect.DeepEqual(got, value) {
			t.Fatalf("%s (last %v) reads %s as %#v, not %#v", r.name, r.last, name, got, value)
		}
	}
	for name, list := range map[string][]Text{"resourceSubscriptions": p.Subscriptions, "taskIds": p.WatchedTasks} {
		got, _ := r.get(tree, "params", "notifications", name).([]any)
		if len(got) != len(list) {
			t.Fatalf("%s (last %v) reads %d %s, not %d", r.name, r.last, len(got), name, len(list))
		}
		for i, text := range list {
			if got[i] != text.Value {
				t.Fatalf("%s (last %v) reads %#v, not %q", r.name, r.last, got[i], text.Value)
			}
		}
	}
}

// sameToStructs checks that encoding/json, strict about unknown members only,
// reads into structs what m says. It folds case and takes the last duplicate.
func sameToStructs(t *testing.T, m *Message) {
	t.Helper()
	var got struct {
		JSONRPC, Method       string
		ID                    json.RawMessage
		Params, Result, Error json.RawMessage
	}
	dec := json.NewDecoder(bytes.NewReader(m.Raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if string(got.Params) == "null" {
		got.Params = nil // the same as none
	}
	if got.JSONRPC != "2.0" || got.Method != m.Method || !bytes.Equal(got.ID, m.ID) || !bytes.Equal(got.Params, m.Params.Raw) {
		t.Fatalf("encoding/json reads %+v", got)
	}
	if _, ok := specified[m.Method]; !ok || m.Params.Raw == nil {
		return
	}
	var params struct{ Name, URI, Cursor, TaskID, RequestState string }
	if err := json.Unmarshal(got.Params, &params); err != nil {
		t.Fatal(err)
	}
	p := &m.Params
	if params.Name != p.Name.Value || params.URI != p.URI.Value || params.Cursor != p.Cursor.Value ||
		params.TaskID != p.TaskID.Value || params.RequestState != p.RequestState.Value {
		t.Fatalf("encoding/json reads %+v", params)
	}
}

// sameToSDK checks that the official Go SDK reads the method and the id alike.
func sameToSDK(t *testing.T, m *Message) {
	t.Helper()
	decoded, err := sdk.DecodeMessage(m.Raw)
	if err != nil {
		return // it may be stricter than we are
	}
	var id sdk.ID
	switch got := decoded.(type) {
	case *sdk.Request:
		id = got.ID
		if got.Method != m.Method || got.IsCall() != (m.Kind == Request) {
			t.Fatalf("the SDK reads method %q, call %v", got.Method, got.IsCall())
		}
	case *sdk.Response:
		id = got.ID
		if m.Kind != Result && m.Kind != Failure {
			t.Fatalf("the SDK reads an answer, not a %v", m.Kind)
		}
	}
	want := any(nil)
	if m.ID != nil && m.ID[0] == '"' {
		var s string
		if err := json.Unmarshal(m.ID, &s); err != nil {
			t.Fatal(err)
		}
		want = s
	} else if m.ID != nil {
		n, err := strconv.ParseInt(string(m.ID), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		want = n
	}
	if id.Raw() != want {
		t.Fatalf("the SDK reads id %#v, not %#v", id.Raw(), want)
	}
}

// Without this, sameToSDK could pass because the SDK reads nothing.
func TestSDKReadsWhatIsAccepted(t *testing.T) {
	for name, body := range accepted {
		if _, err := sdk.DecodeMessage([]byte(body)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spansHold checks that every span is that of its text, and that what is
// spliced there is read back, and changes nothing else.
func spansHold(t *testing.T, m *Message) {
	t.Helper()
	p := &m.Params
	texts := append([]Text{p.Name, p.URI, p.Cursor, p.TaskID, p.RequestState, p.RefName, p.RefURI, p.ProtocolVersion, m.RelatedTask}, p.Subscriptions...)
	texts = append(append(texts, p.WatchedTasks...), m.OwnTasks...)
	for _, text := range texts {
		if !text.Set {
			continue
		}
		var s string
		if err := json.Unmarshal(m.Raw[text.Start:text.End], &s); err != nil || s != text.Value {
			t.Fatalf("at the place of %q is %s", text.Value, m.Raw[text.Start:text.End])
		}
	}
	if !p.Cursor.Set {
		return
	}
	const other = "another \"cursor\""
	spliced := Splice(m.Raw, p.Cursor.Replace(other))
	again, err := Parse(spliced, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", spliced, err)
	}
	if again.Params.Cursor.Value != other || again.Method != m.Method || again.Params.Name.Value != p.Name.Value || !bytes.Equal(again.ID, m.ID) {
		t.Fatalf("%s", spliced)
	}
}
