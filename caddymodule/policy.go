package caddymodule

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/audit"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// errNoPolicy is what a gateway without a policy is told; it would let nobody do anything.
var errNoPolicy = errors.New("a policy is missing: name a file (policy mcp-policy.yaml), or write the rules in a block")

// policyFile returns the file the policy is in, "" if it is inline.
func (app *App) policyFile() (string, error) {
	switch {
	case app.Policy != nil && app.PolicyFile != "":
		return "", errors.New("a policy is inline or in a file, not both")
	case app.Policy != nil:
		return "", nil
	case app.PolicyFile == "":
		return "", errNoPolicy
	}
	return resolve("policy_file", app.PolicyFile)
}

// takePolicy takes the policy of the config: the inline one, or that of the file.
func (app *App) takePolicy() error {
	file, err := app.policyFile()
	if err != nil {
		return err
	}
	app.policy = &policySource{file: file, now: app.now, check: app.checkPolicy, tell: app.tellPolicy}
	if file != "" {
		return app.policy.load()
	}
	compiled, err := policy.Compile(app.Policy)
	if err != nil {
		return err
	}
	app.policy.state.Store(&policyState{policy: compiled, since: app.now()})
	return nil
}

// checkMentions checks that the policy knows the roles and permissions that part of the config names, and has policies that come
// later checked for them, too.
func (app *App) checkMentions(mentions ...mention) error {
	app.mentions = append(app.mentions, mentions...)
	return checkMentions(app.policy.current(), mentions)
}

// checkPolicy checks a policy that comes later for everything that the first one was checked for, once all of the config was
// known.
func (app *App) checkPolicy(p *policy.Policy) error {
	return errors.Join(checkMentions(p, app.mentions), app.checkServers(p))
}

// checkServers checks that the rules of a policy are for servers that exist, and go by annotations only where these count.
func (app *App) checkServers(p *policy.Policy) error {
	servers := app.serverNames()
	if len(servers) == 0 {
		return nil // the authorization server alone is being checked
	}
	errs := []error{p.CheckServers(servers)}
	for _, server := range app.sites.untrusted {
		errs = append(errs, p.NeedsAnnotations(server))
	}
	return errors.Join(errs...)
}

// tellPolicy tells operators which policy is in force now, or that what is in the file can't be.
func (app *App) tellPolicy(state policyState) {
	record := audit.Record{Time: app.now(), Event: "policy_loaded", Policy: state.policy.Hash()}
	if app.policy.file != "" {
		record.Name = app.policy.file
	}
	if state.fault != nil {
		app.logger.Error("the policy file has mistakes: THE POLICY FROM BEFORE STAYS IN FORCE until they are mended",
			zap.String("file", app.policy.file), zap.Error(state.fault), zap.String("in_force", state.policy.Hash()), zap.Time("since", state.since))
		record.Event, record.Reason = "policy_refused", state.fault.Error()
	} else {
		app.logger.Info("policy loaded", zap.String("file", app.policy.file), zap.String("hash", state.policy.Hash()))
	}
	app.auditor.Record(&record)
}

// readPolicy reads the policy option of the Caddyfile: a file, or rules over lines. Syntax:
//
//	policy <file>
//
//	policy {
//	    role|permission <slug> {
//	        inherit    <roles...>
//	        allow|ask|deny <server> [tools <names...>] [prompts <names...>] [resources <uris...>] [templates <uris...>] [org <id>] \
//	            [when <expression>] [annotations <hint> true|false ...] [limit <n>/s|m|h|d [per user|client|tool]]
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
	file, err := app.policyFile()
	switch {
	case err != nil:
		return nil, errAt(at, err)
	case file == "":
		return policy.Compile(app.Policy)
	}
	document, err := policy.Load(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errAt(at, err)
	case err != nil:
		return nil, err
	}
	return policy.Compile(document)
}
