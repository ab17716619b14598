package mcpcmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// mostOfLine bounds a line of a log that is read, in bytes; a longer one is none of the gateway's.
const mostOfLine = 256 << 10

// auditLogger is the logger of audit records.
const auditLogger = "mcp_gateway.audit"

// auditLine is what matters of an audit record, as Caddy's JSON encoder writes it.
type auditLine struct {
	Logger      string          `json:"logger"`
	Time        json.RawMessage `json:"ts"`
	Event       string          `json:"event"`
	Method      string          `json:"method"`
	Decision    string          `json:"decision"`
	Rule        string          `json:"rule"`
	Roles       []string        `json:"roles"`
	Permissions []string        `json:"permissions"`
	Server      string          `json:"server"`
	Kind        string          `json:"kind"`
	Tool        string          `json:"tool"`
	Prompt      string          `json:"prompt"`
	Resource    string          `json:"resource"`
	Template    string          `json:"template"`
}

// name is what the record is about.
func (l *auditLine) name() string {
	switch l.Kind {
	case "tool":
		return l.Tool
	case "prompt":
		return l.Prompt
	case "resource":
		return l.Resource
	case "template":
		return l.Template
	}
	return ""
}

// when is the time of the record, as far as its form is known: seconds since 1970, or as RFC 3339 has it.
func (l *auditLine) when() time.Time {
	var seconds float64
	if json.Unmarshal(l.Time, &seconds) == nil && seconds > 0 && seconds < 1<<36 {
		return time.Unix(int64(seconds), 0).UTC()
	}
	var text string
	if json.Unmarshal(l.Time, &text) == nil {
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05.000Z0700", "2006/01/02 15:04:05.000"} {
			if t, err := time.Parse(layout, text); err == nil {
				return t.UTC()
			}
		}
	}
	return time.Time{}
}

// suggestion is the JSON form of the answer of `caddy mcp policy suggest`.
type suggestion struct {
	Policy json.RawMessage `json:"policy"`
	counts
}

func suggestCommand() *cobra.Command {
	var only []string
	var out string
	var force, asJSON bool
	cmd := &cobra.Command{
		Use:   "suggest AUDIT.log...",
		Short: "Writes a policy of what was used, by the audit trail",
		Long: `
Reads audit records, as the logger mcp_gateway.audit writes them in JSON, and writes
a policy that allows what was used and nothing else: to each role exactly the tools,
prompts and resources that people with it used. What was let pass in the mode observe
counts as used, and is marked; what was denied is not in the policy. Conditions and limits
are not in the records: add them again. - reads from the standard input.`,
		Example: "  caddy mcp policy suggest /var/log/caddy/mcp-audit.log --output mcp-policy.new.yaml",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return arguments("AUDIT.log")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			u := newTrail(only)
			for _, name := range args {
				if err := readAudit(cmd, name, u); err != nil {
					return err
				}
			}
			text, err := u.draft().checked()
			if err != nil {
				return err
			}
			answer := text
			if asJSON {
				if answer, err = u.asJSON(text); err != nil {
					return err
				}
			}
			if out != "" {
				err = writeNew(out, answer, force)
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), answer)
			}
			if err != nil {
				return err
			}
			if u.Used == 0 {
				cmd.PrintErrln("there is no record of anything that was used")
				return no(cmd)
			}
			return nil
		},
	}
	cmd.Flags().StringSliceVar(&only, "server", nil, "look only at these servers")
	cmd.Flags().StringVarP(&out, "output", "o", "", "the file to write; it must not be there yet")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON: the policy in its JSON form, and what was read")
	return cmd
}

// readAudit reads one log.
func readAudit(cmd *cobra.Command, name string, u *trail) error {
	if name == "-" {
		return readRecords(cmd.InOrStdin(), u)
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return readRecords(f, u)
}

// readRecords reads records, a line each. What is none is counted, and otherwise left alone.
func readRecords(from io.Reader, u *trail) error {
	in := bufio.NewReaderSize(from, mostOfLine)
	for {
		line, err := in.ReadSlice('\n')
		long := false
		for errors.Is(err, bufio.ErrBufferFull) {
			long = true
			_, err = in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var record auditLine
		switch {
		case long:
			u.Skipped++
		case len(line) == 0:
		case json.Unmarshal(line, &record) != nil || record.Event == "" || record.Logger != "" && record.Logger != auditLogger:
			u.Skipped++
		default:
			if err := u.add(&record); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}
