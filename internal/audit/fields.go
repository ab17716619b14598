package audit

import "go.uber.org/zap/zapcore"

// Fields returns what Log writes of a record, by name: texts, numbers, durations and lists of texts, bounded and without what secrets are
// put in.
func Fields(r *Record) map[string]any {
	e := zapcore.NewMapObjectEncoder()
	// It fails if an array can't be encoded; those of texts can.
	_ = (*fields)(r).MarshalLogObject(e)
	return e.Fields
}

// Target returns what a record's Name is in the log: without what secrets are put in.
func Target(r *Record) string {
	switch r.Kind {
	case "resource", "template":
		return cut(bareURI(r.Name))
	}
	return cut(r.Name)
}
