package audit

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
