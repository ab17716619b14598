package upstream

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestStaticSetsItsFields(t *testing.T) {
	s, err := NewStatic(Header{"authorization", "Bearer secret"}, Header{"X_Api-Key", "a\tb"})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{
		"Authorization": {"the agent's", "twice"}, "authorization": {"x"},
		"X-Api-Key": {"x"}, "X_api-Key": {"x"}, "X_api_key": {"x"}, "X.api.key": {"x"},
		"Accept": {"*/*"},
	}
	for range 2 {
		if err := s.Apply(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		want := http.Header{"Authorization": {"Bearer secret"}, "X_api-Key": {"a\tb"}, "Accept": {"*/*"}}
		if !maps.EqualFunc(h, want, slices.Equal) {
			t.Fatalf("left\n%v, want\n%v", h, want)
		}
	}
	h.Add("Authorization", "more")
	h["Authorization"][0] = "changed"
	fresh := http.Header{}
	if err := s.Apply(t.Context(), fresh); err != nil || fresh.Get("Authorization") != "Bearer secret" {
		t.Errorf("a request changed the credentials: %v, %v", fresh, err)
	}
}

func TestStaticRefuses(t *testing.T) {
	const value Secret = "s3cr3t"
	for name, c := range map[string]struct {
		headers []Header
		want    string
	}{
		"nothing":                  {nil, "no header field"},
		"no name":                  {[]Header{{"", value}}, "not the name"},
		"a name with a space":      {[]Header{{"X Key", value}}, "not the name"},
		"a name with a colon":      {[]Header{{"Authorization:", value}}, "not the name"},
		"a name with a line break": {[]Header{{"X\r\nY", value}}, "not the name"},
		"a name of other letters":  {[]Header{{"Authörization", value}}, "not the name"},
		"no value":                 {[]Header{{"Authorization", ""}}, "no value"},
		"a line break within":      {[]Header{{"Authorization", value + "\r\nX-Evil: 1"}}, "line break"},
		"a line break at the end":  {[]Header{{"Authorization", value + "\n"}}, "end of the file"},
		"a space at the end":       {[]Header{{"Authorization", value + " "}}, "begins or ends"},
		"a NUL":                    {[]Header{{"Authorization", value + "\x00"}}, "can't be sent"},
		"DEL":                      {[]Header{{"Authorization", value + "\x7f"}}, "can't be sent"},
		"other than ASCII":         {[]Header{{"Authorization", "“" + value + "”"}}, "can't be sent"},
		"bytes that are no text":   {[]Header{{"Authorization", value + "\xff"}}, "can't be sent"},
		"too long":                 {[]Header{{"Authorization", Secret(strings.Repeat("s3cr3t", maxSecret))}}, "at most"},
		"twice":                    {[]Header{{"X-Key", value}, {"x-key", value}}, "twice"},
		"twice to CGI":             {[]Header{{"X-Key", value}, {"X_Key", value}}, "twice"},
		"Host":                     {[]Header{{"host", value}}, "header_up Host"},
		"the protocol's":           {[]Header{{"Mcp-Session-Id", value}}, "no credential"},
		"an argument's":            {[]Header{{"mcp-param-x", value}}, "no credential"},
		"the body's length":        {[]Header{{"Content-Length", "1"}}, "no credential"},
		"the coding's":             {[]Header{{"accept-encoding", "gzip"}}, "no credential"},
		"of one hop":               {[]Header{{"Connection", "close"}}, "no credential"},
		"one a proxy takes off":    {[]Header{{"Proxy-Authorization", value}}, "no credential"},
		"a condition":              {[]Header{{"If-None-Match", "*"}}, "no credential"},
	} {
		s, err := NewStatic(c.headers...)
		if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error that says %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), string(value)) {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	const value = "s3cr3t"
	header := Header{"X-Key", value}
	s, err := NewStatic(header)
	if err != nil {
		t.Fatal(err)
	}
	holder := struct{ Credentials Credentials }{s}
	closed := struct {
		static  Static
		pointer *Static
		any     Credentials
	}{*s, s, s}
	var out strings.Builder
	logger := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&out), zapcore.DebugLevel))
	structured := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{
		Secret(value), header, &header, []Header{header}, map[string]Secret{"k": value}, s, *s,
		holder, &holder, closed, &closed, errors.Join(fmt.Errorf("%v", header)),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		for _, encode := range []func(any) ([]byte, error){json.Marshal, xml.Marshal} {
			data, err := encode(v)
			out.Write(data)
			fmt.Fprint(&out, err)
		}
		logger.Info("m", zap.Any("v", v), zap.Reflect("r", v))
		structured.Info("m", "v", v)
	}
	for _, shown := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), "[115 51"} {
		if strings.Contains(out.String(), shown) {
			i := strings.Index(out.String(), shown)
			t.Errorf("%s is shown: …%s", shown, out.String()[max(0, i-100):i+len(shown)])
		}
	}
	if !strings.Contains(fmt.Sprint(s), "X-Key") {
		t.Errorf("%v does not say which fields it sets", s)
	}
}
