//go:build !unix

package pluginhost

import "os"

// lockFile locks nothing: what a daemon leaves behind stays.
func lockFile(string) (*os.File, error) { return nil, nil }

// ownFolder knows no owners.
func ownFolder(string) bool { return false }
