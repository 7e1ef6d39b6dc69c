package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
)

// applicationID is "Tocs" in the file's header, where file(1) and we find it.
const applicationID = 0x546f6373

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations returns the steps in order. The schema's version is how many of
// them the file has seen, so a step is never changed once it was released.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	steps := make([]string, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(migrationFiles, name)
		if err != nil {
			return nil, err
		}
		steps[i] = string(text)
	}
	return steps, nil
}

// identify says whether the database is empty and which schema it has. It
// refuses the database of another application.
func identify(ctx context.Context, conn *sql.Conn) (fresh bool, version int, err error) {
	var owner, objects int
	for _, q := range []struct {
		query string
		into  *int
	}{
		{"SELECT count(*) FROM sqlite_schema", &objects},
		{"PRAGMA application_id", &owner},
		{"PRAGMA user_version", &version},
	} {
		if err := conn.QueryRowContext(ctx, q.query).Scan(q.into); err != nil {
			return false, 0, err
		}
	}
	fresh = objects == 0 && owner == 0 && version == 0
	if !fresh && owner != applicationID {
		return false, 0, fmt.Errorf("%w (application id %#x)", ErrNotOurs, owner)
	}
	return fresh, version, nil
}

// migrate brings the schema up to date, each step in a transaction of its own
// together with the version that it leads to.
func (s *Store) migrate(ctx context.Context, conn *sql.Conn, fresh bool, version int) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("%w: its schema is version %d, this one knows %d; run the newer release",
			ErrNewerSchema, version, len(steps))
	}
	for ; version < len(steps); version++ {
		if err := step(ctx, conn, steps[version], version+1); err != nil {
			return fmt.Errorf("bring the schema to version %d: %w", version+1, err)
		}
		if !fresh {
			s.log.InfoContext(ctx, "store schema migrated", slog.String("path", s.path), slog.Int("version", version+1))
		}
	}
	return nil
}

func step(ctx context.Context, conn *sql.Conn, script string, version int) error {
	script = fmt.Sprintf("BEGIN IMMEDIATE;\n%s;\nPRAGMA application_id = %d;\nPRAGMA user_version = %d;\nCOMMIT;",
		script, applicationID, version)
	// On an error the caller closes the connection, which rolls back.
	_, err := conn.ExecContext(ctx, script)
	return err
}
