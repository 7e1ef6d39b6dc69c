//go:build unix

// Package pgtest starts a private PostgreSQL, and a PgBouncer before it, for
// tests: real programs on free loopback ports, in a directory of their own,
// gone when the test ends. Tests of adapters and stores call it; the daemon
// never does. It never touches a server that it did not start.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds every wait of this package: for a start, a stop, a query.
const patience = 2 * time.Minute

// Server is one private PostgreSQL cluster. Its methods are for one goroutine,
// but for URL. The superuser is postgres, without a password; so are all roles
// that a test creates, until Authenticate says otherwise.
type Server struct {
	Host string
	Port int
	// Statements says that pg_stat_statements is preloaded: CREATE EXTENSION
	// makes it usable.
	Statements bool

	t        testing.TB
	bin      string // folder of initdb and postgres
	dir      string // holds data/, the socket and the log
	settings []string
	proc     *process
}

// Start makes a cluster and waits until it answers. Settings are name=value as
// in postgresql.conf, and win over the defaults, which are made for speed
// (fsync=off) and few connections (max_connections=30). The server is stopped
// and its files removed when the test ends. Where PostgreSQL is not installed
// the test is skipped, or fails if services are required (see Missing).
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	bin := findBin()
	if bin == "" {
		Missing(t, "postgresql")
	}
	s := &Server{Host: "127.0.0.1", t: t, bin: bin, dir: tempDir(t, "tocsin-pg-")}
	s.cluster()
	s.settings = append(s.defaults(), settings...)
	t.Cleanup(s.shutdown)
	if err := s.startOnFreePort(); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return s
}

// Missing ends a test that needs a program which is not installed: it skips,
// or fails when TOCSIN_REQUIRE_SERVICES=1 or CI=true, so that a build server
// never passes for want of a server.
func Missing(t testing.TB, service string) {
	t.Helper()
	message := "SERVICE MISSING: " + service
	if os.Getenv("TOCSIN_REQUIRE_SERVICES") == "1" || os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}

// defaults are the settings that Start's own come after.
func (s *Server) defaults() []string {
	settings := []string{
		"listen_addresses=" + s.Host, "unix_socket_directories=" + s.dir,
		"max_connections=30", "shared_buffers=16MB", "jit=off",
		// fsync=off loses nothing to SIGKILL, only to a crash of the machine.
		"fsync=off", "full_page_writes=off",
		"autovacuum=off", "log_min_messages=warning",
	}
	if s.Statements = hasStatements(s.bin); s.Statements {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements")
	}
	return settings
}

// startOnFreePort starts the server on a port that was free a moment ago, and
// tries another when somebody was faster.
func (s *Server) startOnFreePort() error {
	var err error
	for range 3 {
		if s.Port, err = freePort(s.t.Context()); err != nil {
			return err
		}
		if err = s.start(); err == nil {
			return nil
		}
	}
	return err
}

func (s *Server) start() error {
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.Port)}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	proc, err := startProcess(filepath.Join(s.bin, "postgres"), s.dir, args...)
	if err != nil {
		return err
	}
	s.proc = proc
	return waitFor(proc, func(ctx context.Context) error {
		return s.exec(ctx, "postgres", "SELECT 1")
	})
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// URL returns the connection URL of a role and a database. A user of the form
// name:password sets both.
func (s *Server) URL(user, db string) string {
	return connURL(s.Host, s.Port, user, db)
}

func connURL(host string, port int, user, db string) string {
	u := url.URL{
		Scheme: "postgres", Host: net.JoinHostPort(host, strconv.Itoa(port)),
		Path: "/" + db, RawQuery: "sslmode=disable", User: url.User(user),
	}
	if name, password, ok := strings.Cut(user, ":"); ok {
		u.User = url.UserPassword(name, password)
	}
	return u.String()
}

// Exec runs statements as the superuser, each on its own, and fails the test
// when one fails.
func (s *Server) Exec(db string, statements ...string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.exec(ctx, db, statements...); err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
}

func (s *Server) exec(ctx context.Context, db string, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres", db))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// Authenticate replaces pg_hba.conf by the lines given and by one that lets
// the superuser in, and makes the server read it.
func (s *Server) Authenticate(lines ...string) {
	s.t.Helper()
	text := "host all postgres 127.0.0.1/32 trust\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(text), 0o600); err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
	s.Exec("postgres", "SELECT pg_reload_conf()")
}

// Kill ends the postmaster by SIGKILL, as power loss and the OOM killer do. Its
// backends notice by themselves.
func (s *Server) Kill() { s.proc.end(syscall.SIGKILL) }

// Halt shuts the server down in order; connections are cut.
func (s *Server) Halt() { s.proc.end(syscall.SIGINT) }

// Restart starts the server again on its port, after Kill or Halt or from
// running.
func (s *Server) Restart() {
	s.t.Helper()
	s.Halt()
	// After a kill the last backends may hold the shared memory a moment longer,
	// and the new server refuses to start beside them.
	deadline := time.Now().Add(patience)
	for {
		err := s.start()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("pgtest: restart: %v", err)
		}
	}
}

// Stop freezes the server and all its backends (SIGSTOP): connections stay
// open and nothing answers. Cont thaws it.
func (s *Server) Stop() { s.proc.signalFamily(syscall.SIGSTOP) }

// Cont thaws what Stop froze.
func (s *Server) Cont() { s.proc.signalFamily(syscall.SIGCONT) }

func (s *Server) shutdown() {
	if s.proc != nil {
		s.Cont()
		s.proc.end(syscall.SIGQUIT)
	}
	if s.t.Failed() {
		if log := s.proc.output(); log != "" {
			s.t.Logf("postgres said:\n%s", log)
		}
	}
}

// cluster fills s.data() from a template that is made once per machine and
// version, for initdb takes a second and a copy a tenth of one.
func (s *Server) cluster() {
	template, err := template(s.bin)
	if err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if out, err := command(ctx, "cp", "-R", "-p", template, s.data()).CombinedOutput(); err != nil {
		s.t.Fatalf("pgtest: copy of the template: %v: %s", err, out)
	}
}

// template returns a cluster made by initdb, which no server was ever started
// on. It is kept in the temporary folder between runs. A folder that someone
// else put there is not used.
func template(bin string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	version, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("postgres --version: %w", err)
	}
	uid, _ := runAs()
	name := strings.Map(wordRune, strings.TrimSpace(string(version)))
	final := filepath.Join(os.TempDir(), fmt.Sprintf("tocsin-pgtest-%d-wal1-%s", uid, name))
	if ownedBy(final, uid) {
		return final, nil
	}
	work, err := os.MkdirTemp("", "tocsin-initdb-")
	if err != nil {
		return "", err
	}
	if err := giveAway(work); err != nil {
		return "", err
	}
	made := filepath.Join(work, "data")
	initdb := command(ctx, filepath.Join(bin, "initdb"), "-D", made, "-U", "postgres",
		"-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1")
	initdb.Dir = work
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	// Two test binaries may get here at once; the rename lets one win.
	if err := os.Rename(made, final); err != nil && !ownedBy(final, uid) {
		return made, nil // the name is taken by a stranger: do without the cache
	}
	return final, os.RemoveAll(work)
}

func wordRune(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' {
		return r
	}
	return '_'
}

func ownedBy(path string, uid int) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}

// findBin returns the folder of the newest PostgreSQL: on PATH, or where Debian
// keeps it.
func findBin() string {
	if path, err := exec.LookPath("postgres"); err == nil {
		// A link on PATH leads to the folder that has initdb and the libraries
		// beside it.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(path), "initdb")); err == nil {
			return filepath.Dir(path)
		}
	}
	best, bestVersion := "", -1
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well formed
	for _, initdb := range found {
		dir := filepath.Dir(initdb)
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		if err == nil && version > bestVersion {
			best, bestVersion = dir, version
		}
	}
	return best
}

// hasStatements looks for the library where distributions put it.
func hasStatements(bin string) bool {
	for _, lib := range []string{"../lib", "../lib/postgresql", "../lib64/pgsql"} {
		for _, ext := range []string{".so", ".dylib"} {
			if _, err := os.Stat(filepath.Join(bin, lib, "pg_stat_statements"+ext)); err == nil {
				return true
			}
		}
	}
	return false
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.Join(errors.New("no TCP address"), l.Close())
	}
	return addr.Port, l.Close()
}
