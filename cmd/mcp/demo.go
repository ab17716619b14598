package mcpcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/certmagic"
	"github.com/spf13/cobra"

	"github.com/mcpgateway/caddy-mcp-gateway/cmd/mcp/demo"
)

// portTries is how often a port that is free on 127.0.0.1 may turn out not to be on ::1.
const portTries = 10

// stopTimeout is how long the demo waits for requests that are under way when it is stopped.
const stopTimeout = 5 * time.Second

// demoFlags are the flags of `caddy mcp demo`.
type demoFlags struct {
	port           uint16
	data           string
	verbose        bool
	printCaddyfile bool
	workosBaseURL  string
}

func demoCommand() *cobra.Command {
	var flags demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Runs the gateway on this machine with two small MCP servers behind it",
		Long: `
Runs the gateway on http://localhost:8788 with two small MCP servers behind it and
two people who may sign in: alice, an admin who may generate images, and bob, a
member. Their passwords are made up at the start and printed.

With WORKOS_CLIENT_ID and WORKOS_API_KEY (or WORKOS_CLIENT_SECRET) set, people sign
in through WorkOS AuthKit instead, with the roles and permissions they have there.
WORKOS_ORGANIZATION_ID names the organization to let in; without it, any is.

Nothing is kept after the demo ends, unless --data names a directory.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			// A second Ctrl-C ends the program the hard way.
			context.AfterFunc(ctx, stop)
			return runDemo(ctx, &flags, os.Getenv, cmd.OutOrStdout())
		},
	}
	cmd.Flags().Uint16Var(&flags.port, "port", 8788, "port to listen on; 0 is any that is free")
	cmd.Flags().StringVar(&flags.data, "data", "", "directory for passwords, grants, keys and the audit log (default: one that is deleted at the end)")
	cmd.Flags().BoolVarP(&flags.verbose, "verbose", "v", false, "show all of Caddy's log, not only warnings")
	cmd.Flags().BoolVar(&flags.printCaddyfile, "print-caddyfile", false, "print the Caddyfile that would be run, and exit")
	cmd.Flags().StringVar(&flags.workosBaseURL, "workos-base-url", "", "address of the WorkOS API, for its emulator")
	return cmd
}

// runDemo runs the demo until ctx ends.
func runDemo(ctx context.Context, flags *demoFlags, getenv func(string) string, out io.Writer) (err error) {
	workos, err := workosFromEnvironment(getenv, flags.workosBaseURL)
	if err != nil {
		return err
	}
	port, binds, err := loopback(ctx, flags.port)
	if err != nil {
		return err
	}
	data := flags.data
	if data == "" {
		if data, err = os.MkdirTemp("", "caddy-mcp-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	} else if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	config := demoConfig{
		Port: port, Binds: binds, Data: data, AuditLog: filepath.Join(data, "audit.log"), Level: "WARN", WorkOS: workos,
	}
	if flags.verbose {
		config.Level = "INFO"
	}
	if workos == nil {
		if config.Users, err = demoUsers(filepath.Join(data, "people.json")); err != nil {
			return err
		}
	}
	address, shutdown, err := demo.Serve(ctx)
	if err != nil {
		return err
	}
	config.Upstream = address
	text, err := config.caddyfile()
	if err != nil {
		return err
	}
	if flags.printCaddyfile {
		_, err := io.WriteString(out, text)
		return err
	}

	adapter := caddyconfig.GetAdapter("caddyfile")
	if adapter == nil {
		return errors.New("this Caddy was built without the Caddyfile; the demo needs it")
	}
	adapted, _, err := adapter.Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return fmt.Errorf("the demo's Caddyfile: %w", err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		return fmt.Errorf("starting Caddy: %w", err)
	}
	if err := greet(out, &config); err != nil {
		return err
	}
	<-ctx.Done()
	fmt.Fprintln(out, "\nStopping.")
	return stopDemo(context.WithoutCancel(ctx), shutdown)
}

// stopDemo ends the gateway and then the servers behind it. Caddy returns before the last requests are over, so it is the
// servers, which know when nobody asks them any more, that are waited for.
func stopDemo(ctx context.Context, shutdown func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	err := errors.Join(caddy.Stop(), shutdown(ctx))
	certmagic.CleanUpOwnLocks(ctx, caddy.Log())
	return err
}

// loopback finds which loopback addresses the port is free on: `localhost` may mean either, and a machine may have only
// one of them. That the port is taken on one is an error, since half of the clients would reach someone else's server. For
// port 0 it finds one that is free on both.
func loopback(ctx context.Context, wanted uint16) (port string, binds []string, err error) {
	if wanted != 0 {
		port = strconv.Itoa(int(wanted))
		binds, err = bindable(ctx, port)
		return port, binds, err
	}
	for range portTries {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		_, port, _ = net.SplitHostPort(listener.Addr().String())
		_ = listener.Close()
		if binds, err = bindable(ctx, port); err == nil {
			return port, binds, nil
		}
	}
	return "", nil, errors.New("no port is free on this machine: choose one with --port")
}

// bindable returns the loopback addresses that a port is free on.
func bindable(ctx context.Context, port string) (binds []string, err error) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		var config net.ListenConfig
		listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("port %s is in use by another program: stop it, or choose another port with --port", port)
		case err != nil && host == "::1":
			continue // a machine without IPv6
		case err != nil:
			return nil, err
		}
		_ = listener.Close()
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		binds = append(binds, host)
	}
	return binds, nil
}

// workosFromEnvironment reads the settings of WorkOS' own guides. It returns nil where none is set; one without the other
// is an error, since it would sign people in by other means than was meant.
func workosFromEnvironment(getenv func(string) string, baseURL string) (*demoWorkOS, error) {
	w := &demoWorkOS{Organization: "any", BaseURL: baseURL}
	for _, name := range []string{"WORKOS_API_KEY", "WORKOS_CLIENT_SECRET"} {
		if getenv(name) != "" {
			w.KeyVariable = name
			break
		}
	}
	switch id := getenv("WORKOS_CLIENT_ID"); {
	case id == "" && w.KeyVariable == "":
		return nil, nil
	case id == "":
		return nil, fmt.Errorf("%s is set, but WORKOS_CLIENT_ID is not", w.KeyVariable)
	case w.KeyVariable == "":
		return nil, errors.New("WORKOS_CLIENT_ID is set, but WORKOS_API_KEY is not")
	}
	if id := getenv("WORKOS_ORGANIZATION_ID"); id != "" {
		w.Organization = id
	}
	return w, nil
}
