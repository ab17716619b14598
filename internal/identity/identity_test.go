package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"
)

func TestErrorsAreOfOneKindEach(t *testing.T) {
	kinds := []error{ErrDenied, ErrUnavailable, ErrEnded, ErrCallback, ErrCredentials, ErrRateLimited}
	for _, c := range []struct{ err, kind error }{
		{&Denied{Reason: "no organization"}, ErrDenied},
		{&Unavailable{}, ErrUnavailable},
		{&Unavailable{RetryAfter: time.Minute, Err: io.ErrUnexpectedEOF}, ErrUnavailable},
		{&Unavailable{Err: errors.New("status 500")}, ErrUnavailable},
		{&RateLimited{RetryAfter: time.Second}, ErrRateLimited},
	} {
		if c.err.Error() == "" {
			t.Errorf("%T says nothing", c.err)
		}
		for _, kind := range kinds {
			if got := errors.Is(fmt.Errorf("wrapped: %w", c.err), kind); got != (kind == c.kind) {
				t.Errorf("%v is %v: %v", c.err, kind, got)
			}
		}
	}
	if !errors.Is(&Unavailable{Err: io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}

func TestPersonSurvivesBeingStored(t *testing.T) {
	want := Person{
		Provider: "p", ID: "i", Email: "e", Name: "n", Org: "o", OrgName: "on", Roles: []string{"r"}, Permissions: []string{"p"},
		Groups: []string{"g"}, Claims: map[string]any{"c": []any{"x", 1.5, true, nil}}, Impersonator: "im", SessionID: "si", Session: []byte{0, 255},
	}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Person
	if err := json.Unmarshal(data, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for field := range reflect.ValueOf(want).NumField() {
		if reflect.ValueOf(want).Field(field).IsZero() {
			t.Errorf("field %s is not tried", reflect.TypeFor[Person]().Field(field).Name)
		}
	}
}
