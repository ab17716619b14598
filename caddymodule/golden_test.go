package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "write the JSON files of testdata/good anew")

// publicKey is the key of a client that signs.
const publicKey = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEP6xCjHIgqDR1jp8Tof9OqAqVVpwe\nqS1z+YW64cKFFraE2lCmaVyWA7xgS5BUAC9YYxECur7Clg4h35C26b+plA==\n-----END PUBLIC KEY-----\n"

// environment is what the placeholders of the test Caddyfiles stand for.
var environment = map[string]string{
	"WORKOS_CLIENT_ID": "client_01H",
	"WORKOS_API_KEY":   "sk_test_secret",

	"WORKOS_WEBHOOK_SECRET": "a-long-enough-secret-of-webhooks",

	"WORKOS_CLIENT_SECRET": "sk_test_secret", // as WorkOS' guide calls it

	"OIDC_ISSUER": "https://id.example.com", "OIDC_CLIENT_ID": "gateway", "OIDC_CLIENT_SECRET": "a-long-enough-secret-at-the-provider",

	"CI_BOT_SECRET":        "a-long-enough-secret-of-the-bot",
	"DOCS_API_SECRET":      "a-long-enough-secret-of-the-api",
	"GITHUB_TOKEN":         "ghp_secret",
	"INTROSPECTION_SECRET": "a-long-enough-secret-of-the-gateway",
	"BOB_HASH":             "$2a$04$6TyNbkNby9mQfS8SE9hh3e6R.G7f1F1h9PJSVxTb3JqQqGDgEUliK",
	"ISSUER":               "https://mcp.example.com",
	"POLICY_FILE":          "testdata/policy.yaml",
	"EMPTY":                "",

	"CI_BOT_PUBLIC_KEY": publicKey, "CI_BOT_NEXT_PUBLIC_KEY": publicKey,
}

// setEnvironment sets them for one test.
func setEnvironment(t testing.TB) {
	t.Helper()
	for name, value := range environment {
		t.Setenv(name, value)
	}
}

// adapt turns a Caddyfile into a JSON config.
func adapt(t testing.TB, name string, caddyfile []byte) ([]byte, error) {
	t.Helper()
	filename, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt(caddyfile, map[string]any{"filename": filename})
	return adapted, err
}

// validate does what `caddy validate` does with a JSON config.
func validate(t testing.TB, config []byte) error {
	t.Helper()
	parsed := new(caddy.Config)
	if err := caddy.StrictUnmarshalJSON(config, parsed); err != nil {
		return err
	}
	// Nothing of a test belongs to the machine's own Caddy.
	parsed.StorageRaw = json.RawMessage(`{"module":"file_system","root":` + quote(t.TempDir()) + `}`)
	parsed.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "PANIC"}}}}
	return caddy.Validate(parsed)
}

func quote(s string) string {
	quoted, _ := json.Marshal(s)
	return string(quoted)
}

func TestGoodCaddyfilesAdaptToTheirJSONAndValidate(t *testing.T) {
	setEnvironment(t)
	files, err := filepath.Glob("testdata/good/*.caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			caddyfile, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			adapted, err := adapt(t, file, caddyfile)
			if err != nil {
				t.Fatal(err)
			}
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, adapted, "", "\t"); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			// Policy files are named by absolute paths, which are not the same everywhere.
			got := strings.ReplaceAll(pretty.String(), here, "")
			golden := strings.TrimSuffix(file, ".caddyfile") + ".json"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("adapts to something else than %s:\n%s", golden, got)
			}
			for name, value := range environment {
				if strings.Contains(name, "SECRET") || strings.Contains(name, "KEY") || strings.Contains(name, "TOKEN") {
					if strings.Contains(got, value) {
						t.Errorf("the JSON holds the value of %s", name)
					}
				}
			}
			if err := validate(t, adapted); err != nil {
				t.Errorf("does not validate: %v", err)
			}
		})
	}
}

// TestBadConfigsAreRefusedWithLineAndAdvice runs testdata/bad. A file has many cases; each begins with a line
//
//	### what it is: part of the error; another part
//
// and the lines of the error are counted from the line after it.
func TestBadConfigsAreRefusedWithLineAndAdvice(t *testing.T) {
	setEnvironment(t)
	files, err := filepath.Glob("testdata/bad/*.caddyfile")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range strings.Split("\n"+string(content), "\n### ")[1:] {
			head, caddyfile, _ := strings.Cut(text, "\n")
			name, want, found := strings.Cut(head, ": ")
			if !found {
				t.Fatalf("%s: a case without an error: %s", file, head)
			}
			t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfile")+"/"+name, func(t *testing.T) {
				adapted, err := adapt(t, file, []byte(caddyfile))
				if err == nil {
					err = validate(t, adapted)
				}
				if err == nil {
					t.Fatal("nothing is wrong with it")
				}
				for part := range strings.SplitSeq(want, "; ") {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("got the error\n\t%v\nwhich doesn't say %q", err, part)
					}
				}
			})
		}
	}
}

func TestAnEmptySecretIsAnErrorAndIsNotShown(t *testing.T) {
	setEnvironment(t)
	for _, value := range []string{"{env.EMPTY}", "{env.MISSING}", "{file./missing}", "{unknown.placeholder}", "", " "} {
		if resolved, err := resolve("api_key", value); err == nil {
			t.Errorf("%q resolves to %q", value, resolved)
		} else if !strings.Contains(err.Error(), "api_key") {
			t.Errorf("%q: the error doesn't name the setting: %v", value, err)
		}
	}
	if _, err := resolve("api_key", "{env.EMPTY}"); err == nil || errors.Is(err, errEmpty) {
		t.Errorf("the placeholder that is empty should be named, got %v", err)
	}
}
