package caddymodule

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// errNoPolicy is what a gateway without a policy is told; it would let nobody do anything.
var errNoPolicy = errors.New("a policy is missing: name a file (policy mcp-policy.yaml), or write the rules in a block")

// loadPolicy compiles the policy of the config: the inline one, or the file, which is read anew with every config.
func (app *App) loadPolicy() (*policy.Policy, error) {
	switch {
	case app.Policy != nil && app.PolicyFile != "":
		return nil, errors.New("a policy is inline or in a file, not both")
	case app.Policy != nil:
		return policy.Compile(app.Policy)
	case app.PolicyFile == "":
		return nil, errNoPolicy
	}
	file, err := resolve("policy_file", app.PolicyFile)
	if err != nil {
		return nil, err
	}
	document, err := policy.Load(file)
	if err != nil {
		return nil, err
	}
	return policy.Compile(document)
}

// readPolicy reads the policy option of the Caddyfile: a file, or rules over lines. Syntax:
//
//	policy <file>
//
//	policy {
//	    role|permission <slug> {
//	        inherit    <roles...>
//	        allow|deny <server> [tools <names...>] [prompts <names...>] [resources <uris...>] [templates <uris...>] [org <id>]
//	    }
//	    everyone {
//	        ...
//	    }
//	    methods <names...>
//	    mode    enforce|observe
//	}
func (app *App) readPolicy(d *caddyfile.Dispenser) error {
	if args := d.RemainingArgs(); len(args) > 0 {
		if len(args) > 1 {
			return d.Err("policy takes one file; quote a name that has spaces")
		}
		app.PolicyFile = besideCaddyfile(d, args[0])
		return nil
	}
	var opened bool
	document := new(policy.Document)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		opened = true
		at := policy.Position{File: d.File(), Line: d.Line()}
		line := append([]string{d.Val()}, d.RemainingArgs()...)
		switch line[0] {
		case "role", "permission", "everyone":
			block, err := document.AddBlock(at, line...)
			if err != nil {
				return d.WrapErr(plain(err))
			}
			if err := readPolicyBlock(d, block); err != nil {
				return err
			}
		default:
			if err := document.AddSetting(at, line...); err != nil {
				return d.WrapErr(plain(err))
			}
		}
		if err := endOfLine(d, line[0]); err != nil {
			return err
		}
	}
	if !opened {
		return d.WrapErr(errNoPolicy)
	}
	app.Policy = document
	return nil
}

// readPolicyBlock reads the rules of one role, one permission, or everyone.
func readPolicyBlock(d *caddyfile.Dispenser, block *policy.Block) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		at := policy.Position{File: d.File(), Line: d.Line()}
		line := append([]string{d.Val()}, d.RemainingArgs()...)
		if err := block.AddLine(at, line...); err != nil {
			return d.WrapErr(plain(err))
		}
		if err := endOfLine(d, line[0]); err != nil {
			return err
		}
	}
	return nil
}

// plain takes the position off a policy's error where the Caddyfile parser adds the same one.
func plain(err error) error {
	var one *policy.Error
	if errors.As(err, &one) {
		return errors.New(one.Message)
	}
	return err
}

// besideCaddyfile makes a relative path one of the folder the Caddyfile is in, and absolute, so that it means the same
// file wherever the config is loaded from later.
func besideCaddyfile(d *caddyfile.Dispenser, name string) string {
	if filepath.IsAbs(name) || hasPlaceholder(name) {
		return name
	}
	beside := filepath.Join(filepath.Dir(d.File()), name)
	if abs, err := filepath.Abs(beside); err == nil {
		return abs
	}
	return beside
}

// adaptPolicy checks the policy while a Caddyfile is adapted, so that its mistakes are seen as early as the Caddyfile's
// own. A policy whose file is named by a placeholder is known only once the config is provisioned; it is nil here.
func (app *App) adaptPolicy(at caddyfile.Token) (*policy.Policy, error) {
	if app.Policy == nil && hasPlaceholder(app.PolicyFile) {
		return nil, nil
	}
	compiled, err := app.loadPolicy()
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errNoPolicy) {
		return nil, errAt(at, err)
	}
	return compiled, err
}
