package caddystore

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// value is as large as a grant.
var value = bytes.Repeat([]byte("0123456789"), 100)

func benchStore(b *testing.B, records int) *Store {
	b.Helper()
	s := open(b.TempDir())
	for i := range records {
		if err := s.Put(b.Context(), "grant", fmt.Sprint(i), value, time.Now().Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkGet(b *testing.B) {
	s := benchStore(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Get(b.Context(), "grant", "0"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := benchStore(b, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := s.Put(b.Context(), "grant", fmt.Sprint(i), value, time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := benchStore(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Update(b.Context(), "grant", "0", func(old []byte) ([]byte, time.Time, error) { return old, time.Time{}, nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSweep1000(b *testing.B) {
	s := benchStore(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if removed, err := s.Sweep(b.Context()); removed != 0 || err != nil {
			b.Fatal(removed, err)
		}
	}
}
