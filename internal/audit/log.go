package audit

import (
	"strings"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Bounds of an entry. Much of a record comes from the network, and none of it may fill a disk.
const (
	maxText  = 1024 // bytes of one field
	maxSlugs = 64   // roles, and as many permissions
)

// message is that of every entry; what happened is in the fields.
const message = "audit"

// Log returns a sink that writes one entry per record to logger, at level info whatever was decided: a level
// is no filter for an audit trail. The names of the fields are
//
//	event decision rule reason policy user_id email org roles permissions impersonator client_id client_name grant_id server method kind
//	tool (or prompt, resource, template, as kind says) request_id session protocol latency status upstream_status filtered
//
// Latency is written as the logger writes durations, in seconds unless Caddy's log encoder says otherwise.
// Empty fields are left out, long ones cut. Of a URI, user information, query and fragment are left out,
// since secrets are often put there.
func Log(logger *zap.Logger) Sink { return logSink{logger} }

type logSink struct{ logger *zap.Logger }

// Record implements Sink.
func (s logSink) Record(r *Record) {
	entry := s.logger.Check(zapcore.InfoLevel, message)
	if entry == nil {
		return
	}
	if !r.Time.IsZero() {
		entry.Time = r.Time
	}
	entry.Write(zap.Inline((*fields)(r)))
}

// fields writes a record without making a slice of fields first. It is a type of its own so that Record
// itself is not an ObjectMarshaler, which a caller could log under a name and believe audited.
type fields Record

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (r *fields) MarshalLogObject(e zapcore.ObjectEncoder) error {
	text(e, "event", r.Event)
	text(e, "decision", r.Decision)
	text(e, "rule", r.Rule)
	text(e, "reason", r.Reason)
	text(e, "policy", r.Policy)
	text(e, "user_id", r.UserID)
	text(e, "email", r.Email)
	text(e, "org", r.Org)
	if len(r.Roles) > 0 {
		if err := e.AddArray("roles", slugs(r.Roles)); err != nil {
			return err
		}
	}
	if len(r.Permissions) > 0 {
		if err := e.AddArray("permissions", slugs(r.Permissions)); err != nil {
			return err
		}
	}
	text(e, "impersonator", r.Impersonator)
	text(e, "client_id", r.ClientID)
	text(e, "client_name", r.ClientName)
	text(e, "grant_id", r.GrantID)
	text(e, "server", r.Server)
	text(e, "method", r.Method)
	text(e, "kind", r.Kind)
	r.target(e)
	text(e, "request_id", r.RequestID)
	text(e, "session", r.Session)
	text(e, "protocol", r.Protocol)
	if r.Latency != 0 {
		e.AddDuration("latency", r.Latency)
	}
	number(e, "status", r.Status)
	number(e, "upstream_status", r.UpstreamStatus)
	number(e, "filtered", r.Filtered)
	return nil
}

// target writes what was asked for under the name of its kind.
func (r *fields) target(e zapcore.ObjectEncoder) {
	switch r.Kind {
	case "tool", "prompt":
		text(e, r.Kind, r.Name)
	case "resource", "template":
		text(e, r.Kind, bareURI(r.Name))
	default:
		text(e, "name", r.Name)
	}
}

func text(e zapcore.ObjectEncoder, key, value string) {
	if value != "" {
		e.AddString(key, cut(value))
	}
}

func number(e zapcore.ObjectEncoder, key string, value int) {
	if value != 0 {
		e.AddInt(key, value)
	}
}

// slugs are roles or permissions.
type slugs []string

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (s slugs) MarshalLogArray(e zapcore.ArrayEncoder) error {
	for _, slug := range s[:min(len(s), maxSlugs)] {
		e.AppendString(cut(slug))
	}
	return nil
}

// cut shortens what is longer than maxText, between characters, and shows that it did.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// bareURI leaves out of a URI what secrets are put in: user information, query and fragment (RFC 3986 §3.2.1,
// §3.4, §3.5). It doesn't parse, since what can't be parsed is asked for, too.
func bareURI(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i] + s[i:i+1] + "…"
	}
	scheme, rest, found := strings.Cut(s, "//")
	if !found {
		return s
	}
	end := len(rest)
	if i := strings.IndexAny(rest, `/\`); i >= 0 {
		end = i
	}
	if i := strings.LastIndexByte(rest[:end], '@'); i >= 0 {
		return scheme + "//…" + rest[i:]
	}
	return s
}
