package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxJSONDepth bounds the nesting of a JSON policy. The language needs seven levels.
const maxJSONDepth = 32

// UnmarshalJSON reads the JSON form as strictly as [Parse] reads YAML. Unlike encoding/json it takes no key in another case,
// no duplicate and no unknown key. Positions in errors are the paths of the values.
func (d *Document) UnmarshalJSON(data []byte) error {
	root, err := parseJSON(data, "policy")
	if err != nil {
		return err
	}
	r := &reader{}
	read := r.document(root)
	if err := r.err(); err != nil {
		return err
	}
	*d = *read
	return nil
}

// parseJSON reads the one JSON value that there has to be. what is what it is.
func parseJSON(data []byte, what string) (*yaml.Node, error) {
	start := Position{File: what}
	if len(data) > MaxDocument {
		return nil, mistake(start, "the %s is larger than %d MiB", what, MaxDocument>>20)
	}
	if !utf8.Valid(data) {
		return nil, mistake(start, "the %s is not UTF-8", what)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	root, err := jsonNode(dec, 0)
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("there is something after the " + what + "'s value")
		}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, mistake(start, "%v", err)
	}
	return root, nil
}

// jsonNode reads the next JSON value as the YAML node of the same meaning, without a line, so that both forms of a policy
// go through one reader. encoding/json's tokens keep duplicate members, which its maps and structs would swallow.
func jsonNode(dec *json.Decoder, depth int) (*yaml.Node, error) {
	if depth > maxJSONDepth {
		return nil, errors.New("the policy is nested too deeply")
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if v == '{' {
			n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		for dec.More() {
			child, err := jsonNode(dec, depth+1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		_, err := dec.Token() // the closing bracket
		return n, err
	case string:
		return scalar("!!str", v), nil
	case json.Number:
		return scalar("!!float", v.String()), nil
	case bool:
		return scalar("!!bool", fmt.Sprint(v)), nil
	default:
		return scalar("!!null", ""), nil
	}
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}
