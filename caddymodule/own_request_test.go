package caddymodule

import (
	"net/http"
	"testing"
)

func TestTheGatewayAsksForToolsAsItCallsThem(t *testing.T) {
	upstream := newUpstream(t)
	upstream.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Mcp-Protocol-Version") == "2026-07-28" {
			http.Error(w, "no such version", http.StatusBadRequest)
			return
		}
		answerRPC(w, r)
	})
	startGateway(t, gatewayConfig{Site: "mcp_gateway /files " + upstream.URL + "/api/mcp {\n credentials static {\n header X-Api-Key sesame\n }\n }"})
	app := running.newest()
	offers, err := app.toolsOf(t.Context(), "files")
	if err != nil || len(offers) != 3 || offers[0].Name != "delete_everything" {
		t.Fatalf("%v %+v", err, offers)
	}
	for _, r := range upstream.requests() {
		if r.URL.Path != "/api/mcp" || r.Header.Get("X-Api-Key") != "sesame" || r.Header.Get("Authorization") != "" || r.Header.Get("X-Forwarded-For") != "" {
			t.Errorf("asked %s %v", r.URL, r.Header)
		}
	}
	if _, err := app.toolsOf(t.Context(), "nothere"); err == nil {
		t.Error("there are tools of a server that there is not")
	}
}
