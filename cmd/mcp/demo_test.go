package mcpcmd

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestDemoUsersHavePasswordsOfTheirOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "people.json")
	first, err := demoUsers(file)
	if err != nil {
		t.Fatal(err)
	}
	other, err := demoUsers(filepath.Join(t.TempDir(), "people.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i, user := range first {
		if user.Password == other[i].Password || user.Password == first[(i+1)%len(first)].Password {
			t.Errorf("%s has the password %s, as someone else did", user.Name, user.Password)
		}
		if err := bcrypt.CompareHashAndPassword([]byte(user.Hash), []byte(user.Password)); err != nil {
			t.Errorf("%s: %v", user.Name, err)
		}
	}
	again, err := demoUsers(file)
	if err != nil || !slices.Equal(again, first) {
		t.Errorf("in the same directory there are other people: %v, %v", again, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the passwords: %v, %v", info.Mode(), err)
	}
}

func TestWorkOSFromEnvironment(t *testing.T) {
	for _, c := range []struct {
		name    string
		env     map[string]string
		want    *demoWorkOS
		wantErr string
	}{
		{"nothing set", nil, nil, ""},
		{"the usual names", map[string]string{"WORKOS_CLIENT_ID": "c", "WORKOS_API_KEY": "k"}, &demoWorkOS{KeyVariable: "WORKOS_API_KEY", Organization: "any"}, ""},
		{"the names of the Cloudflare guide", map[string]string{"WORKOS_CLIENT_ID": "c", "WORKOS_CLIENT_SECRET": "k"}, &demoWorkOS{KeyVariable: "WORKOS_CLIENT_SECRET", Organization: "any"}, ""},
		{"an organization", map[string]string{"WORKOS_CLIENT_ID": "c", "WORKOS_API_KEY": "k", "WORKOS_ORGANIZATION_ID": "org_1"}, &demoWorkOS{KeyVariable: "WORKOS_API_KEY", Organization: "org_1"}, ""},
		{"an id without a key", map[string]string{"WORKOS_CLIENT_ID": "c"}, nil, "WORKOS_API_KEY is not"},
		{"a key without an id", map[string]string{"WORKOS_API_KEY": "k"}, nil, "WORKOS_CLIENT_ID is not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := workosFromEnvironment(func(name string) string { return c.env[name] }, "")
			switch {
			case c.wantErr != "":
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Errorf("got %v, want …%s…", err, c.wantErr)
				}
			case err != nil:
				t.Error(err)
			case (got == nil) != (c.want == nil) || got != nil && *got != *c.want:
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestDemoSaysThatItsPortIsTaken(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		listener, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = loopback(t.Context(), uint16(number))
		if err == nil || !strings.Contains(err.Error(), "port "+port+" is in use") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one line about port %s", host, err, port)
		}
	}
}

func TestDemoFindsAFreePort(t *testing.T) {
	port, binds, err := loopback(t.Context(), 0)
	if err != nil || port == "0" || port == "" || len(binds) == 0 {
		t.Fatalf("got port %q on %v, %v", port, binds, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal("the port isn't free:", err)
	}
	listener.Close()
}

func TestDemoCaddyfileHoldsNoSecretOfWorkOS(t *testing.T) {
	var out strings.Builder
	env := map[string]string{"WORKOS_CLIENT_ID": "client_01", "WORKOS_API_KEY": "sk_secret", "WORKOS_ORGANIZATION_ID": "org_01"}
	flags := &demoFlags{printCaddyfile: true, data: t.TempDir(), workosBaseURL: "http://localhost:4100"}
	if err := runDemo(context.Background(), flags, func(name string) string { return env[name] }, &out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "sk_secret") {
		t.Error("the API key stands in the Caddyfile")
	}
	for _, want := range []string{"api_key {env.WORKOS_API_KEY}", "organization org_01", "base_url http://localhost:4100"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}
