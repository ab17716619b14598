//go:build !unix

package workos

// lock does nothing where there is no flock: there, each process needs a directory of its own.
func lock(string) (unlock func(), err error) { return func() {}, nil }
