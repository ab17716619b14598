package mcpcmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// mostOfAdminAnswer bounds what is read of the admin API, in bytes.
const mostOfAdminAnswer = 256 << 20

// adminFlags are the flags of commands that ask a running gateway.
type adminFlags struct {
	address, config, adapter string
	asJSON                   bool
}

// add adds the flags to a command.
func (f *adminFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "address", "", "the address of the admin API, if it is not in --config; default localhost:2019")
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "the config that says where the admin API is")
	cmd.Flags().StringVarP(&f.adapter, "adapter", "a", "", "the adapter of that config")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
}

// ask asks the gateway's part of the admin API. path begins below /mcp_gateway/; body is sent as JSON if it is not nil, and the
// answer is read into answer, if there is one.
func (f *adminFlags) ask(method string, path []string, body, answer any) error {
	address, err := caddycmd.DetermineAdminAPIAddress(f.address, nil, f.config, f.adapter)
	if err != nil {
		return err
	}
	escaped := make([]string, len(path))
	for i, part := range path {
		escaped[i] = url.PathEscape(part)
	}
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	res, err := caddycmd.AdminAPIRequest(address, method, "/mcp_gateway/"+strings.Join(escaped, "/"), make(http.Header), sent)
	if err != nil {
		return fmt.Errorf("the admin API at %s: %w", address, err)
	}
	defer res.Body.Close()
	if answer == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	return json.NewDecoder(io.LimitReader(res.Body, mostOfAdminAnswer)).Decode(answer)
}

// group makes a command that only has others below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(below...)
	return cmd
}

// table writes rows below their titles, in columns. Nothing in a row can break out of its line.
func table(out io.Writer, titles []string, rows [][]string) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(titles, "\t"))
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, plainLine(cell, 200))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// moment writes a time for people.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}
