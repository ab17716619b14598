package oauth

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// deadlines is a connection that keeps the read deadlines it is given.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.set = append(d.set, t)
	return nil
}

// A body has to arrive in time, also one that is refused unread; once it is there, the connection is free of the deadline.
func TestBodiesHaveADeadline(t *testing.T) {
	f := newFixture(t, nil)
	for name, tc := range map[string]struct {
		path, kind string
		body       *strings.Reader
		freed      bool
	}{
		"a token request":        {"/token", "application/x-www-form-urlencoded", strings.NewReader("grant_type=x"), true},
		"a registration":         {"/register", "application/json", strings.NewReader("{}"), true},
		"a form of ours":         {"/consent", "application/x-www-form-urlencoded", strings.NewReader("tx=x"), true},
		"a body of another kind": {"/token", "text/plain", strings.NewReader("x"), false},
		"one that nobody reads":  {"/elsewhere", "text/plain", strings.NewReader("x"), false},
		"one that is too long":   {"/token", "application/x-www-form-urlencoded", strings.NewReader(strings.Repeat("x", maxFormBytes+2)), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, testIssuer+tc.path, tc.body)
			r.ContentLength = -1
			r.Header.Set("Content-Type", tc.kind)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Origin", testIssuer)
			w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
			f.server.ServeHTTP(w, r)
			if len(w.set) == 0 || time.Until(w.set[0]) > defaultBodyWait || time.Until(w.set[0]) < defaultBodyWait/2 {
				t.Fatalf("the deadlines are %v", w.set)
			}
			if last := w.set[len(w.set)-1]; last.IsZero() != tc.freed {
				t.Errorf("the last deadline is %v", last)
			}
		})
	}
}

// A body that does not arrive in time is an error of the client's.
func TestABodyThatIsLate(t *testing.T) {
	f := newFixture(t, nil)
	r := httptest.NewRequest(http.MethodPost, testIssuer+"/token", iotest.ErrReader(os.ErrDeadlineExceeded))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	f.server.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || len(w.set) != 1 {
		t.Errorf("answered %d with the deadlines %v", w.Code, w.set)
	}
}

// On a real connection, half a body is answered when its time is over, and nothing hangs.
func TestHalfABodyOnAConnection(t *testing.T) {
	f := newFixture(t, nil)
	f.server.bodyWait = 10 * time.Millisecond
	srv := httptest.NewServer(f.server)
	defer srv.Close()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const half = "POST /token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant_type="
	if _, err := conn.Write([]byte(half)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("got %s", res.Status)
	}
}
