// Package rule judges samples: conditions, windows and the life cycle of an
// alert. It is called by engine and is pure: no clock, no I/O, no lock, no
// goroutine; the time is always an argument.
package rule
