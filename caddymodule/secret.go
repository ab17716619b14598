package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// errEmpty is what a required value is that was left out, or whose placeholder stands for nothing.
var errEmpty = errors.New("is empty")

// resolve replaces the placeholders of a value from the config, such as {env.WORKOS_API_KEY} or {file./run/secrets/key}.
// It is called when the config is provisioned, so that the config itself, which Caddy keeps on disk and shows through its
// admin API, never holds what a placeholder stands for. The error names the setting and the placeholder, never a value.
func resolve(setting, value string) (string, error) {
	resolved, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", setting, err)
	case strings.TrimSpace(resolved) == "":
		return "", fmt.Errorf("%s %w", setting, errEmpty)
	}
	return resolved, nil
}

// resolveAll resolves each of values.
func resolveAll(setting string, values []string) ([]string, error) {
	resolved := make([]string, len(values))
	for i, value := range values {
		var err error
		if resolved[i], err = resolve(setting, value); err != nil {
			return nil, err
		}
	}
	return resolved, nil
}

// hasPlaceholder reports whether a value is known only once the config is provisioned.
func hasPlaceholder(value string) bool { return strings.Contains(value, "{") }
