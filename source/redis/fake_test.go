package redis

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/source"
)

// fake answers every command with what reply returns, raw; an empty answer
// ends the connection. HELLO and CLIENT succeed unless reply knows better.
type fake struct {
	addr string
	mu   sync.Mutex
	saw  []string // the commands' names
}

func startFake(t *testing.T, reply func(args []string) string) *fake {
	t.Helper()
	listener := listen(t)
	f := &fake{addr: listener.Addr().String()}
	var conns sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			conns.Go(func() {
				defer func() { _ = conn.Close() }()
				f.serve(conn, reply)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		conns.Wait()
	})
	return f
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

func (f *fake) serve(conn net.Conn, reply func([]string) string) {
	in := bufio.NewReader(conn)
	for {
		args, err := readCommand(in)
		if err != nil {
			return
		}
		name := strings.ToUpper(args[0])
		f.mu.Lock()
		f.saw = append(f.saw, name)
		f.mu.Unlock()
		answer := reply(append([]string{name}, args[1:]...))
		if answer == "" && (name == "HELLO" || name == "CLIENT") {
			answer = map[string]string{"HELLO": "*2\r\n$5\r\nproto\r\n:2\r\n", "CLIENT": "+OK\r\n"}[name]
		}
		if answer == "" {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func (f *fake) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.saw {
		if s == name {
			n++
		}
	}
	return n
}

func readCommand(in *bufio.Reader) ([]string, error) {
	n, err := readLength(in, '*')
	if err != nil {
		return nil, err
	}
	args := make([]string, n)
	for i := range args {
		size, err := readLength(in, '$')
		if err != nil {
			return nil, err
		}
		text := make([]byte, size+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		args[i] = string(text[:size])
	}
	return args, nil
}

func readLength(in *bufio.Reader, kind byte) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil || line[0] != kind {
		return 0, io.ErrUnexpectedEOF
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

func bulk(text string) string {
	return "$" + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n"
}

// open makes a source that is closed at the test's end.
func open(t *testing.T, cfg Config) *Source {
	t.Helper()
	s, err := New(cfg, "cache", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func at(addr string) Config {
	cfg := Default()
	cfg.URL = secret.NewURL("redis://" + addr)
	return cfg
}

// poll polls once, as the loop does.
func poll(t *testing.T, s *Source) (source.Reading, error) {
	t.Helper()
	return pollWithin(t, s, 5*time.Second)
}

func pollWithin(t *testing.T, s *Source, timeout time.Duration) (source.Reading, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return s.Poll(ctx)
}

// mustPoll polls once and fails the test on an error.
func mustPoll(t *testing.T, s *Source) source.Reading {
	t.Helper()
	r, err := poll(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// values returns the samples by metric{labels}.
func values(r source.Reading) map[string]float64 {
	m := map[string]float64{}
	for _, s := range r.Samples {
		name := s.Metric
		if text := s.Labels.String(); text != "{}" && text != "" {
			name += text
		}
		m[name] = s.Value
	}
	return m
}
