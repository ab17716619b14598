package peers

import (
	"bufio"
	"os"
	"path/filepath"
	"syscall"
)

// Desktop stands in for the desktop that a program asks to open a web page: instead of a window, the address comes out of
// URLs. Programs find it by PATH and BROWSER.
type Desktop struct {
	URLs <-chan string

	dir  string
	pipe *os.File
}

// NewDesktop makes a desktop whose files lie in a directory of its own. Close it when its programs have ended.
func NewDesktop(dir string) (*Desktop, error) {
	fifo := filepath.Join(dir, "opened")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		return nil, err
	}
	script := "#!/bin/sh\nprintf '%s\\n' \"$1\" >'" + fifo + "'\n"
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		return nil, err
	}
	// Opened for both ways, so that reading goes on when one program has closed its end.
	pipe, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	urls := make(chan string, 16)
	go func() {
		defer close(urls)
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			urls <- lines.Text()
		}
	}()
	return &Desktop{URLs: urls, dir: dir, pipe: pipe}, nil
}

// Env is this process' environment with the desktop in it.
func (d *Desktop) Env() []string {
	return append(os.Environ(),
		"PATH="+d.dir+string(os.PathListSeparator)+os.Getenv("PATH"),
		"BROWSER="+filepath.Join(d.dir, "xdg-open"))
}

// Close ends URLs.
func (d *Desktop) Close() error { return d.pipe.Close() }
