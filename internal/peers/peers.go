// Package peers brings the programs the gateway is tested with: the npm packages it runs against, at exactly the versions
// every release is tested with, and functions that start them for the length of a test. Only tests import it.
//
// A fresh machine needs npm on its PATH and nothing else: what is missing is installed once, into the user's cache
// folder. Nothing is skipped silently: a peer that can't be had fails the test with one line that says what is missing.
package peers
