package jsonrpc

// params reads the params of a request or a notification.
func (p *parser) params(m *Message) error {
	if p.dec.PeekKind() == 'n' {
		return p.null()
	}
	if p.dec.PeekKind() != '{' {
		p.refuse("params is not an object")
	}
	return p.object("params", paramNames, &p.wrong, &m.Params.Raw, func(name []byte) (bool, error) {
		switch string(name) {
		case "name":
			return true, p.textMember("params.name", &p.wrong, &m.Params.Name)
		case "arguments":
			if p.dec.PeekKind() == 'n' {
				return true, p.null()
			}
			return true, p.objectMember("params.arguments", &m.Params.Arguments)
		case "_meta":
			return true, p.meta(m, &m.Params.Meta, &m.Params.ProtocolVersion)
		case "uri":
			return true, p.textMember("params.uri", &p.wrong, &m.Params.URI)
		case "cursor":
			if p.dec.PeekKind() == 'n' {
				return true, p.null()
			}
			return true, p.textMember("params.cursor", &p.wrong, &m.Params.Cursor)
		case "taskId":
			return true, p.textMember("params.taskId", &p.wrong, &m.Params.TaskID)
		case "requestState":
			return true, p.textMember("params.requestState", &p.wrong, &m.Params.RequestState)
		case "task":
			return true, p.objectMember("params.task", &m.Params.Task)
		case "protocolVersion":
			return true, p.textMember("params.protocolVersion", &p.wrong, &p.version)
		case "ref":
			return true, p.ref(&m.Params)
		case "notifications":
			return true, p.watched(&m.Params)
		}
		return false, nil
	})
}

// result reads the result of an answer, of which only what names tasks matters.
func (p *parser) result(m *Message) error {
	if p.dec.PeekKind() != '{' {
		p.refuse("result is not an object")
	}
	return p.object("result", resultNames, &p.refusal, nil, func(name []byte) (bool, error) {
		switch string(name) {
		case "_meta":
			return true, p.meta(m, nil, nil)
		case "taskId":
			return true, p.ownTask(m)
		case "task":
			return true, p.ownTaskOf(m)
		case "tasks":
			return true, p.ownTasks(m)
		}
		return false, nil
	})
}

// ownTask reads the id of a task that the client runs.
func (p *parser) ownTask(m *Message) error {
	var t Text
	if err := p.textMember("the id of a task", &p.refusal, &t); err != nil {
		return err
	}
	m.OwnTasks = append(m.OwnTasks, t)
	return nil
}

// ownTaskOf reads an object that describes such a task.
func (p *parser) ownTaskOf(m *Message) error {
	return p.object("a task", taskNames, &p.refusal, nil, func(name []byte) (bool, error) {
		if string(name) != "taskId" {
			return false, nil
		}
		return true, p.ownTask(m)
	})
}

// ownTasks reads a list of them.
func (p *parser) ownTasks(m *Message) error {
	if p.dec.PeekKind() != '[' {
		p.refuse("tasks is not an array")
		_, err := p.value()
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return syntaxError(p.body, err)
	}
	for p.dec.PeekKind() != ']' {
		if err := p.ownTaskOf(m); err != nil {
			return err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return syntaxError(p.body, err)
	}
	return nil
}

// meta reads the _meta of params or of a result. It means the same in every
// method, so it is read strictly in every method.
func (p *parser) meta(m *Message, to *[]byte, version *Text) error {
	if p.dec.PeekKind() == 'n' {
		return p.null()
	}
	return p.object("_meta", metaNames, &p.refusal, to, func(name []byte) (bool, error) {
		switch string(name) {
		case metaProtocolVersion:
			if version == nil {
				return false, nil
			}
			return true, p.textMember("the protocol version in _meta", &p.refusal, version)
		case metaRelatedTask:
			return true, p.object("the related task in _meta", taskNames, &p.refusal, nil, func(name []byte) (bool, error) {
				if string(name) != "taskId" {
					return false, nil
				}
				return true, p.textMember("the related task in _meta", &p.refusal, &m.RelatedTask)
			})
		}
		return false, nil
	})
}

// ref reads the reference of completion/complete.
func (p *parser) ref(to *Params) error {
	return p.object("params.ref", refNames, &p.wrong, &to.Ref, func(name []byte) (bool, error) {
		switch string(name) {
		case "type":
			return true, p.textMember("params.ref.type", &p.wrong, &to.RefType)
		case "name":
			return true, p.textMember("params.ref.name", &p.wrong, &to.RefName)
		case "uri":
			return true, p.textMember("params.ref.uri", &p.wrong, &to.RefURI)
		}
		return false, nil
	})
}

// watched reads what subscriptions/listen asks to watch.
func (p *parser) watched(to *Params) error {
	return p.object("params.notifications", listenNames, &p.wrong, nil, func(name []byte) (bool, error) {
		switch string(name) {
		case "resourceSubscriptions":
			return true, p.textList("params.notifications.resourceSubscriptions", &to.Subscriptions)
		case "taskIds":
			return true, p.textList("params.notifications.taskIds", &to.WatchedTasks)
		case "toolsListChanged":
			return true, p.flag("params.notifications.toolsListChanged", &to.ToolsChanged)
		case "promptsListChanged":
			return true, p.flag("params.notifications.promptsListChanged", &to.PromptsChanged)
		case "resourcesListChanged":
			return true, p.flag("params.notifications.resourcesListChanged", &to.ResourcesChanged)
		}
		return false, nil
	})
}

// flag reads a member that has to be true or false.
func (p *parser) flag(where string, to *bool) error {
	raw, err := p.value()
	if err != nil {
		return err
	}
	switch *to = string(raw) == "true"; raw[0] {
	case 't', 'f', 'n':
	default:
		note(&p.wrong, where+" is neither true nor false")
	}
	return nil
}

// object reads an object, whose bytes go to raw unless that is nil. member is
// called with the name of each member and says whether it has read the value; a
// member it doesn't read must not be another spelling of one of names. What is
// wrong is noted in fault; where names the object in it.
func (p *parser) object(where string, names *Names, fault *string, raw *[]byte, member func(name []byte) (bool, error)) error {
	if p.dec.PeekKind() != '{' {
		note(fault, where+" is not an object")
		_, err := p.value()
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return syntaxError(p.body, err)
	}
	begin := int(p.dec.InputOffset()) - 1
	for {
		name, done, err := p.next()
		if err != nil {
			return err
		}
		if done {
			if raw != nil {
				end := int(p.dec.InputOffset())
				*raw = p.body[begin:end:end]
			}
			return nil
		}
		read, err := member(name)
		if err == nil && !read {
			if _, variant := names.Match(name); variant {
				note(fault, where+" member "+quoteName(name)+" is another spelling of a known one")
			}
			_, err = p.value()
		}
		if err != nil {
			return err
		}
	}
}

// null reads null where a member may be left out. Clients in use write it for none:
// every reader takes it for that, or refuses it.
func (p *parser) null() error {
	_, err := p.value()
	return err
}

// textMember reads a member that has to be a string.
func (p *parser) textMember(where string, fault *string, to *Text) error {
	raw, err := p.value()
	if err != nil {
		return err
	}
	t, ok := p.text(raw)
	if !ok {
		note(fault, where+" is not a string without control characters")
	}
	*to = t
	return nil
}

// objectMember reads a member of params that has to be an object.
func (p *parser) objectMember(where string, to *[]byte) error {
	raw, err := p.value()
	if err != nil {
		return err
	}
	if raw[0] != '{' {
		note(&p.wrong, where+" is not an object")
		return nil
	}
	*to = raw
	return nil
}

// textList reads a member of params that has to be an array of strings.
func (p *parser) textList(where string, to *[]Text) error {
	if p.dec.PeekKind() != '[' {
		note(&p.wrong, where+" is not an array")
		_, err := p.value()
		return err
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return syntaxError(p.body, err)
	}
	for p.dec.PeekKind() != ']' {
		var t Text
		if err := p.textMember(where, &p.wrong, &t); err != nil {
			return err
		}
		*to = append(*to, t)
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return syntaxError(p.body, err)
	}
	return nil
}
