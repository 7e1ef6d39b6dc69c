package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"
)

const (
	// A checkpoint is due after about as many rows, which is two to five
	// thousand pages: SQLite's own habit is a thousand, and the pages of an
	// index that a storm touches again and again are moved less often.
	checkpointRows = 10000
	// checkpointAfter empties the log of a daemon that writes little.
	checkpointAfter = time.Minute
)

// checkpointer moves the log into the database while the writer goes on, so
// that no commit waits for it. It never blocks readers or the writer.
type checkpointer struct {
	db   *sql.DB
	tick func() // called each minute
	log  *slog.Logger

	mu   sync.Mutex
	rows int // written since the last checkpoint; requests count for a few more

	due     chan struct{} // of capacity 1
	quit    chan struct{}
	stopped chan struct{}
}

func newCheckpointer(db *sql.DB, tick func(), log *slog.Logger) *checkpointer {
	return &checkpointer{
		db: db, tick: tick, log: log, due: make(chan struct{}, 1),
		quit: make(chan struct{}), stopped: make(chan struct{}),
	}
}

// wrote is called by the writer after each commit.
func (c *checkpointer) wrote(rows int) {
	// A small transaction still touches the leaf pages of each index.
	const pagesPerCommit = 8
	c.mu.Lock()
	c.rows += rows + pagesPerCommit
	due := c.rows >= checkpointRows
	c.mu.Unlock()
	if due {
		select {
		case c.due <- struct{}{}:
		default:
		}
	}
}

func (c *checkpointer) run() {
	defer close(c.stopped)
	minute := time.NewTicker(checkpointAfter)
	defer minute.Stop()
	for {
		select {
		case <-c.due:
		case <-minute.C:
			c.tick()
		case <-c.quit:
			return
		}
		c.checkpoint()
	}
}

func (c *checkpointer) checkpoint() {
	c.mu.Lock()
	written := c.rows
	c.rows = 0
	c.mu.Unlock()
	if written == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkpointAfter)
	defer cancel()
	if _, err := c.db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		// Nothing is lost: the log keeps growing, and the next one tries again.
		c.log.WarnContext(ctx, "store checkpoint failed", slog.Any("error", explain(err)))
	}
}

// close stops the goroutine.
func (c *checkpointer) close() {
	close(c.quit)
	<-c.stopped
}

// last empties the log, when nobody writes any more.
func (c *checkpointer) last() error {
	ctx, cancel := context.WithTimeout(context.Background(), checkpointAfter)
	defer cancel()
	_, err := c.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
