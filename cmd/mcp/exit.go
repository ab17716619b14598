package mcpcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// Exit statuses of all commands: 0 is yes or fine.
const (
	exitNo    = 1 // the answer is no, or something failed
	exitUsage = 2 // the question could not be understood
)

// errNo ends a command with exitNo. What there is to say has been said.
var errNo = errors.New("no")

// no ends a command that has printed its answer with exitNo.
func no(cmd *cobra.Command) error {
	cmd.SilenceErrors = true
	return errNo
}

// usage reports a question that makes no sense, and ends the command with exitUsage.
func usage(cmd *cobra.Command, err error) error {
	cmd.PrintErrln("Error:", err)
	cmd.PrintErrf("See '%s --help'.\n", cmd.CommandPath())
	cmd.SilenceErrors = true
	// Caddy keeps the type that carries other statuses than 1 to itself, and makes one here.
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return exitUsage, nil })(cmd, nil)
}

// questionError is about the question, and not about the answer to it.
type questionError struct{ error }

// failure ends a command with what went wrong: with exitUsage if it was the question.
func failure(cmd *cobra.Command, err error) error {
	if question, ok := errors.AsType[*questionError](err); ok {
		return usage(cmd, question)
	}
	return err
}

// arguments makes a command take exactly the named arguments.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage(cmd, fmt.Errorf("%s is missing", names[len(args)]))
		case len(args) > len(names):
			return usage(cmd, fmt.Errorf("%q is too much", args[len(names)]))
		}
		return nil
	}
}

// printJSON writes a value as one indented JSON document.
func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
