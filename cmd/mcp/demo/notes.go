package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The notebook is bounded, since anyone who may add a note may add many.
const (
	maxNotes     = 100
	maxNoteBytes = 4 << 10
)

// Notes is the demo's second server: a notebook that everyone may read and few may change. Its notes live in memory.
func Notes() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "notes", Title: "Notes", Version: version}, nil)
	book := &notebook{notes: map[string]string{
		"welcome":  "Notes are shared by everyone who may use this server.",
		"shopping": "Bread, apples, a roll of film.",
	}}
	mcp.AddTool(server, &mcp.Tool{
		Name: "list_notes", Description: "Lists the titles of all notes.",
		Annotations: &mcp.ToolAnnotations{Title: "List notes", ReadOnlyHint: true, OpenWorldHint: new(false)},
	}, book.list)
	mcp.AddTool(server, &mcp.Tool{
		Name: "read_note", Description: "Reads one note by its title.",
		Annotations: &mcp.ToolAnnotations{Title: "Read a note", ReadOnlyHint: true, OpenWorldHint: new(false)},
	}, book.read)
	mcp.AddTool(server, &mcp.Tool{
		Name: "write_note", Description: "Writes a note, replacing the one of that title if there is one.",
		Annotations: &mcp.ToolAnnotations{Title: "Write a note", DestructiveHint: new(true), IdempotentHint: true, OpenWorldHint: new(false)},
	}, book.write)
	mcp.AddTool(server, &mcp.Tool{
		Name: "delete_note", Description: "Deletes one note by its title.",
		Annotations: &mcp.ToolAnnotations{Title: "Delete a note", DestructiveHint: new(true), OpenWorldHint: new(false)},
	}, book.delete)
	return server
}

// notebook is the notes by title. Safe for concurrent use.
type notebook struct {
	mu    sync.Mutex
	notes map[string]string
}

type titleInput struct {
	Title string `json:"title" jsonschema:"the note's title"`
}

type noteInput struct {
	Title string `json:"title" jsonschema:"the note's title"`
	Text  string `json:"text" jsonschema:"what the note says"`
}

func (b *notebook) list(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.notes) == 0 {
		return text("There are no notes."), nil, nil
	}
	return text(strings.Join(slices.Sorted(maps.Keys(b.notes)), "\n")), nil, nil
}

func (b *notebook) read(_ context.Context, _ *mcp.CallToolRequest, in titleInput) (*mcp.CallToolResult, any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	note, ok := b.notes[in.Title]
	if !ok {
		return nil, nil, fmt.Errorf("there is no note %q", in.Title)
	}
	return text(note), nil, nil
}

func (b *notebook) write(_ context.Context, _ *mcp.CallToolRequest, in noteInput) (*mcp.CallToolResult, any, error) {
	if in.Title == "" || len(in.Title)+len(in.Text) > maxNoteBytes {
		return nil, nil, fmt.Errorf("a note has a title, and at most %d bytes in all", maxNoteBytes)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.notes[in.Title]; !ok && len(b.notes) >= maxNotes {
		return nil, nil, fmt.Errorf("the notebook is full: %d notes", maxNotes)
	}
	b.notes[in.Title] = in.Text
	return text("Written."), nil, nil
}

func (b *notebook) delete(_ context.Context, _ *mcp.CallToolRequest, in titleInput) (*mcp.CallToolResult, any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.notes[in.Title]; !ok {
		return nil, nil, fmt.Errorf("there is no note %q", in.Title)
	}
	delete(b.notes, in.Title)
	return text("Deleted."), nil, nil
}
