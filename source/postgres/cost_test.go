package postgres

import (
	"fmt"
	"testing"
	"time"
)

// A poll may cost the server 10 ms of its own time. The server's own count of
// it is pg_stat_statements', which takes in the monitor's statements here.
func TestAPollCostsTheServerUnderTenMilliseconds(t *testing.T) {
	pg := server(t, "pg_stat_statements.track_planning=on")
	a := app(t, pg.URL("app", "postgres"))
	for i := range 200 {
		exec(t, a, fmt.Sprintf("CREATE TABLE t%d (id int PRIMARY KEY)", i))
		exec(t, a, fmt.Sprintf("SELECT id AS c%d FROM t%d", i, i))
	}
	s := newSource(t, pg.URL("tocsin", "postgres"))
	poll(t, s) // fills the caches of the new connection
	spent := func() (ms float64) {
		root := app(t, pg.URL("postgres", "postgres"))
		err := root.QueryRow(t.Context(), `SELECT coalesce(sum(total_exec_time + total_plan_time), 0)
			FROM pg_stat_statements JOIN pg_roles r ON r.oid = userid WHERE r.rolname = 'tocsin'`).Scan(&ms)
		if err != nil {
			t.Fatal(err)
		}
		return ms
	}
	const polls = 20
	before, begun := spent(), time.Now()
	for range polls {
		noProblems(t, poll(t, s))
	}
	wall := time.Since(begun) / polls
	cost := (spent() - before) / polls
	t.Logf("a poll on 200 tables costs the server %.2f ms and takes %s", cost, wall)
	if cost <= 0 || cost >= 10 {
		t.Errorf("a poll costs the server %.2f ms, want under 10", cost)
	}
}
