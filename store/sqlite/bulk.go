package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// bulk writes rows of one table, many with one statement: of what a row costs,
// its place in the tree is the smaller part, and calling SQLite the larger. Its
// statements are the driver's own, for database/sql goes over each value twice.
//
// It belongs to the writer, as everything that takes its connection.
type bulk struct {
	columns int
	sizes   []bulkSize // the largest first, the last of one row

	args []driver.NamedValue // of the rows that were added
	docs []byte              // for reuse, by who has documents among them
}

type bulkSize struct {
	rows int
	stmt driver.StmtExecContext
}

// bulkSizes are the numbers of rows that have a statement of their own. A
// change from outside has 64 alerts at most times.
func bulkSizes() []int { return []int{64, 16, 4, 1} }

// prepare makes the statements: head is what stands before the rows, tail what
// stands behind them.
func (b *bulk) prepare(ctx context.Context, conn *sql.Conn, head string, columns int, tail string) error {
	b.columns = columns
	row := ", (?" + strings.Repeat(", ?", columns-1) + ")"
	return conn.Raw(func(raw any) error {
		preparer, ok := raw.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", raw)
		}
		for _, n := range bulkSizes() {
			query := head + " VALUES " + strings.Repeat(row, n)[len(", "):] + " " + tail
			stmt, err := preparer.PrepareContext(ctx, query)
			if err != nil {
				return fmt.Errorf("prepare %q for %d rows: %w", head, n, err)
			}
			exec, ok := stmt.(driver.StmtExecContext)
			if !ok {
				return errors.Join(fmt.Errorf("the driver's statement is a %T", stmt), stmt.Close())
			}
			b.sizes = append(b.sizes, bulkSize{n, exec})
		}
		return nil
	})
}

func (b *bulk) close(conn *sql.Conn) {
	if len(b.sizes) == 0 {
		return
	}
	_ = conn.Raw(func(any) error {
		for _, size := range b.sizes {
			if stmt, ok := size.stmt.(driver.Stmt); ok {
				_ = stmt.Close()
			}
		}
		return nil
	})
	b.sizes = nil
}

// add takes the values of one row, or some of them. They are what a driver
// takes: int64, float64, string or nil.
func (b *bulk) add(values ...any) {
	for _, v := range values {
		b.args = append(b.args, driver.NamedValue{Value: v})
	}
}

// rows is how many were added.
func (b *bulk) rows() int { return len(b.args) / b.columns }

// reset forgets what was added.
func (b *bulk) reset() {
	clear(b.args) // what they point to
	b.args, b.docs = b.args[:0], b.docs[:0]
}

// write writes rows from to to of those that were added, and says how many rows
// of the table that changed. No context: a write is not broken off halfway.
func (b *bulk) write(conn *sql.Conn, from, to int) (changed int64, err error) {
	err = conn.Raw(func(any) error {
		for _, size := range b.sizes {
			for ; to-from >= size.rows; from += size.rows {
				args := b.args[from*b.columns : (from+size.rows)*b.columns]
				for i := range args {
					args[i].Ordinal = i + 1
				}
				res, err := size.stmt.ExecContext(context.Background(), args)
				if err != nil {
					return err
				}
				n, err := res.RowsAffected()
				if err != nil {
					return err
				}
				changed += n
			}
		}
		return nil
	})
	return changed, err
}
