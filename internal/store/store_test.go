package store_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/store"
)

func TestCheckKind(t *testing.T) {
	for kind, want := range map[string]error{
		"code": nil, "refresh-family": nil, "a": nil, "k2": nil, strings.Repeat("k", store.MaxKind): nil,
		"": store.ErrKind, "Code": store.ErrKind, "2k": store.ErrKind, "-": store.ErrKind, "a/b": store.ErrKind, "a.b": store.ErrKind,
		"ä": store.ErrKind, "a\x00": store.ErrKind, strings.Repeat("k", store.MaxKind+1): store.ErrKind,
	} {
		if err := store.CheckKind(kind); !errors.Is(err, want) {
			t.Errorf("CheckKind(%q) = %v, want %v", kind, err, want)
		}
	}
}

func TestCheckSizeShowsNoSecret(t *testing.T) {
	if err := store.CheckSize(strings.Repeat("i", store.MaxID), make([]byte, store.MaxValue)); err != nil {
		t.Error(err)
	}
	for _, err := range []error{
		store.CheckSize(strings.Repeat("secret", store.MaxID), nil),
		store.CheckSize("secret", []byte(strings.Repeat("secret", store.MaxValue))),
	} {
		if !errors.Is(err, store.ErrTooLarge) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.100v, want ErrTooLarge without the id or the value", err)
		}
	}
}
