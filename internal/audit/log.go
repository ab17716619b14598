package audit

import "go.uber.org/zap"

// Log returns a sink that writes one entry per record to logger.
func Log(logger *zap.Logger) Sink { return logSink{logger} }

type logSink struct{ logger *zap.Logger }

// Record implements Sink.
func (s logSink) Record(r *Record) { s.logger.Info("decision", zap.String("event", r.Event)) }

// Multi returns a sink that hands every record to all of sinks, in order. Nil ones are left out.
func Multi(sinks ...Sink) Sink {
	var m multi
	for _, s := range sinks {
		if s != nil {
			m = append(m, s)
		}
	}
	return m
}

type multi []Sink

// Record implements Sink.
func (m multi) Record(r *Record) {
	for _, s := range m {
		s.Record(r)
	}
}
