//go:build !unix

package pluginhost

import "os"

// lockFolder locks nothing: what a daemon leaves behind stays.
func lockFolder(string) (*os.File, error) { return nil, nil }

// ownFolder knows no owners.
func ownFolder(string) bool { return false }
