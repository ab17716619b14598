package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcpgateway/caddy-mcp-gateway/internal/catalog"
	"github.com/mcpgateway/caddy-mcp-gateway/internal/oauth"
	"github.com/mcpgateway/caddy-mcp-gateway/policy"
)

// maxQuestion bounds a question to the policy, in bytes: it can hold the arguments of a call.
const maxQuestion = policy.MaxArgs + 64<<10

// explainPolicy says what somebody may do, and why, by the policy that is in force: the same as `caddy mcp policy explain`. Its body
// is a question as in a file of cases; in place of `as` it can have `grant`, the id of a live grant, and then the server is that of the
// grant if it names none.
func explainPolicy(app *App, r *http.Request) (any, error) {
	question, err := readQuestion(app, r)
	if err != nil {
		return nil, err
	}
	if names := app.serverNames(); !slices.Contains(names, question.Server) {
		return nil, badRequest(fmt.Errorf("there is no server named %s%s", question.Server, didYouMean(question.Server, names)))
	}
	if question.Now.IsZero() {
		question.Now = app.now()
	}
	if !question.Tool.Known {
		question.Tool = app.annotationsOf(question)
	}
	return app.currentPolicy().Explain(question), nil
}

// annotationsOf returns what the server that a question is about was seen to say of the tool, if its word is trusted.
func (app *App) annotationsOf(q *policy.Question) policy.Annotations {
	if q.Kind != policy.Tool || slices.Contains(app.sites.untrusted, q.Server) {
		return policy.Annotations{}
	}
	tool := app.shared.catalog.Shelf(catalog.Key{Server: q.Server}).Tool(q.Name)
	if tool == nil {
		return policy.Annotations{}
	}
	return tool.Annotations
}

// readQuestion reads the body of a question.
func readQuestion(app *App, r *http.Request) (*policy.Question, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxQuestion+1))
	if err != nil {
		return nil, badRequest(err)
	}
	if len(body) > maxQuestion {
		return nil, caddy.APIError{HTTPStatus: http.StatusRequestEntityTooLarge, Err: fmt.Errorf("a question has at most %d bytes", maxQuestion)}
	}
	var parts map[string]jsontext.Value
	if err := jsonv2.Unmarshal(body, &parts); err != nil || parts == nil {
		return nil, badRequest(errors.New("the body has to be a JSON object"))
	}
	question := new(policy.Question)
	raw, asked := parts["grant"]
	if !asked {
		if err := question.UnmarshalJSON(body); err != nil {
			return nil, badRequest(err)
		}
		return question, nil
	}
	var grant string
	if err := jsonv2.Unmarshal(raw, &grant); err != nil || grant == "" || parts["as"] != nil {
		return nil, badRequest(errors.New("grant is the id of a grant, in place of as"))
	}
	subject, url, err := app.oauth.GrantSubject(r.Context(), grant)
	if err != nil {
		return nil, asNotFound(err)
	}
	resources := app.resources()
	here := slices.IndexFunc(resources, func(resource oauth.Resource) bool { return resource.URL == url })
	if here >= 0 && parts["server"] == nil {
		parts["server"] = jsontext.Value(strconv.Quote(resources[here].Server))
	}
	delete(parts, "grant")
	if body, err = jsonv2.Marshal(parts); err != nil {
		return nil, err
	}
	if err := question.UnmarshalJSON(body); err != nil {
		return nil, badRequest(err)
	}
	question.Subject = *subject
	return question, nil
}

// badRequest answers 400.
func badRequest(err error) error { return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err} }
