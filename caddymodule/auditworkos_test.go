package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// brokenKeeper is a place for audit records that can't keep any.
type brokenKeeper struct{ err error }

func (brokenKeeper) Run(context.Context) {}

func (k brokenKeeper) Blocked() error { return k.err }

// What can't be recorded as it has to be is not done, and clients are told to come back.
func TestNothingIsDoneThatCannotBeRecorded(t *testing.T) {
	h := &Handler{Mount: "/mcp", app: &App{auditKeepers: []auditKeeper{brokenKeeper{}, brokenKeeper{errors.New("full")}}}}
	h.seats = []*seat{{host: "mcp.example.com", port: "443"}}
	w := httptest.NewRecorder()
	if err := h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://mcp.example.com/mcp", nil), nil); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d with %v", w.Code, w.Header())
	}
}
