//go:build !race

package main

// raceFlag makes the binary as the tests are made.
var raceFlag []string
