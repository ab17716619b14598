package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestExchangeReadsBothFramings(t *testing.T) {
	for name, answer := range map[string]string{
		"length": "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
		"chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			go func() { _, _ = io.Copy(io.Discard, far) }()
			// Two answers on end: nothing of the first may be left over.
			c := &client{conn: near, reader: bufio.NewReader(strings.NewReader(answer + answer)), request: []byte("x")}
			for range 2 {
				var body bytes.Buffer
				if err := c.exchange(&body); err != nil || body.String() != "hello" {
					t.Fatalf("read %q, %v", body.String(), err)
				}
			}
		})
	}
}

func TestExchangeRefusesAnythingButOK(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	go func() { _, _ = io.Copy(io.Discard, far) }()
	c := &client{conn: near, reader: bufio.NewReader(strings.NewReader("HTTP/1.1 401 Unauthorized\r\n\r\n")), request: []byte("x")}
	if err := c.exchange(io.Discard); err == nil {
		t.Error("a 401 was counted")
	}
}

func TestReportTakesRatiosWithinARound(t *testing.T) {
	arms := []arm{{name: "direct"}, {name: "reverse_proxy"}, {name: "gateway"}}
	at := func(rate float64) sample {
		return sample{perSecond: rate, p50: time.Millisecond, p99: 2 * time.Millisecond}
	}
	results := [][]sample{
		{at(400), at(100), at(400)},
		{at(200), at(50), at(200)}, // the machine was slow in the second round
		{at(180), at(45), at(180)},
	}
	var out strings.Builder
	report(&out, benchCase{name: "case"}, arms, results)
	for _, line := range strings.Split(out.String(), "\n") {
		if strings.Contains(line, "gateway") && !strings.Contains(line, "0.90") {
			t.Errorf("want a ratio of 0.90: %s", line)
		}
		if strings.Contains(line, "direct") && !strings.Contains(line, "2.00") {
			t.Errorf("want a ratio of 2.00: %s", line)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		rounds := make([]sample, len(c.values))
		for i, v := range c.values {
			rounds[i].perSecond = v
		}
		if got := median(rounds, func(_ int, s sample) float64 { return s.perSecond }); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
}
