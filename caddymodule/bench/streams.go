package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// streamCount is how many streams are watched at once.
const streamCount = 1000

var streamsName = fmt.Sprintf("%d watched streams", streamCount)

// memory is what Caddy says of its own.
type memory struct {
	Allocated uint64 `json:"TotalAlloc"` // bytes, ever
	Heap      uint64 `json:"HeapAlloc"`  // bytes in use; what is garbage counts until it is collected
	Stacks    uint64 `json:"StackInuse"` // bytes
}

// memory asks Caddy for it. It is zero if there is no answer.
func (s *site) memory(ctx context.Context) memory {
	var vars struct {
		Memory memory `json:"memstats"`
	}
	if body, err := s.debug(ctx, "vars"); err == nil {
		_ = json.Unmarshal(body, &vars)
	}
	return vars.Memory
}

// collected has Caddy collect its garbage, and then asks for its memory.
func (s *site) collected(ctx context.Context) (memory, error) {
	for range 2 { // what is pooled is let go of at the second
		if _, err := s.debug(ctx, "pprof/heap?gc=1"); err != nil {
			return memory{}, err
		}
	}
	return s.memory(ctx), nil
}

// debug asks Caddy's admin API.
func (s *site) debug(ctx context.Context, what string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/debug/"+what, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// watch opens streams, of which each sends one event, and returns what Caddy keeps in memory for one that is only
// watched from then on, in bytes.
func (s *site) watch(ctx context.Context, a arm) (each float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	before, err := s.collected(ctx)
	if err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(a.address)
	if err != nil {
		return 0, err
	}
	request := "GET " + a.path + " HTTP/1.1\r\nHost: localhost:" + port + "\r\nAccept: text/event-stream\r\nMcp-Protocol-Version: 2025-06-18\r\n"
	if a.token != "" {
		request += "Authorization: Bearer " + a.token + "\r\n"
	}
	for range streamCount {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", a.address)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		deadline, _ := ctx.Deadline()
		if err := conn.SetDeadline(deadline); err != nil {
			return 0, err
		}
		if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
			return 0, err
		}
		if err := untilEvent(conn); err != nil {
			return 0, err
		}
	}
	after, err := s.collected(ctx)
	return (float64(after.Heap+after.Stacks) - float64(before.Heap+before.Stacks)) / streamCount, err
}

// untilEvent reads an answer up to the end of its first event.
func untilEvent(from io.Reader) error {
	var text strings.Builder
	b := make([]byte, 4<<10)
	for !strings.Contains(text.String(), "}\n\n") {
		n, err := from.Read(b)
		if err != nil {
			return fmt.Errorf("after %.300q: %w", text.String(), err)
		}
		text.Write(b[:n])
	}
	if !strings.HasPrefix(text.String(), "HTTP/1.1 200 ") {
		return fmt.Errorf("answered %.300q", text.String())
	}
	return nil
}

// streams measures what watched streams cost, and prints a table.
func (s *site) streams(ctx context.Context, out io.Writer, rounds int) error {
	costs := make([][]sample, len(s.arms))
	for range rounds {
		for i, a := range s.arms {
			if !a.proxied {
				continue
			}
			each, err := s.watch(ctx, a)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", streamsName, a.name, err)
			}
			costs[i] = append(costs[i], sample{allocated: each})
		}
	}
	reportStreams(out, s.arms, costs)
	return nil
}
