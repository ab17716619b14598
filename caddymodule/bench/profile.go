package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profile sends a case's request through one arm while Caddy takes a CPU profile of itself, and keeps that in a file of the
// directory.
func (s *site) profile(ctx context.Context, a arm, c benchCase, connections int, length time.Duration, directory string) error {
	seconds := max(1, int(length.Seconds()))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.admin, seconds), nil)
	if err != nil {
		return err
	}
	loaded := make(chan error, 1)
	go func() {
		_, err := measure(ctx, s, a, c, connections, time.Duration(seconds)*time.Second)
		loaded <- err
	}()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	name := strings.NewReplacer("/", "-", " ", "-", ",", "").Replace(c.name + " " + a.name)
	file, err := os.Create(filepath.Join(directory, name+".pprof"))
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(file, response.Body); err != nil {
		return err
	}
	return <-loaded
}
