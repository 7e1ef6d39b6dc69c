package watch

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/atomicfile"
)

// Sum is the hash of a file's bytes. The zero Sum is that of a file that cannot
// be read.
type Sum [sha256.Size]byte

// SumOf returns the hash of what was read.
func SumOf(data []byte) Sum { return sha256.Sum256(data) }

// read returns the present hash of a file. What is no regular file is not
// opened: a pipe would keep us waiting.
func read(name string) Sum {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return Sum{}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Sum{}
	}
	return SumOf(data)
}

// readAll returns the present hashes of the files, and of those that fit the
// patterns.
func readAll(files map[string]Sum, patterns []string) map[string]Sum {
	now := make(map[string]Sum, len(files))
	for name := range files {
		now[name] = read(name)
	}
	for _, p := range patterns {
		found, _ := filepath.Glob(p) // a pattern that is none finds nothing
		for _, name := range found {
			if _, known := now[name]; !known && !atomicfile.IsTemporary(name) {
				now[name] = read(name)
			}
		}
	}
	return now
}

// same says whether two states are equal; a file that only one of them names
// is one that cannot be read in the other.
func same(a, b map[string]Sum) bool {
	for name, sum := range a {
		if b[name] != sum {
			return false
		}
	}
	for name, sum := range b {
		if a[name] != sum {
			return false
		}
	}
	return true
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }
