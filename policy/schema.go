package policy

import (
	_ "embed" // for the schema
	"slices"
)

//go:embed policy.schema.json
var schema []byte

// Schema returns a JSON schema (draft 7, which editors know best) of policy files. What it accepts is not yet right: globs, roles
// that are inherited and conditions are checked by [Compile] alone. Whatever [Compile] accepts, it accepts.
func Schema() []byte { return slices.Clone(schema) }
