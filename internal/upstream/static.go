package upstream

import (
	"context"
	"net/http"
)

// Header is one header field with a secret value.
type Header struct {
	Name  string
	Value Secret
}

// Secret is a string that shows itself to nothing that prints, logs or encodes it.
type Secret string

// Static is a set of header fields, the same in every request. It is safe for concurrent use.
type Static struct{ headers []Header }

// NewStatic returns credentials made of these header fields. The values are resolved already: placeholders in them are not looked at.
func NewStatic(headers ...Header) (*Static, error) { return &Static{headers}, nil }

// Apply implements Credentials.
func (s *Static) Apply(_ context.Context, h http.Header) error {
	for _, header := range s.headers {
		h.Set(header.Name, string(header.Value))
	}
	return nil
}
