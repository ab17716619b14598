package caddymodule

import (
	"errors"
	"fmt"
)

// errTrust is what trust lacks if it names nothing.
var errTrust = errors.New("trust needs what of the server's word counts: annotations")

// trusts reports whether a server's annotations count.
func trusts(names []string) (annotations bool, err error) {
	for _, name := range names {
		switch {
		case name != "annotations":
			return false, fmt.Errorf("trust: %q is not annotations, which is all that can be trusted", name)
		case annotations:
			return false, errors.New("trust names annotations twice")
		}
		annotations = true
	}
	return annotations, nil
}
