package caddystore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// settle makes the last change of key survive a loss of power, where that is ours to do.
//
// certmagic.FileStorage (v0.25.6) writes a temporary file, syncs it and renames it over the old one. A crash
// of the process therefore leaves the old value or the new one, whole, and at worst a temporary file. What it
// does not sync is the folder: after a loss of power the name may still lead to the old value, or a deleted
// one may be back, and with it a code that was used or a grant that was revoked. So the folder is synced
// here. Other storages are databases whose Store and Delete are durable when they return, and on Windows
// folders can't be synced.
func (s *Store) settle(key string) error {
	if s.files == nil || runtime.GOOS == "windows" {
		return nil
	}
	folder := filepath.Dir(s.files.Filename(key))
	if err := syncFolder(folder); err != nil {
		return err
	}
	// A folder that was made for this record has to be durable itself; once it is, it stays so.
	root := filepath.Clean(s.files.Path)
	for ; folder != root && folder != filepath.Dir(folder); folder = filepath.Dir(folder) {
		if _, done := s.settled.Load(folder); done {
			return nil
		}
		if err := syncFolder(filepath.Dir(folder)); err != nil {
			return err
		}
		s.settled.Store(folder, nil)
	}
	return nil
}

// syncFolder syncs a folder. That it isn't there, that it may not be opened, or that its file system can't
// sync folders, is no error.
func syncFolder(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		return nil
	}
	return err
}
