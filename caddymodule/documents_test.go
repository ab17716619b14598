package caddymodule

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// fence is a code block of a Markdown document.
type fence struct {
	line int    // of its first line of content
	info string // what follows the opening backticks
	text string
}

// fences returns the code blocks of a document.
func fences(document string) []fence {
	var all []fence
	var open *fence
	var indent string
	for i, line := range strings.Split(document, "\n") {
		bare := strings.TrimLeft(line, " ")
		switch {
		case open == nil && strings.HasPrefix(bare, "```"):
			indent = line[:len(line)-len(bare)]
			open = &fence{line: i + 2, info: strings.TrimSpace(strings.TrimLeft(bare, "`"))}
		case open != nil && strings.TrimSpace(bare) == "```":
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		}
	}
	return all
}

// TestEveryCaddyfileInTheDocumentsIsGood formats, adapts and validates every code block marked ```caddyfile in the repository's
// Markdown, and the example. A block that is not a whole Caddyfile says where it belongs: ```caddyfile global in the
// global options, ```caddyfile app in the global option mcp_gateway, ```caddyfile site in a site.
func TestEveryCaddyfileInTheDocumentsIsGood(t *testing.T) {
	setEnvironment(t)
	documents := []string{"../Caddyfile.example"}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != ".." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
			documents = append(documents, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents {
		content, err := os.ReadFile(document)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		blocks := []fence{{line: 1, info: "caddyfile", text: string(content)}}
		if strings.HasSuffix(document, ".md") {
			blocks = fences(string(content))
		}
		for _, block := range blocks {
			kind, isCaddyfile := strings.CutPrefix(block.info, "caddyfile")
			if !isCaddyfile {
				continue
			}
			if formatted := string(caddyfile.Format([]byte(block.text))); formatted != block.text {
				t.Errorf("%s:%d: caddy fmt would write it so:\n%s", document, block.line, formatted)
			}
			text, err := complete(strings.TrimSpace(kind), block.text)
			if err != nil {
				t.Errorf("%s:%d: %v", document, block.line, err)
				continue
			}
			adapted, err := adapt(t, filepath.Join("testdata", "good", "Caddyfile"), []byte(text))
			if err == nil {
				err = validate(t, adapted)
			}
			if err != nil {
				t.Errorf("%s:%d: %v\n%s", document, block.line, err, text)
			}
		}
	}
}

// complete makes a whole Caddyfile of a part. The policy files that documents name don't exist here; one does in their
// place.
func complete(kind, text string) (string, error) {
	text = strings.ReplaceAll(text, "policy mcp-policy.yaml", "policy ../policy.yaml")
	const (
		identity = "\tidentity local {\n\t\tuser alice {env.BOB_HASH}\n\t}\n"
		policy   = "\tpolicy ../policy.yaml\n"
		issuer   = "\tissuer https://mcp.example.com\n"
		site     = "mcp.example.com {\n\tmcp_gateway /github 127.0.0.1:9000\n}\n"
	)
	switch kind {
	case "":
		return text, nil
	case "global":
		if !strings.Contains(text, "mcp_gateway {") {
			text += "\tmcp_gateway {\n" + issuer + identity + policy + "\t}\n"
		}
		return "{\n" + text + "}\n" + site, nil
	case "app":
		app := text
		for option, whole := range map[string]string{"issuer": issuer, "identity": identity, "policy": policy} {
			if !strings.Contains("\n"+text, "\n"+option+" ") {
				app += whole
			}
		}
		return "{\n\tmcp_gateway {\n" + app + "\t}\n}\n" + site, nil
	case "site":
		return "{\n\tmcp_gateway {\n" + issuer + identity + policy + "\t}\n}\nmcp.example.com {\n" + text + "}\n", nil
	}
	return "", errors.New("a caddyfile block is whole, or of the kind global, app or site, not " + kind)
}
