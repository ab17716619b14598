package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/guard"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

func TestRequestsAreCountedUnderBoundedLabels(t *testing.T) {
	const server = "counted under bounded labels"
	for range 2 { // as before and after a reload
		one := &tally{server: server}
		for i := range 10 {
			one.request("tools/call", guard.Allow)
			one.request(fmt.Sprint("made up ", i), guard.Refuse)
			one.request(fmt.Sprint("notifications/", i), guard.Allow)
			one.request("tools/call", fmt.Sprint("no outcome ", i))
			one.refused("GET", oauth.ErrInvalidToken)
			one.refused("GET", fmt.Errorf("%w: store", oauth.ErrUnavailable))
			one.decision(policy.Template, guard.Deny)
			one.decision(policy.Kind(i+10), guard.Deny)
		}
	}
	got := counted(t, server)
	want := map[string]float64{
		"tools/call allow": 20, "other refuse": 20, "notification allow": 20, "GET unauthorized": 20, "GET unavailable": 20,
		"deny template": 20,
	}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	for number, label := range methodLabels[:len(methodLabels)-2] {
		if methodNumber(label) != number {
			t.Errorf("%s is counted as %s", label, methodLabels[methodNumber(label)])
		}
	}
}

// counted returns the counters of a server by the values of their other labels.
func counted(t *testing.T, server string) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.requests, metrics.decisions)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var values []string
			ours := false
			for _, label := range metric.GetLabel() {
				if label.GetName() == "server" {
					ours = label.GetValue() == server
					continue
				}
				values = append(values, label.GetValue())
			}
			if ours {
				got[strings.Join(values, " ")] = metric.GetCounter().GetValue()
			}
		}
	}
	return got
}

func BenchmarkTally(b *testing.B) {
	one := &tally{server: "benchmark"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			one.request("tools/call", guard.Allow)
			one.decision(policy.Tool, guard.Allow)
			one.took(time.Millisecond, time.Microsecond, true)
		}
	})
}

func TestWaitingForAPersonIsNoTimeOfTheGateways(t *testing.T) {
	const server = "waits for a person"
	r, err := http.NewRequest(http.MethodPost, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	rec := &record{handler: &Handler{tally: &tally{server: server}}, request: r}
	rec.outcome = guard.Outcome{Waited: 40 * time.Second, Upstream: time.Second, UpstreamStatus: http.StatusOK}
	rec.count(43 * time.Second)
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.overhead)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range families[0].GetMetric() {
		if metric.GetLabel()[0].GetValue() == server {
			if sum := metric.GetHistogram().GetSampleSum(); sum != 2 {
				t.Errorf("%v seconds are the gateway's, want 2", sum)
			}
			return
		}
	}
	t.Error("nothing is counted")
}
