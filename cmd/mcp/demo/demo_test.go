package demo

import (
	"bytes"
	"encoding/base64"
	"image/png"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func connect(t *testing.T, server *mcp.Server, revision string) *mcp.ClientSession {
	t.Helper()
	listener := httptest.NewServer(Handler(server))
	t.Cleanup(listener.Close)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: listener.URL}, &mcp.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func call(t *testing.T, session *mcp.ClientSession, name string, args map[string]any) *mcp.CallToolResult {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return result
}

func said(t *testing.T, result *mcp.CallToolResult) string {
	t.Helper()
	content, ok := result.Content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("answered %T, want text", result.Content[0])
	}
	return content.Text
}

func TestServersSpeakEveryRevision(t *testing.T) {
	for _, revision := range []string{"2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			session := connect(t, Playground(), revision)
			if got := session.InitializeResult().ProtocolVersion; got != revision {
				t.Errorf("speaks %s, want %s", got, revision)
			}
			tools, err := session.ListTools(t.Context(), nil)
			if err != nil || len(tools.Tools) != 4 {
				t.Fatalf("lists %v, %v; want 4 tools", tools, err)
			}
			if got := said(t, call(t, session, "echo", map[string]any{"message": "hello"})); got != "hello" {
				t.Errorf("echo says %q", got)
			}
			if got := said(t, call(t, session, "add", map[string]any{"a": 2, "b": 40.5})); got != "42.5" {
				t.Errorf("add says %q", got)
			}
			if result := call(t, session, "delete_everything", nil); result.IsError {
				t.Errorf("delete_everything failed: %v", result.Content)
			}
			picture, ok := call(t, session, "generateImage", map[string]any{"prompt": "a harbour"}).Content[0].(*mcp.ImageContent)
			if !ok || picture.MIMEType != "image/png" {
				t.Fatalf("generateImage answered %#v", picture)
			}
			if _, err := png.Decode(bytes.NewReader(picture.Data)); err != nil {
				t.Error(err)
			}
			prompt, err := session.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "postcard", Arguments: map[string]string{"place": "Oslo"}})
			if err != nil || prompt.Description != "A postcard from Oslo" {
				t.Errorf("postcard: %v, %v", prompt, err)
			}
			resource, err := session.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: AboutURI})
			if err != nil || resource.Contents[0].Text == "" {
				t.Errorf("about: %v, %v", resource, err)
			}
		})
	}
}

func TestNotesAreWrittenReadAndDeleted(t *testing.T) {
	session := connect(t, Notes(), "")
	call(t, session, "write_note", map[string]any{"title": "todo", "text": "rest"})
	if got := said(t, call(t, session, "list_notes", nil)); got != "shopping\ntodo\nwelcome" {
		t.Errorf("lists %q", got)
	}
	if got := said(t, call(t, session, "read_note", map[string]any{"title": "todo"})); got != "rest" {
		t.Errorf("reads %q", got)
	}
	call(t, session, "delete_note", map[string]any{"title": "todo"})
	if result := call(t, session, "read_note", map[string]any{"title": "todo"}); !result.IsError {
		t.Errorf("a deleted note can be read: %v", result.Content)
	}
}

func TestNotesAreBounded(t *testing.T) {
	session := connect(t, Notes(), "")
	huge := make([]byte, maxNoteBytes)
	if result := call(t, session, "write_note", map[string]any{"title": "big", "text": base64.StdEncoding.EncodeToString(huge)}); !result.IsError {
		t.Error("a note over the limit was written")
	}
	for i := range maxNotes - 2 {
		call(t, session, "write_note", map[string]any{"title": string(rune('a'+i%26)) + string(rune('A'+i/26)), "text": "x"})
	}
	if result := call(t, session, "write_note", map[string]any{"title": "one too many", "text": "x"}); !result.IsError {
		t.Error("a note beyond the limit was written")
	}
}

// TestPaintIsDeterministic also writes the pictures into the directory that DEMO_PICTURES names, to be looked at.
func TestPaintIsDeterministic(t *testing.T) {
	seen := make(map[string]string)
	for _, prompt := range []string{"", "a red fox", "night over the sea", "a green forest", "a harbour in the morning", "日本の山"} {
		first, err := Paint(prompt)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Paint(prompt)
		if !bytes.Equal(first, again) {
			t.Errorf("%q: two paintings differ", prompt)
		}
		if other, ok := seen[string(first)]; ok {
			t.Errorf("%q and %q give the same picture", prompt, other)
		}
		seen[string(first)] = prompt
		picture, err := png.Decode(bytes.NewReader(first))
		if err != nil {
			t.Fatal(err)
		}
		if b := picture.Bounds(); b.Dx() != Width || b.Dy() != Height {
			t.Errorf("%q: %v", prompt, b)
		}
		if len(first) > 200<<10 {
			t.Errorf("%q: %d bytes is not a small picture", prompt, len(first))
		}
		if dir := os.Getenv("DEMO_PICTURES"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, prompt+".png"), first, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}
