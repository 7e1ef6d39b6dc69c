package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

// childPart is set for a process that a test starts from its own binary: what
// it has to do there.
const childPart = "TOCSIN_TEST_CHILD"

func child(part string, args []string) int {
	parts := map[string]func(args []string) error{
		"commit": commitForEver,
		"flood":  floodForEver,
		"limit":  fillToTheLimit,
		"hold":   hold,
		"open":   openOnce,
		"full":   fillTheDisk,
		"start":  startOnAFullDisk,
	}
	if err := parts[part](args); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// childCommand starts this test binary again in the given part.
func childCommand(ctx context.Context, part string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...) //nolint:gosec // this binary
	cmd.Env = append(os.Environ(), childPart+"="+part)
	cmd.Stderr = os.Stderr
	return cmd
}

func openInChild(path string) (*sqlite.Store, error) {
	return sqlite.Open(context.Background(), path, sqlite.Options{}, slog.New(slog.DiscardHandler))
}

// openOnce opens a database as a user who is not root, and closes it again.
func openOnce(args []string) error {
	if err := dropRoot(); err != nil {
		return err
	}
	s, err := openInChild(args[0])
	if err != nil {
		return err
	}
	return s.Close()
}

// hold opens a database, says so, and keeps it until its input ends.
func hold(args []string) error {
	if _, err := openInChild(args[0]); err != nil {
		return err
	}
	fmt.Println("open")
	_, err := os.Stdin.Read(make([]byte, 1))
	return err
}

// commitForEver commits from several goroutines and prints the number of each
// change once it is acknowledged, until it is killed.
func commitForEver(args []string) error {
	from, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	s, err := openInChild(args[0])
	if err != nil {
		return err
	}
	var (
		mu   sync.Mutex
		next = from
		wg   sync.WaitGroup
		errs = make(chan error, callers)
	)
	for range callers {
		wg.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if err := s.Commit(context.Background(), transition(n)); err != nil {
					errs <- err
					return
				}
				// One write, so that a line is there or is not.
				fmt.Println("committed", n)
				if n%2 == 0 {
					if err := s.Settle(context.Background(), []store.Settlement{settlement(n)}); err != nil {
						errs <- err
						return
					}
					fmt.Println("settled", n)
				}
			}
		})
	}
	wg.Wait()
	return <-errs
}

// lines reads a child's output until it ends.
func lines(t *testing.T, cmd *exec.Cmd) <-chan string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ch := make(chan string)
	go func() {
		defer close(ch)
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			ch <- scan.Text()
		}
	}()
	return ch
}

// floodForEver commits changes of many new alerts from several goroutines, and
// prints the number of each once it is acknowledged.
func floodForEver(args []string) error {
	from, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	s, err := openInChild(args[0])
	if err != nil {
		return err
	}
	var next atomic.Int64
	next.Store(int64(from))
	errs := make(chan error, callers)
	for range callers {
		go func() {
			for {
				n := int(next.Add(1)) - 1
				if err := s.Commit(context.Background(), someNew(n*floodSize, floodSize)); err != nil {
					errs <- err
					return
				}
				fmt.Println("committed", n)
			}
		}()
	}
	return <-errs
}
