package caddymodule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// option reads the rest of a line of a Caddyfile block, with its own block if it has one. The dispenser stands on the
// option's name.
type option func(d *caddyfile.Dispenser) error

// options are what may stand in a block, by name. One that is named with a star may be repeated.
type options map[string]option

// readBlock reads a segment of its own: a name, the arguments that args takes (nil: none), and a block of options.
func readBlock(d *caddyfile.Dispenser, args option, known options) error {
	d.Next() // the name
	if args != nil {
		if err := args(d); err != nil {
			return err
		}
	}
	return readOptions(d, known)
}

// readOptions reads the block that opens at the end of this line, if there is one. An option that doesn't exist, stands
// twice, or has more on its line than it takes is an error.
func readOptions(d *caddyfile.Dispenser, known options) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		read, repeatable := known[name+"*"]
		if !repeatable {
			var exists bool
			if read, exists = known[name]; !exists {
				return unknownOption(d, known)
			}
			if seen[name] {
				return d.Errf("%s is set twice", name)
			}
			seen[name] = true
		}
		if err := read(d); err != nil {
			return err
		}
		if err := endOfLine(d, name); err != nil {
			return err
		}
	}
	return endOfLine(d, "this")
}

// endOfLine is an error if there is more on the line than was read.
func endOfLine(d *caddyfile.Dispenser, name string) error {
	line := d.Token()
	switch {
	case d.NextArg():
		return d.Errf("unexpected %q", d.Val())
	case d.NextBlock(d.Nesting()):
		return errAt(line, fmt.Errorf("%s takes no block", name))
	}
	return nil
}

// atStart adds the line on which a segment begins to an error that is found at its end.
func atStart(d *caddyfile.Dispenser, message string) error {
	d.Reset()
	d.Next()
	return d.Err(message)
}

// unknownOption is the error for an option that doesn't exist.
func unknownOption(d *caddyfile.Dispenser, known options) error {
	return d.Errf("unrecognized option %s%s", d.Val(), didYouMean(d.Val(), optionNames(known)))
}

// optionNames returns the names of options, without the mark that one may be repeated.
func optionNames(known options) []string {
	names := slices.Sorted(maps.Keys(known))
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, "*")
	}
	return names
}

// oneArg reads the one argument of an option.
func oneArg(d *caddyfile.Dispenser, target *string) error {
	name := d.Val()
	if !d.NextArg() {
		return d.Errf("%s needs a value", name)
	}
	*target = d.Val()
	return nil
}

// text returns the option that sets one string.
func text(target *string) option {
	return func(d *caddyfile.Dispenser) error { return oneArg(d, target) }
}

// words returns the option that appends all arguments of its line. It may be repeated.
func words(target *[]string) option {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf("%s needs at least one value", name)
		}
		for _, arg := range args {
			if slices.Contains(*target, arg) {
				return d.Errf("%s names %s twice", name, arg)
			}
		}
		*target = append(*target, args...)
		return nil
	}
}

// oneOf returns the option that sets one of a few words.
func oneOf(target *string, choices ...string) option {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if err := oneArg(d, target); err != nil {
			return err
		}
		if !slices.Contains(choices, *target) {
			return d.Errf("%s can be %s, not %s%s", name, orList(choices), *target, didYouMean(*target, choices))
		}
		return nil
	}
}

// orList writes choices as people do.
func orList(choices []string) string {
	switch len(choices) {
	case 0:
		return ""
	case 1:
		return choices[0]
	}
	last := len(choices) - 1
	list := choices[0]
	for _, choice := range choices[1:last] {
		list += ", " + choice
	}
	return list + " or " + choices[last]
}

// duration returns the option that sets a time span.
func duration(target *caddy.Duration) option {
	return func(d *caddyfile.Dispenser) error {
		var value string
		name := d.Val()
		if err := oneArg(d, &value); err != nil {
			return err
		}
		span, err := caddy.ParseDuration(value)
		if err != nil {
			return d.Errf("%s: %q is no time span such as 90s, 5m, 1h or 30d", name, value)
		}
		if err := checkSpan(name, span); err != nil {
			return d.WrapErr(err)
		}
		*target = caddy.Duration(span)
		return nil
	}
}

// checkSpan refuses time spans that can't be meant.
func checkSpan(name string, span time.Duration) error {
	if span <= 0 {
		return fmt.Errorf("%s must be more than 0", name)
	}
	return nil
}

// onlyDefault returns the option of which this version has the default alone: saying it is fine, anything else is refused.
func onlyDefault(defaults ...string) option {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		args := d.RemainingArgs()
		if len(args) == len(defaults) && !slices.ContainsFunc(defaults, func(word string) bool { return !slices.Contains(args, word) }) {
			return nil
		}
		if len(args) == 0 {
			return d.Errf("%s needs a value", name)
		}
		for _, arg := range args {
			name += " " + arg
		}
		return d.Errf("%s is not supported by this version", name)
	}
}
