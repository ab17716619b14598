package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of all configs of the process: a reload makes a new registry, and counting goes on.
var metrics = struct {
	requests, decisions *prometheus.CounterVec
	overhead, upstream  *prometheus.HistogramVec
	streams             *prometheus.GaugeVec
}{
	requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "mcp_gateway", Name: "requests_total",
		Help: "Requests to MCP endpoints, by server, MCP method and outcome.",
	}, []string{"server", "method", "outcome"}),
	decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy", Subsystem: "mcp_gateway", Name: "decisions_total",
		Help: "Policy decisions on tools, prompts, resources and templates.",
	}, []string{"server", "kind", "decision"}),
	overhead: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "mcp_gateway", Name: "overhead_seconds",
		Help:    "Time spent in the gateway, without the MCP server and without waiting for a person.",
		Buckets: []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .05, .1, .5, 1},
	}, []string{"server"}),
	upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "caddy", Subsystem: "mcp_gateway", Name: "upstream_seconds",
		Help:    "Time until the MCP server's answer was complete; streams are left out.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"server"}),
	streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "caddy", Subsystem: "mcp_gateway", Name: "streams",
		Help: "Long-lived answers that are open.",
	}, []string{"server"}),
}

// registerMetrics adds the collectors to a config's registry.
func registerMetrics(registry *prometheus.Registry) error {
	if registry == nil {
		return nil
	}
	for _, collector := range []prometheus.Collector{
		metrics.requests, metrics.decisions, metrics.overhead, metrics.upstream, metrics.streams,
	} {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}

// countStream counts a stream that opens; the function it returns counts that it has closed.
func countStream(server string) func() {
	gauge := metrics.streams.WithLabelValues(server)
	gauge.Inc()
	return gauge.Dec
}
