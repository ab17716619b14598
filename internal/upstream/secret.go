package upstream

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that shows itself to nothing that prints, logs or encodes it; string(s) is the only way
// to it. In a struct, keep it in an exported field or behind a pointer: package fmt prints what is in
// unexported ones without asking.
type Secret string

// redacted stands for every secret, the empty one included.
const redacted = "REDACTED"

// String implements fmt.Stringer, and with it what zap.Any does.
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON, YAML and XML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
