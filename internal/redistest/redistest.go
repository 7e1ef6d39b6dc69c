// Package redistest runs private Redis servers for tests and benchmarks: each
// on a free loopback port, in its own folder, gone when the test is. Tests of
// every package that speaks to Redis call it. It never touches a server that
// it did not start, and is not part of the daemon.
package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// startTimeout is how long a server may take to answer its first PING.
const startTimeout = 15 * time.Second

// ErrMissing says that a server's program is not installed.
var ErrMissing = errors.New("SERVICE MISSING")

// Server is one running redis-server. Its methods may be called from several
// goroutines, but not two of Kill, Stop, Cont and Restart at a time.
type Server struct {
	program string
	dir     string
	port    int
	args    []string

	mu   sync.Mutex // guards what follows
	cmd  *exec.Cmd
	out  *bytes.Buffer
	done chan struct{} // closed when cmd has exited
}

// Start runs redis-server with the given arguments beside those for port and
// folder, as in Start(t, "--requirepass", "x"), and stops it at the test's
// end. Nothing is written to disk unless the arguments say so. Without
// redis-server the test is skipped; it fails when TOCSIN_REQUIRE_SERVICES=1 or
// CI=true.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartProgram(t, "redis-server", args...)
}

// StartProgram is Start for a program that takes redis-server's arguments:
// valkey-server, or another version of Redis.
func StartProgram(t testing.TB, program string, args ...string) *Server {
	t.Helper()
	Require(t, program)
	s, err := launch(program, t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Require skips the test when the program is not on PATH, or fails it where
// services are required.
func Require(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	text := "SERVICE MISSING: " + program
	if os.Getenv("TOCSIN_REQUIRE_SERVICES") == "1" || os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}

// Programs returns the servers that are installed of those that speak Redis'
// protocol: redis-server, which the caller then requires, and valkey-server
// where it is on PATH.
func Programs() []string {
	programs := []string{"redis-server"}
	if _, err := exec.LookPath("valkey-server"); err == nil {
		programs = append(programs, "valkey-server")
	}
	return programs
}

// Launch runs redis-server outside a test; the caller closes it. dir must
// exist and is left behind. The error wraps ErrMissing when redis-server is
// not installed.
func Launch(dir string, args ...string) (*Server, error) {
	return launch("redis-server", dir, args...)
}

func launch(program, dir string, args ...string) (*Server, error) {
	if _, err := exec.LookPath(program); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrMissing, program)
	}
	// Between finding a free port and listening on it another process may take
	// it; the next attempt has another port.
	var errs []error
	for range 5 {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		s := &Server{program: program, dir: dir, port: port, args: args}
		if err := s.run(); err != nil {
			errs = append(errs, err)
			continue
		}
		return s, nil
	}
	return nil, errors.Join(errs...)
}

// freePort finds a port whose cluster bus port, 10,000 above, exists and is
// free as well.
func freePort() (int, error) {
	for range 100 {
		port, err := listenable(0)
		if err != nil {
			return 0, err
		}
		if port+10000 > 65535 {
			continue
		}
		if _, err := listenable(port + 10000); err == nil {
			return port, nil
		}
	}
	return 0, errors.New("no free loopback port below 55536")
}

func listenable(port int) (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // returns at once
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	args := append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--loglevel", "notice",
		"--repl-diskless-sync-delay", "0", // a replica's first sync would wait for others
	}, s.args...)
	return s.exec(exec.Command(s.program, args...)) //nolint:noctx // lives until Close
}

func (s *Server) exec(cmd *exec.Cmd) error {
	out := &bytes.Buffer{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, out, out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.program, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	s.mu.Lock()
	s.cmd, s.out, s.done = cmd, out, done
	s.mu.Unlock()
	if err := s.awaitPing(done); err != nil {
		s.Kill()
		return fmt.Errorf("%s on port %d: %w; it said:\n%s", s.program, s.port, err, tail(out.String()))
	}
	return nil
}

func (s *Server) awaitPing(done <-chan struct{}) error {
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) {
		select {
		case <-done:
			return errors.New("it ended at once")
		default:
		}
		if s.answers() {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("no answer to PING within %s", startTimeout)
}

// answers says whether PING has an answer, be it that a password is wanted or
// that the dataset is being loaded.
func (s *Server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second) //nolint:noctx // bounded
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	first := make([]byte, 1)
	_, err = io.ReadFull(conn, first)
	return err == nil && (first[0] == '+' || first[0] == '-')
}

// Addr returns host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Port returns the port alone.
func (s *Server) Port() int { return s.port }

// URL returns redis://host:port/0.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Client returns a client of the default user that causes no error replies;
// it is closed at the test's end.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	c := newClient(s.Addr())
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func newClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: addr, Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Kill ends the server with SIGKILL and waits until it is gone.
func (s *Server) Kill() {
	cmd, done := s.process()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(syscall.SIGKILL)
	<-done
}

// Close ends the server; it may be called again.
func (s *Server) Close() { s.Kill() }

// Stop freezes the server with SIGSTOP: it keeps its connections and answers
// nothing.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Cont wakes a frozen server.
func (s *Server) Cont() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	if cmd, _ := s.process(); cmd != nil {
		_ = cmd.Process.Signal(sig)
	}
}

// Restart kills the server and starts it again on the same port.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) process() (*exec.Cmd, chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd, s.done
}

func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
