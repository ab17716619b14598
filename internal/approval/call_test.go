package approval

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

func TestArgumentsHaveOneForm(t *testing.T) {
	for in, want := range map[string]string{
		``:                                       `{}`,
		` { } `:                                  `{}`,
		`{"b":1,"a":[1, 2,{"d":null,"c":true}]}`: `{"a":[1,2,{"c":true,"d":null}],"b":1}`,
		`{"n":9007199254740993}`:                 `{"n":9007199254740993}`,
		`{"n":1.0}`:                              `{"n":1.0}`,
		`{"\u0061":"\u00e4\/"}`:                  `{"a":"ä/"}`,
	} {
		args := []byte(in)
		if in == "" {
			args = nil
		}
		if got, err := canonical(args); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{`[]`, `1`, `{"a":1,"a":2}`, `{"a":1}{"a":1}`, `{`, " ", strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200)} {
		if got, err := canonical([]byte(in)); err == nil {
			t.Errorf("%.40s: %.40s", in, got)
		}
	}
}

func TestWhatIsShownHidesNothing(t *testing.T) {
	text, err := shown([]byte("{\"path\":\"/tmp/\u202Egpj.exe\u200b\U000E0041ä\"}"))
	if want := "{\n  \"path\": \"/tmp/\\u202egpj.exe\\u200b\\udb40\\udc41ä\"\n}"; text != want || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	for n, want := range map[int]error{maxShown - len("{\n  \"a\": \"\"\n}"): nil, maxShown: ErrTooLong} {
		args := []byte(`{"a":"` + strings.Repeat("x", n) + `"}`)
		if text, err := shown(args); !errors.Is(err, want) || (err == nil) != (strings.Count(text, "x") == n) {
			t.Errorf("of %d bytes %d are shown, %v", n, len(text), err)
		}
	}
}

// FuzzArguments compares and shows any arguments.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{`{}`, `{"b":[1,2.50,"x"],"a":{"c":null}}`, `{"\u202e":"\ud83d\ude00"}`, `{"a":1e400}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, args []byte) {
		text, _ := shown(args)
		for _, r := range text {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%q shows %q", args, r)
			}
		}
		form, err := canonical(args)
		if err != nil || args == nil {
			return
		}
		if again, err := canonical(form); err != nil || !bytes.Equal(again, form) {
			t.Fatalf("%s: %s, %v", form, again, err)
		}
		if a, b := decode(t, args), decode(t, form); !reflect.DeepEqual(a, b) {
			t.Fatalf("%s is not %s", form, args)
		}
	})
}

// decode reads JSON with its numbers as they are written.
func decode(t *testing.T, text []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
