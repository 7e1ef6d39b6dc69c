package yamlpos_test

import (
	"strings"
	"testing"
)

// A file full of mistakes must not keep the daemon busy: the time is that of a
// file of 1,000 and of 10,000 mistakes of each kind, and it must grow no faster
// than they do.
func BenchmarkManyMistakes(b *testing.B) {
	for name, line := range map[string]string{
		"unknown": "  - {id: a, fro: 1, token: hunter2}\n",
		"missing": "  - {id: \"${NOPE}\"}\n",
		"type":    "  - {id: [a]}\n",
	} {
		for size, n := range map[string]int{"1k": 1_000, "10k": 10_000} {
			b.Run(name+"/"+size, func(b *testing.B) {
				text := []byte("rules:\n" + strings.Repeat(line, n))
				for b.Loop() {
					if _, mistakes := read("t.yaml", text); len(mistakes) < n {
						b.Fatalf("got %d mistakes", len(mistakes))
					}
				}
			})
		}
	}
}
