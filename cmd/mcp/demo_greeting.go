package mcpcmd

import (
	_ "embed"
	"io"
	"text/template"
)

// greeting is what the demo prints once it is up, for a reader who has never heard of MCP.
//
//go:embed demo_greeting.txt.tmpl
var greeting string

var greetingTemplate = template.Must(template.New("greeting").Parse(greeting))

// greet writes the greeting.
func greet(out io.Writer, c *demoConfig) error {
	return greetingTemplate.Execute(out, c)
}
