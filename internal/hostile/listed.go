package hostile

// Entry is what a reader finds in a list: the name that policies know it by.
type Entry struct{ List, Name string }

// identities are the members by which the entries of each list are named.
var identities = map[string]string{"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}

// Listed returns the entries that some reader finds in a message, whatever it answers: in a result, in params, and
// wherever there are objects in an error.
func Listed(msg []byte) (found []Entry) {
	for _, m := range flat(readAll(string(msg), false), nil) {
		for _, r := range readers {
			for _, in := range append(objects(r.get(m, "error"), nil), r.get(m, "result"), r.get(m, "params")) {
				for list, id := range identities {
					for _, e := range asList(r.get(in, list)) {
						if name, is := r.get(e, id).(string); is {
							found = append(found, Entry{list, r.text(name)})
						} else {
							found = append(found, Entry{list, ""})
						}
					}
				}
			}
		}
	}
	return found
}

// objects lists the objects in a value, at whatever depth.
func objects(v any, to []any) []any {
	switch v := v.(type) {
	case object:
		to = append(to, v)
		for _, m := range v {
			to = objects(m.value, to)
		}
	case []any:
		for _, inner := range v {
			to = objects(inner, to)
		}
	}
	return to
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}
