package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/tocsin-dev/tocsin/store"
)

// Stats counts what the database holds. It takes a few milliseconds for each
// 100,000 alerts or events, so it suits a scrape and not a request.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	var st store.Stats
	if err := s.caughtUp(ctx); err != nil {
		return st, s.fail("stats", err)
	}
	err := s.readers.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM alerts),
		(SELECT count(*) FROM alerts INDEXED BY alerts_open WHERE ended IS NULL),
		(SELECT kept FROM applied),
		(SELECT count(*) FROM groups),
		(SELECT count(*) FROM members),
		(SELECT count(*) FROM deliveries),
		(SELECT count(*) FROM deliveries INDEXED BY deliveries_state WHERE state = 1),
		(SELECT count(*) FROM series),
		(SELECT n FROM counters WHERE name = 'samples'),
		(SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size)`).
		Scan(&st.Alerts, &st.OpenAlerts, &st.Events, &st.Groups, &st.Members,
			&st.Deliveries, &st.PendingDeliveries, &st.Series, &st.Samples, &st.FreeBytes)
	if err != nil {
		return st, s.fail("stats", err)
	}
	if st.FileBytes, err = size(s.path); err != nil {
		return st, s.fail("stats", err)
	}
	st.WALBytes, err = size(s.path + "-wal")
	return st, s.fail("stats", err)
}

// size looks without opening: see lockFile. A file that is not there has none.
func size(path string) (int64, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil:
		return info.Size(), nil
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	}
	return 0, bare(err)
}
