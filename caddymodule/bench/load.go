package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sample is what one arm did in one round.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of Caddy, a request; 0 where it is not known
	allocated float64       // by Caddy, bytes a request; 0 where it is not known
}

// measure sends a case's request over and over on every connection for a while.
func measure(ctx context.Context, s *site, a arm, c benchCase, connections int, length time.Duration) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, length+30*time.Second)
	defer cancel()
	clients := make([]*client, connections)
	for i := range clients {
		one, err := dial(ctx, s, a, c)
		if err != nil {
			return sample{}, err
		}
		defer one.close()
		// The first answer on each connection is looked at; of the others, the status.
		if err := one.check(a, c); err != nil {
			return sample{}, err
		}
		clients[i] = one
	}
	var (
		wait   sync.WaitGroup
		errs   = make([]error, connections)
		memory = s.memory(ctx)
		before = processTime(s.caddyPID)
		begin  = time.Now()
	)
	for i, one := range clients {
		wait.Go(func() { errs[i] = one.send(begin.Add(length)) })
	}
	wait.Wait()
	took, cpu := time.Since(begin), processTime(s.caddyPID)-before
	if err := errors.Join(errs...); err != nil {
		return sample{}, err
	}
	var all []time.Duration
	for _, one := range clients {
		all = append(all, one.latencies...)
	}
	slices.Sort(all)
	result := sample{perSecond: float64(len(all)) / took.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100]}
	if a.proxied {
		result.cpu = cpu / time.Duration(len(all))
		result.allocated = float64(s.memory(ctx).Allocated-memory.Allocated) / float64(len(all))
	}
	return result, nil
}

// client is one HTTP/1.1 connection that sends the same request again and again. It is written by hand so that the load
// generator, which shares the machine, takes little of it.
type client struct {
	conn      net.Conn
	reader    *bufio.Reader
	request   []byte
	latencies []time.Duration
}

func dial(ctx context.Context, s *site, a arm, c benchCase) (*client, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", a.address)
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(a.address)
	if err != nil {
		return nil, err
	}
	var request bytes.Buffer
	fmt.Fprintf(&request, "POST %s HTTP/1.1\r\nHost: localhost:%s\r\nContent-Type: application/json\r\n"+
		"Accept: application/json, text/event-stream\r\nMcp-Protocol-Version: 2025-06-18\r\nContent-Length: %d\r\n", a.path, port, len(c.body))
	if a.token != "" {
		fmt.Fprintf(&request, "Authorization: Bearer %s\r\n", a.token)
	}
	request.WriteString("\r\n" + c.body)
	return &client{
		conn: conn, reader: bufio.NewReaderSize(conn, 64<<10), request: request.Bytes(),
		latencies: make([]time.Duration, 0, 1<<16),
	}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// check sends one request and looks at what comes back: the right answer, and through the gateway a filtered one.
func (c *client) check(a arm, of benchCase) error {
	var body bytes.Buffer
	if err := c.exchange(&body); err != nil {
		return err
	}
	if !bytes.Contains(body.Bytes(), []byte(of.want)) {
		return fmt.Errorf("answered %.300q, without %q", body.Bytes(), of.want)
	}
	if of.hidden != "" && bytes.Contains(body.Bytes(), []byte(of.hidden)) == (a.token != "") {
		return fmt.Errorf("%q is in the answer only where nothing guards it: got it wrong", of.hidden)
	}
	return nil
}

// send goes on until the deadline.
func (c *client) send(until time.Time) error {
	for start := time.Now(); start.Before(until); {
		if err := c.exchange(io.Discard); err != nil {
			return err
		}
		now := time.Now()
		c.latencies = append(c.latencies, now.Sub(start))
		start = now
	}
	return nil
}

// exchange sends the request and copies the body of its answer, which must be a 200.
func (c *client) exchange(body io.Writer) error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	status, err := c.line()
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answered %s", status)
	}
	length := int64(-1)
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.ParseInt(strings.TrimSpace(string(value)), 10, 64); err != nil {
				return err
			}
		}
	}
	if length >= 0 {
		_, err := io.CopyN(body, c.reader, length)
		return err
	}
	return c.chunks(body)
}

// chunks copies a chunked body (RFC 9112, section 7.1).
func (c *client) chunks(body io.Writer) error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(line), 16, 64)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(body, c.reader, size); err != nil {
			return err
		}
		if _, err := c.line(); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// line reads one line without its end. It is valid until the next read.
func (c *client) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}
