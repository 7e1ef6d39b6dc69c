package yamlpos_test

import (
	"strings"
	"testing"
	"time"
)

// A file full of mistakes must not keep the daemon busy.
func TestManyMistakesCostLittle(t *testing.T) {
	for name, line := range map[string]string{
		"unknown": "  - {id: a, fro: 1, token: hunter2}\n",
		"missing": "  - {id: \"${NOPE}\"}\n",
		"type":    "  - {id: [a]}\n",
	} {
		started := time.Now()
		_, mistakes := read("t.yaml", []byte("rules:\n"+strings.Repeat(line, 14_000)))
		if len(mistakes) < 14_000 {
			t.Errorf("%s: got %d mistakes", name, len(mistakes))
		}
		if took := time.Since(started); took > 15*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}
