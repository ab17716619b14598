package caddymodule

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// addressFields are the header fields that hold URLs; in those of an OAuth flow, codes, states and transactions stand.
var addressFields = []string{"Location", "Referer"}

// serveUnlogged serves a request of an OAuth flow. Caddy's access log has whole URLs, and codes, states and transactions
// stand in the queries of these. Caddy copies a request for the log before any handler sees it, so its entry can't be
// cleaned: it is left out where there is something to hide, and one without queries is written in its place. Fields that
// log_append adds are missing from that one.
func (h *Handler) serveUnlogged(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.Logs == nil {
		serve(w, r)
		return
	}
	began := h.app.now()
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	defer func() {
		header := recorder.Header()
		if !hasQuery(r.RequestURI) && !hasQuery(r.Header.Get("Referer")) && !hasQuery(header.Get("Location")) {
			return
		}
		if skip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.LogSkipVar).(bool); skip {
			return
		}
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
		h.logAccess(server.Logs, r, recorder, h.app.now().Sub(began))
	}()
	serve(recorder, r)
}

// logAccess writes the entry of a request that Caddy would, but without the queries of URLs.
func (h *Handler) logAccess(logs *caddyhttp.ServerLogConfig, r *http.Request, answer caddyhttp.ResponseRecorder, took time.Duration) {
	level := zapcore.InfoLevel
	if answer.Status() >= http.StatusInternalServerError {
		level = zapcore.ErrorLevel
	}
	shown := r.Clone(r.Context())
	shown.RequestURI = withoutQuery(r.RequestURI)
	shown.Header = withoutQueries(r.Header)
	for _, name := range accessLoggers(logs, r) {
		logger := h.accessLogger
		if name != "" {
			logger = logger.Named(name)
		}
		if entry := logger.Check(level, "handled request"); entry != nil {
			entry.Write(
				zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: shown, ShouldLogCredentials: false}),
				zap.Duration("duration", took),
				zap.Int("size", answer.Size()),
				zap.Int("status", answer.Status()),
				zap.Object("resp_headers", caddyhttp.LoggableHTTPHeader{Header: withoutQueries(answer.Header())}),
			)
		}
	}
}

// accessLoggers returns the names of the loggers that Caddy logs a request to. The empty name is that of the default one.
func accessLoggers(logs *caddyhttp.ServerLogConfig, r *http.Request) []string {
	if names, ok := caddyhttp.GetVar(r.Context(), caddyhttp.AccessLoggerNameVarKey).([]any); ok {
		all := make([]string, 0, len(names))
		for _, name := range names {
			if text, ok := name.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	host = strings.ToLower(host)
	if names, ok := logs.LoggerNames[host]; ok {
		return names
	}
	labels := strings.Split(host, ".")
	for i := range labels {
		labels[i] = "*"
		if names, ok := logs.LoggerNames[strings.Join(labels, ".")]; ok {
			return names
		}
	}
	for _, skipped := range logs.SkipHosts {
		if coversHost(skipped, host) {
			return nil
		}
	}
	if logs.SkipUnmappedHosts {
		return nil
	}
	return []string{logs.DefaultLoggerName}
}

// withoutQueries returns a header with the URLs in it cut off where their queries begin.
func withoutQueries(header http.Header) http.Header {
	cut := header.Clone()
	for _, name := range addressFields {
		for i, address := range cut[name] {
			cut[name][i] = withoutQuery(address)
		}
	}
	return cut
}

// hasQuery reports whether there is more to a URL than its path.
func hasQuery(address string) bool { return strings.ContainsAny(address, "?#") }

// withoutQuery returns a URL without its query and fragment, and with a mark that there was one.
func withoutQuery(address string) string {
	if end := strings.IndexAny(address, "?#"); end >= 0 {
		return address[:end] + "?REDACTED"
	}
	return address
}
