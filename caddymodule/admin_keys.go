package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// adminKey is a key of access tokens, as the admin API shows it.
type adminKey struct {
	ID    string    `json:"kid"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until,omitzero"`
}

// maxAdminBody bounds the bodies that the admin API takes, in bytes.
const maxAdminBody = 4 << 10

// rotateKeys begins the use of a new key, and answers with the keys as they are then. Its body may say that the old ones are compromised.
func rotateKeys(app *App, r *http.Request) (any, error) {
	var ask struct {
		Compromised bool `json:"compromised"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxAdminBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&ask); err != nil && !errors.Is(err, io.EOF) {
		return nil, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New(`the body can be empty or {"compromised":true}`)}
	}
	keys, err := app.oauth.RotateKeys(r.Context(), ask.Compromised)
	if err != nil {
		return nil, err
	}
	answer := make([]adminKey, len(keys))
	for i, key := range keys {
		answer[i] = adminKey(key)
	}
	return answer, nil
}
