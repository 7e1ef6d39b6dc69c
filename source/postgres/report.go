package postgres

import (
	"context"
	"fmt"
	"slices"
)

// readStatements takes the next snapshot of pg_stat_statements and the texts of
// the slow ones.
func (p *round) readStatements(ctx context.Context) error {
	if p.id.StatementsSchema == nil {
		p.unlisted = true
		return fmt.Errorf("pg_stat_statements is not installed in database %s, so times of statements are not known; "+
			"CREATE EXTENSION pg_stat_statements", p.id.Database)
	}
	snap, err := p.snapshot(ctx)
	if err != nil {
		p.unlisted = permanent(err)
		return err
	}
	// Entries that cannot be told apart are trusted only while none leaves, which
	// extensions before 1.9 do not tell: they never give a number.
	p.unlisted = len(snap.hidden) > 0 && snap.info == nil
	p.window = p.statements.observe(snap)
	p.db.Query.SlowestMs, p.db.Query.SlowestLifetime = lifetime(snap), true
	return p.readTexts(ctx)
}

func (p *round) snapshot(ctx context.Context) (*snapshot, error) {
	var info *statementsInfo
	if atLeast(deref(p.id.StatementsExt), 1, 9) {
		sql, err := statement("statements_info", p.id)
		if err != nil {
			return nil, err
		}
		row, err := rowOf[statementsInfo](ctx, p.q, sql)
		if err == nil {
			info = &row
		}
		p.note("statements_info", err)
	}
	sql, err := statement("statements", p.id)
	if err != nil {
		return nil, err
	}
	rows, err := rowsOf[statementRow](ctx, p.q, sql, p.own.counted(p.id))
	if err != nil {
		return nil, err
	}
	p.note("own_statements", p.own.learn(ctx, p.q, p.id, rows, p.at))
	return newSnapshot(p.at, rows, info, p.own.keys), nil
}

func lifetime(s *snapshot) *float64 {
	sum := s.sum()
	if sum.calls == 0 {
		return nil
	}
	return &sum.maxMs
}

// slowOnes are the finished statements over the threshold, slowest last, so
// that the slowest stands first in the log.
func (p *round) slowOnes() []finished {
	var slow []finished
	for _, f := range p.window.ran {
		if f.ms >= ms(p.cfg.SlowQuery) {
			slow = append(slow, f)
		}
	}
	slices.SortFunc(slow, func(a, b finished) int { return int(min(1, max(-1, a.ms-b.ms))) })
	return slow
}

// readTexts looks the slow statements' texts up and puts them into the log.
// Reading texts makes the server read a file, so only unknown ones are asked
// for, and only when something was slow. They are normalised but for utility
// statements (CREATE ROLE … PASSWORD '…'), and so redacted like any other.
func (p *round) readTexts(ctx context.Context) error {
	slow := p.slowOnes()
	if len(slow) == 0 {
		return nil
	}
	texts, unknown := map[int64]string{}, []int64{}
	for _, f := range slow {
		if text, ok := p.slow.textOf(f.key.query); ok {
			texts[f.key.query] = text
		} else if !f.hidden {
			unknown = append(unknown, f.key.query)
		}
	}
	err := p.fetchTexts(ctx, unknown, texts)
	p.slow.finished(slow, texts, p.at)
	return err
}

func (p *round) fetchTexts(ctx context.Context, ids []int64, into map[int64]string) error {
	if len(ids) == 0 {
		return nil
	}
	sql, err := statement("statement_text", p.id)
	if err != nil {
		return err
	}
	rows, err := rowsOf[statementText](ctx, p.q, sql, ids)
	for _, row := range rows {
		into[row.QueryID] = redact(row.Query)
	}
	if err != nil {
		return fmt.Errorf("texts: %w", err)
	}
	return nil
}

// reportQueries writes the samples of the statements. A window without
// statements has no average: 0/0 is no value.
func (p *round) reportQueries() {
	w, query := p.window, &p.db.Query
	if p.unlisted {
		p.reportTransactions()
	} else {
		query.Total = ptr(p.statements.total)
	}
	if w.known && w.elapsed > 0 {
		query.PerSecond = ptr(float64(w.calls) / w.elapsed.Seconds())
		p.r.Add("postgres.queries_per_sec", *query.PerSecond)
	}
	if w.known && w.calls > 0 {
		query.AverageMs = ptr(w.totalMs / float64(w.calls))
		p.r.Add("postgres.avg_query_time", *query.AverageMs)
	}
	if slowest, ok := p.slowest(); ok {
		query.SlowestMs, query.SlowestLifetime = &slowest, false
		p.r.Add("postgres.max_query_time", slowest)
	}
	if p.looked || w.known {
		p.r.Add("postgres.slow_queries", float64(len(p.slowOnes())+len(p.running)))
	}
}

// slowest is the longest execution seen in the window, running or finished.
func (p *round) slowest() (float64, bool) {
	longest, seen := 0.0, false
	for _, f := range p.window.ran {
		longest, seen = max(longest, f.ms), true
	}
	for _, row := range p.running {
		longest, seen = max(longest, row.DurationMs), true
	}
	if p.conns.OldestQueryS > 0 {
		longest, seen = max(longest, 1000*p.conns.OldestQueryS), true
	}
	return longest, seen
}

// reportTransactions stands in where statements are not counted. The monitor's
// own transactions of the poll before, which the server has counted by now, are
// taken off, so that an idle database shows none.
func (p *round) reportTransactions() {
	p.db.Query.Transactions = true
	made, ok := p.rates.Delta("transactions")
	rate, _ := p.rates.PerSecond("transactions")
	if ok && made > 0 {
		theirs := max(0, made-float64(p.ranBefore))
		p.transactions += uint64(theirs)
		rate *= theirs / made
	}
	if ok {
		p.db.Query.PerSecond = &rate
		p.r.Add("postgres.queries_per_sec", rate)
	}
	p.db.Query.Total = ptr(p.transactions)
}

func ptr[T any](v T) *T { return &v }
