package policy

import (
	"encoding/json"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// Question asks what somebody may do.
type Question struct {
	// At is where it is written, if it is in a file.
	At Position

	Subject Subject
	Server  string
	Kind    Kind
	Name    string // of what is asked about; for resources the URI, for templates the URI template

	// Args are the arguments of the call, a JSON object; nil if they are not known.
	Args []byte

	// Tool is what the server says of the tool.
	Tool Annotations

	// Now is the time of the call.
	Now time.Time
}

// Explain answers a question.
func (p *Policy) Explain(q *Question) Explanation {
	return p.View(&q.Subject, q.Server).Explain(q.Kind, q.Name, &Facts{Subject: &q.Subject, Tool: q.Tool, Args: q.Args, Now: q.Now})
}

// The keys of a question.
var (
	questionKeys = []string{"as", "server", "tool", "prompt", "resource", "template", "args", "annotations", "now"}
	asKeys       = []string{"id", "email", "name", "org", "roles", "permissions", "groups", "claims", "machine", "client"}
	clientKeys   = []string{"id", "name"}
)

// UnmarshalJSON reads a question as strictly as a policy is read.
func (q *Question) UnmarshalJSON(data []byte) error {
	root, err := parseJSON(data, "question")
	if err != nil {
		return err
	}
	r := &reader{}
	read := r.question(root, "question", "the question", questionKeys, nil)
	if err := r.err(); err != nil {
		return err
	}
	*q = read
	return nil
}

// question reads a question; keys that are not its own are left to others.
func (r *reader) question(n *yaml.Node, path, what string, keys []string, others func(key string, v *yaml.Node, path string)) Question {
	q := Question{At: r.at(n, path)}
	named := 0
	r.mapping(n, path, what, func(key string, k, v *yaml.Node, path string) {
		switch key {
		case "as":
			q.Subject = r.subject(v, path)
		case "server":
			q.Server = r.text(v, path, key, wordFault)
		case "tool", "prompt", "resource", "template":
			named++
			q.Kind, _ = kindOf(key + "s")
			q.Name = r.text(v, path, key, noFault)
		case "args":
			q.Args = r.object(v, path, key)
		case "annotations":
			q.Tool = r.toolHints(v, path)
		case "now":
			q.Now = r.moment(v, path)
		default:
			if !slices.Contains(keys, key) {
				r.unknown(r.at(k, path), key, keys)
				return
			}
			others(key, v, path)
		}
	})
	if named != 1 {
		r.add(q.At, "%s needs exactly one of tool, prompt, resource and template", what)
	}
	if q.Server == "" {
		r.add(q.At, "%s needs a server", what)
	}
	return q
}

// subject reads who asks.
func (r *reader) subject(n *yaml.Node, path string) Subject {
	var s Subject
	r.mapping(n, path, "as", func(key string, k, v *yaml.Node, path string) {
		switch key {
		case "id":
			s.ID = r.text(v, path, key, noFault)
		case "email":
			s.Email = r.text(v, path, key, noFault)
		case "name":
			s.Name = r.text(v, path, key, noFault)
		case "org":
			s.Org = r.text(v, path, key, slugFault)
		case "roles":
			s.Roles = r.words(v, path, key, slugFault)
		case "permissions":
			s.Permissions = r.words(v, path, key, slugFault)
		case "groups":
			s.Groups = r.words(v, path, key, noFault)
		case "claims":
			if text := r.object(v, path, key); text != nil {
				_ = json.Unmarshal(text, &s.Claims) // it was made just now
			}
		case "machine":
			s.Machine = r.truth(v, path, key)
		case "client":
			r.mapping(v, path, key, func(key string, k, v *yaml.Node, path string) {
				switch key {
				case "id":
					s.Client.ID = r.text(v, path, key, noFault)
				case "name":
					s.Client.Name = r.text(v, path, key, noFault)
				default:
					r.unknown(r.at(k, path), key, clientKeys)
				}
			})
		default:
			r.unknown(r.at(k, path), key, asKeys)
		}
	})
	return s
}

// toolHints reads what the server says of a tool.
func (r *reader) toolHints(n *yaml.Node, path string) Annotations {
	said := make(map[string]bool)
	r.mapping(n, path, "annotations", func(key string, k, v *yaml.Node, path string) {
		if fault := hintFault(key); fault != "" {
			r.add(r.at(k, path), "%s %s", key, fault)
			return
		}
		said[key] = r.truth(v, path, key)
	})
	a, _ := NewAnnotations(said)
	return a
}

// truth reads true or false.
func (r *reader) truth(n *yaml.Node, path, what string) bool {
	var value bool
	if r.plain(n, path) && (n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&value) != nil) {
		r.add(r.at(n, path), "%s must be true or false, not %s", what, describeNode(n))
	}
	return value
}

// moment reads a time.
func (r *reader) moment(n *yaml.Node, path string) time.Time {
	if !r.plain(n, path) {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		r.add(r.at(n, path), "now must be a time such as 2026-01-31T18:00:00Z")
	}
	return t
}

// noFault is for texts that may be anything.
func noFault(string) string { return "" }
