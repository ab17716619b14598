package guard

import (
	"bytes"
	"slices"
)

// A client listens for list_changed only if it was told that there will be some: the SDKs take no notice of others. So
// servers that do not tell of changes are made to offer it, since we do, when somebody's rights change.

// capabilities adds listChanged to what the answer to initialize offers (revision 2025-11-25, "Lifecycle", "Capability
// Negotiation"). It is left as it is in answers to server/discover: there clients take it for a reason to open a
// subscription, and some give up if the server has none to open. On those that they open anyway they are told.
func (f *filter) capabilities() error {
	if f.s.space() != '{' {
		if !f.s.skip() {
			return errJSON
		}
		return nil
	}
	return f.object(func(name []byte) error {
		switch string(name) {
		case "tools", "prompts", "resources":
			if f.s.space() == '{' {
				return f.flags("listChanged")
			}
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
}

// flags sets members of an object to true.
func (f *filter) flags(members ...string) error {
	found, empty := 0, true
	err := f.object(func(name []byte) error {
		empty = false
		i := slices.Index(members, string(name))
		raw, start, err := f.value()
		if err == nil && i >= 0 {
			found |= 1 << i
			if string(raw) != "true" {
				f.replace(start, f.s.pos(), []byte("true"))
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	var missing []byte
	for i, member := range members {
		if found&(1<<i) != 0 {
			continue
		}
		if !empty {
			missing = append(missing, ',')
		}
		missing, empty = append(missing, `"`+member+`":true`...), false
	}
	if end := f.s.pos() - 1; len(missing) > 0 {
		f.replace(end, end, missing)
	}
	return nil
}

// acknowledge adds to the acknowledgement of a subscription which lists the client will be told of: all that it asked for,
// since we tell of them if the server does not. What is no acknowledgement stays as it is.
func (f *filter) acknowledge(msg []byte, asked lists) []byte {
	msg = bytes.Clone(msg) // it may be in memory that is written to here
	f.begin(scanner{b: msg, token: none})
	err := f.object(func(name []byte) error {
		if string(name) == "params" && f.s.space() == '{' {
			return f.object(func(name []byte) error {
				if string(name) == "notifications" && f.s.space() == '{' {
					return f.flags(asked.filters()...)
				}
				if !f.s.skip() {
					return errJSON
				}
				return nil
			})
		}
		if !f.s.skip() {
			return errJSON
		}
		return nil
	})
	if err != nil || !f.edited {
		return msg
	}
	f.copy(len(msg))
	return f.out
}
