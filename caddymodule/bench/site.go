package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// An arm is one way to the upstream.
type arm struct {
	name    string
	address string // host:port to connect to
	path    string
	token   string // empty where none is asked for
	proxied bool   // by Caddy, whose CPU time then counts
}

// plainArm is the one that others are compared with, by its place in site.arms.
const plainArm = 1

// site is the processes under test.
type site struct {
	arms     []arm
	caddyPID int
	admin    string // host:port of Caddy's admin API
	running  []running
	dir      string
}

// start runs the upstream and Caddy, and gets a token for the gateway.
func start(ctx context.Context, caddy string) (_ *site, err error) {
	s := &site{}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "caddy-mcp-bench-"); err != nil {
		return nil, err
	}
	upstream, err := s.startUpstream(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting the upstream: %w", err)
	}
	plain, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	guarded, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	admin, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s.admin = "localhost:" + admin
	secret := rand.Text()
	// The configuration wants an identity provider; nobody knows this one's password.
	nobody, err := bcrypt.GenerateFromPassword([]byte(rand.Text()), bcrypt.MinCost)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(caddyfile(s.dir, s.admin, upstream, plain, guarded, secret, string(nobody))), 0o600); err != nil {
		return nil, err
	}
	logs, err := os.Create(filepath.Join(s.dir, "caddy.log"))
	if err != nil {
		return nil, err
	}
	defer logs.Close()
	command := exec.CommandContext(ctx, caddy, "run", "--config", file, "--adapter", "caddyfile")
	command.Stdout, command.Stderr = logs, logs
	ended, err := s.run(command)
	if err != nil {
		return nil, err
	}
	s.caddyPID = command.Process.Pid
	token, err := s.token(ctx, guarded, secret, ended)
	if err != nil {
		text, _ := os.ReadFile(logs.Name())
		return nil, fmt.Errorf("%w; Caddy said:\n%s", err, text)
	}
	s.arms = []arm{
		{name: "direct", address: upstream, path: "/mcp"},
		{name: "reverse_proxy", address: "127.0.0.1:" + plain, path: "/mcp", proxied: true},
		{name: "gateway", address: "127.0.0.1:" + guarded, path: "/mcp", token: token, proxied: true},
	}
	return s, nil
}

// startUpstream runs this program again as the upstream and reads the address it listens on.
func (s *site) startUpstream(ctx context.Context) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, self, "-upstream")
	command.Stderr = os.Stderr
	if _, err := command.StdinPipe(); err != nil {
		return "", err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return "", err
	}
	if _, err := s.run(command); err != nil {
		return "", err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(address), err
}

// running is a process, and a channel that is closed when it has ended.
type running struct {
	process *os.Process
	ended   chan struct{}
}

// run starts a process that stop will end, and returns a channel that is closed when it has ended.
func (s *site) run(command *exec.Cmd) (ended <-chan struct{}, err error) {
	if err := command.Start(); err != nil {
		return nil, err
	}
	r := running{process: command.Process, ended: make(chan struct{})}
	s.running = append(s.running, r)
	go func() {
		defer close(r.ended)
		_ = command.Wait() // why it ended stands in its log
	}()
	return r.ended, nil
}

// stop ends the processes and removes their files.
func (s *site) stop() {
	for _, r := range s.running {
		_ = r.process.Kill()
		<-r.ended
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// token waits for Caddy and gets an access token for the machine client of the Caddyfile.
func (s *site) token(ctx context.Context, port, secret string, ended <-chan struct{}) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	form := url.Values{"grant_type": {"client_credentials"}, "resource": {"http://localhost:" + port + "/mcp"}, "scope": {"mcp"}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1:"+port+"/token", strings.NewReader(form.Encode()))
		if err != nil {
			return "", err
		}
		request.Host = "localhost:" + port
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth("bench", secret)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-ended:
				return "", errors.New("caddy ended at once")
			case <-ctx.Done():
				return "", fmt.Errorf("caddy does not answer: %w", err)
			}
		}
		defer response.Body.Close()
		var answer struct {
			Token string `json:"access_token"`
			Error string `json:"error"`
			Text  string `json:"error_description"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
			return "", fmt.Errorf("no token: %s %s %s %w", response.Status, answer.Error, answer.Text, err)
		}
		return answer.Token, nil
	}
}

func freePort(ctx context.Context) (string, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// caddyfile has the plain proxy on one port and the gateway on another, with a policy of 50 rules of which the last ones
// decide. The audit log goes to a file, gathered, as it would where there is much to do.
func caddyfile(dir, admin, upstream, plain, guarded, secret, nobody string) string {
	var rules strings.Builder
	for i := range 44 {
		fmt.Fprintf(&rules, "\t\t\t\tallow bench tools read_%02d search_%02d_*\n", i, i)
	}
	rules.WriteString(`				allow bench tools get_* list_*
				allow bench tools create_item update_item
				allow bench prompts *
				allow bench resources docs://**
				deny * tools delete_*
				deny * tools drop_*
`)
	return fmt.Sprintf(`{
	admin %s
	persist_config off
	storage file_system %q
	log default {
		output file %q
		level INFO
	}
	log audit {
		output mcp_gateway_buffer file %q
		include mcp_gateway.audit
	}
	mcp_gateway {
		issuer http://localhost:%s
		identity local {
			user nobody %s
		}
		clients {
			static bench {
				secret %s
				grant client_credentials
				role machine
			}
		}
		policy {
			role machine {
%s			}
		}
	}
}
http://localhost:%s {
	mcp_gateway /mcp %s {
		server bench
	}
}
http://:%s {
	reverse_proxy %s
}
`, admin, filepath.Join(dir, "data"), filepath.Join(dir, "log"), filepath.Join(dir, "audit.log"), guarded, nobody, secret, rules.String(), guarded, upstream, plain, upstream)
}
