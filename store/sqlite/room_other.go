//go:build !linux && !darwin

package sqlite

// freeBytes is not known here: a full disk is met when it is full.
func freeBytes(string) (free int64, known bool) { return 0, false }
