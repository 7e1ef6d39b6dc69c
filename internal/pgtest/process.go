//go:build unix

package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a started program; ended is closed when it is gone.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	out   *lockedBuffer
}

// startProcess starts a program as an unprivileged user. The goroutine that
// waits for it keeps its thread, for the kernel's promise to end the program
// with its parent is tied to the thread that started it.
func startProcess(path, dir string, args ...string) (*process, error) {
	cmd := command(context.Background(), path, args...)
	cmd.Dir = dir
	p := &process{cmd: cmd, ended: make(chan struct{}), out: &lockedBuffer{}}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is told by its output
		}
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return p, nil
}

// end signals the program and waits for it; one that does not go is killed.
func (p *process) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // it may be gone already
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) signalFamily(sig syscall.Signal) {
	if p.gone() {
		return
	}
	for _, pid := range append(p.children(), p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, sig) // a backend may end at any moment
	}
}

// children finds the program's direct children.
func (p *process) children() []int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[1] == strconv.Itoa(p.cmd.Process.Pid) {
			if pid, err := strconv.Atoi(fields[0]); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func (p *process) output() string { return p.out.String() }

// waitFor tries until the program answers, ends, or patience does.
func waitFor(p *process, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended: %s", filepath.Base(p.cmd.Path), p.output())
		case <-ctx.Done():
			p.end(syscall.SIGKILL)
			return fmt.Errorf("%s does not answer: %w: %s", filepath.Base(p.cmd.Path), err, p.output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// command prepares a program to run as an unprivileged user: PostgreSQL and
// PgBouncer refuse to be root.
func command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = sysProcAttr()
	if uid, gid := runAs(); uid != os.Geteuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return cmd
}

// runAs returns who runs the servers: the tests' own user, or postgres or
// nobody when the tests run as root.
func runAs() (uid, gid int) {
	if os.Geteuid() != 0 {
		return os.Geteuid(), os.Getegid()
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.Atoi(u.Uid)
			gid, err2 := strconv.Atoi(u.Gid)
			if errors.Join(err1, err2) == nil {
				return uid, gid
			}
		}
	}
	return 0, 0
}

// tempDir makes a folder that the servers' user owns. t.TempDir will not do:
// its parents admit their owner only, and its name is too long for a socket.
func tempDir(t testing.TB, prefix string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", prefix) //nolint:usetesting // see above
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := giveAway(dir); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return dir
}

func giveAway(path string) error {
	uid, gid := runAs()
	if uid == os.Geteuid() {
		return nil
	}
	return os.Chown(path, uid, gid)
}

// lockedBuffer collects a program's output while tests read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
