//go:build !race

package main_test

// raceBuilt says that the tests have the race detector, and so the daemon that
// they start.
const raceBuilt = false
