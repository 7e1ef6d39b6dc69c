package postgres

import (
	"fmt"
	"testing"
)

// BenchmarkPoll counts what a poll costs a server with 200 tables, by its own
// account: pg_stat_statements, which takes in the monitor's statements here.
func BenchmarkPoll(b *testing.B) {
	pg := server(b, "pg_stat_statements.track_planning=on")
	a := app(b, pg.URL("app", "postgres"))
	for i := range 200 {
		exec(b, a, fmt.Sprintf("CREATE TABLE t%d (id int PRIMARY KEY)", i))
		exec(b, a, fmt.Sprintf("SELECT id AS c%d FROM t%d", i, i))
	}
	s := newSource(b, pg.URL("tocsin", "postgres"))
	poll(b, s) // fills the caches of the new connection
	spent := func() (ms float64) {
		root := app(b, pg.URL("postgres", "postgres"))
		err := root.QueryRow(b.Context(), `SELECT coalesce(sum(total_exec_time + total_plan_time), 0)
			FROM pg_stat_statements JOIN pg_roles r ON r.oid = userid WHERE r.rolname = 'tocsin'`).Scan(&ms)
		if err != nil {
			b.Fatal(err)
		}
		return ms
	}
	polls := max(b.N, 20)
	before := spent()
	for range polls {
		noProblems(b, poll(b, s))
	}
	b.ReportMetric((spent()-before)/float64(polls), "server-ms/poll")
}
