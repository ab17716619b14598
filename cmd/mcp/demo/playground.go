package demo

import (
	"context"
	"fmt"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// AboutURI names the playground's one resource.
const AboutURI = "demo://about"

// Playground is the demo's main server: an echo, a sum, a picture, and a tool that sounds as if nobody should have it.
func Playground() *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "playground", Title: "Playground", Version: version}, &mcp.ServerOptions{
		Instructions: "A playground behind an MCP gateway. Which of its tools are listed depends on who is signed in.",
	})
	readOnly := func(title string) *mcp.ToolAnnotations {
		return &mcp.ToolAnnotations{Title: title, ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(false)}
	}
	mcp.AddTool(server, &mcp.Tool{
		Name: "echo", Description: "Says back what it is told.", Annotations: readOnly("Echo"),
	}, echo)
	mcp.AddTool(server, &mcp.Tool{
		Name: "add", Description: "Adds two numbers.", Annotations: readOnly("Add"),
	}, add)
	mcp.AddTool(server, &mcp.Tool{
		Name: "generateImage", Description: "Paints a small landscape from a few words. The same words give the same picture.",
		Annotations: readOnly("Generate an image"),
	}, generateImage)
	mcp.AddTool(server, &mcp.Tool{
		Name: "delete_everything", Description: "Deletes everything there is. (In this demo it only says so.)",
		Annotations: &mcp.ToolAnnotations{Title: "Delete everything", DestructiveHint: new(true), OpenWorldHint: new(false)},
	}, deleteEverything)

	server.AddPrompt(&mcp.Prompt{
		Name: "postcard", Title: "Postcard", Description: "Asks for a picture of a place and two lines to go with it.",
		Arguments: []*mcp.PromptArgument{{Name: "place", Description: "Where the postcard is from", Required: true}},
	}, postcard)
	server.AddResource(&mcp.Resource{
		URI: AboutURI, Name: "about", Title: "About this demo", MIMEType: "text/plain",
		Description: "What this server is and who may use what.",
	}, about)
	return server
}

type echoInput struct {
	Message string `json:"message" jsonschema:"what to say back"`
}

func echo(_ context.Context, _ *mcp.CallToolRequest, in echoInput) (*mcp.CallToolResult, any, error) {
	return text(in.Message), nil, nil
}

type addInput struct {
	A float64 `json:"a" jsonschema:"the first number"`
	B float64 `json:"b" jsonschema:"the second number"`
}

func add(_ context.Context, _ *mcp.CallToolRequest, in addInput) (*mcp.CallToolResult, any, error) {
	return text(strconv.FormatFloat(in.A+in.B, 'g', -1, 64)), nil, nil
}

type imageInput struct {
	Prompt string `json:"prompt" jsonschema:"what to paint, in a few words"`
}

func generateImage(_ context.Context, _ *mcp.CallToolRequest, in imageInput) (*mcp.CallToolResult, any, error) {
	picture, err := Paint(in.Prompt)
	if err != nil {
		return nil, nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.ImageContent{Data: picture, MIMEType: "image/png"}}}, nil, nil
}

func deleteEverything(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	return text("Everything has been deleted. (Not really: this is a demo.)"), nil, nil
}

func postcard(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	place := req.Params.Arguments["place"]
	if place == "" {
		return nil, fmt.Errorf("the argument place is missing")
	}
	return &mcp.GetPromptResult{
		Description: "A postcard from " + place,
		Messages: []*mcp.PromptMessage{{
			Role:    "user",
			Content: &mcp.TextContent{Text: "Paint a postcard of " + place + " with generateImage, then write the two lines that go on its back."},
		}},
	}, nil
}

func about(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{
		URI: req.Params.URI, MIMEType: "text/plain",
		Text: "This server has no idea who is asking. The gateway in front of it signs people in and, by their role, decides which of these tools they see.",
	}}}, nil
}
