//go:build unix

package pgtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// PgBouncer is a private PgBouncer before a Server.
type PgBouncer struct {
	Host string
	Port int

	proc *process
}

// StartPgBouncer starts a pooler before every database of the server. Mode is
// session, transaction or statement; poolSize is the server connections per
// database and role. It knows the roles that exist now, trusts them all, and
// its console admits postgres. Without pgbouncer on PATH, see Missing.
func StartPgBouncer(t testing.TB, server *Server, poolSize int, mode string) *PgBouncer {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer" // not on the PATH of ordinary users
		if _, err := os.Stat(path); err != nil {
			Missing(t, "pgbouncer")
		}
	}
	port, err := freePort(t.Context())
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	b := &PgBouncer{Host: "127.0.0.1", Port: port}
	dir := tempDir(t, "tocsin-pgbouncer-")
	ini := fmt.Sprintf(`[databases]
* = host=%s port=%d
[pgbouncer]
listen_addr = %s
listen_port = %d
unix_socket_dir =
auth_type = trust
auth_file = %s
admin_users = postgres
pool_mode = %s
default_pool_size = %d
max_client_conn = 100
server_login_retry = 1
`, server.Host, server.Port, b.Host, b.Port, filepath.Join(dir, "users"), mode, poolSize)
	writeConfig(t, filepath.Join(dir, "users"), server.roles())
	writeConfig(t, filepath.Join(dir, "pgbouncer.ini"), ini)
	if b.proc, err = startProcess(path, dir, filepath.Join(dir, "pgbouncer.ini")); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { b.proc.end(syscall.SIGTERM) })
	err = waitFor(b.proc, func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, b.URL("postgres", "pgbouncer"))
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return b
}

// URL returns the URL of a role and a database through the pooler.
func (b *PgBouncer) URL(user, db string) string { return connURL(b.Host, b.Port, user, db) }

// AdminURL returns the URL of the console.
func (b *PgBouncer) AdminURL() string { return b.URL("postgres", "pgbouncer") }

// Kill ends the pooler at once.
func (b *PgBouncer) Kill() { b.proc.end(syscall.SIGKILL) }

// roles writes the server's roles as PgBouncer's auth_file wants them.
func (s *Server) roles() string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.URL("postgres", "postgres"))
	if err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, "SELECT rolname FROM pg_roles WHERE rolcanlogin")
	if err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "%q \"\"\n", name)
	}
	return b.String()
}

func writeConfig(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	if err := giveAway(path); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}
