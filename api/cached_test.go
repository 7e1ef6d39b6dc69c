package api_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/source"
)

// TestReadersNeverSeeAnOlderDocument runs readers beside a writer: what a
// reader is shown is at least as new as what the board held when it asked.
func TestReadersNeverSeeAnOlderDocument(t *testing.T) {
	o := (&world{}).options()
	board := source.NewBoard()
	o.Board = board
	h := api.New(o).Handler()
	set := func(hits uint64) {
		board.Set(up("app", "push", source.Facts{Strategies: source.Strategies{"A": {Hits: hits}}}))
	}
	set(0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				atLeast := board.All()[0].Facts.Strategies["A"].Hits
				body := get(t, h, "/api/performance").Body.String()
				_, after, _ := strings.Cut(body, `"hits":`)
				digits, _, _ := strings.Cut(after, ",")
				if hits, err := strconv.ParseUint(digits, 10, 64); err != nil || hits < atLeast {
					t.Errorf("shown %q, the board had %d: %v", digits, atLeast, err)
				}
			}
		})
	}
	for hits := range uint64(500) {
		set(hits)
	}
	wg.Wait()
}
