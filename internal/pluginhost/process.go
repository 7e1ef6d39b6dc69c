package pluginhost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// lastWordsWait is how long a dead process' output is read on: what it wrote is
// in the pipe already, and a child that it left behind may hold the pipe open.
const lastWordsWait = 200 * time.Millisecond

// process is one process of a plugin, as go-plugin wants to run it: in a group of
// its own, so that what it forks dies with it, and from a thread of its own, so
// that it dies with the daemon.
type process struct {
	spec   Spec
	cmd    *exec.Cmd
	folder string // of its sockets
	log    *logPump

	pid    int
	stdin  *os.File      // the daemon's end: it closes with the daemon
	exited chan struct{} // closed when the process is gone, and all that it forked
	// stdout has the handshake and no more; stderr nothing. Both end with the
	// process.
	stdout, stderr   *io.PipeReader
	toStdout, toNone *io.PipeWriter

	mu     sync.Mutex
	reason error // why it was ended, or cannot be used; the first one counts
	result error // of the wait
	ended  bool  // it is gone, and its number may be another's
	// byLibrary says that go-plugin had it killed, for a reason of its own.
	byLibrary bool
}

var _ runner.Runner = (*process)(nil)

func newProcess(spec Spec, env []string, folder string, log *logPump) *process {
	p := &process{spec: spec, folder: folder, log: log, exited: make(chan struct{})}
	p.cmd = exec.Command(spec.Path, spec.Args...) //nolint:gosec,noctx // the operator names it, and it lives until it is ended
	p.cmd.Env = env
	p.cmd.SysProcAttr = ownGroup()
	p.stdout, p.toStdout = io.Pipe()
	p.stderr, p.toNone = io.Pipe()
	return p
}

// Start starts the process and whoever waits for it.
func (p *process) Start(context.Context) error {
	var ours, theirs [3]*os.File
	var err error
	closeAll := func(files ...*os.File) {
		for _, f := range files {
			if f != nil {
				_ = f.Close() // a pipe's end: nothing can be lost
			}
		}
	}
	for fd := range ours {
		read, write, failed := os.Pipe()
		if err = errors.Join(err, failed); failed != nil {
			continue
		}
		if ours[fd], theirs[fd] = read, write; fd == 0 {
			ours[fd], theirs[fd] = write, read
		}
	}
	if err != nil {
		closeAll(append(ours[:], theirs[:]...)...)
		close(p.exited)
		return err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = theirs[0], theirs[1], theirs[2]
	p.stdin = ours[0]
	started := make(chan error, 1)
	go p.live(ours, started)
	err = <-started
	closeAll(theirs[:]...)
	if err != nil {
		closeAll(ours[:]...)
		close(p.exited)
		return startError(p.spec.Path, err)
	}
	return nil
}

// live is the process' life: the kernel kills it when the thread that started it
// ends, so this one stays with it.
func (p *process) live(ours [3]*os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	p.mu.Lock()
	if p.pid = p.cmd.Process.Pid; p.reason != nil {
		killGroup(p.pid)
	}
	p.mu.Unlock()
	var reading sync.WaitGroup
	reading.Go(func() { p.readStdout(ours[1]) })
	reading.Go(func() { p.log.read(ours[2], "stderr") })
	started <- nil
	p.reap()
	killLeftovers(p.folder)
	for _, f := range ours[1:] {
		_ = f.SetReadDeadline(time.Now().Add(lastWordsWait)) // fails where pipes know no deadlines
	}
	reading.Wait()
	p.log.flush()
	for _, f := range ours {
		_ = f.Close() // the other end is gone
	}
	_ = p.toStdout.Close()
	_ = p.toNone.Close()
	close(p.exited)
}

// reap waits for the process to end, and kills what it has forked.
func (p *process) reap() {
	if awaitExit(p.pid) { // its number is its own until Wait
		p.mu.Lock()
		defer p.mu.Unlock()
		killGroup(p.pid)
		p.result, p.ended = p.cmd.Wait(), true
		return
	}
	result := p.cmd.Wait()
	p.mu.Lock()
	p.result, p.ended = result, true
	p.mu.Unlock()
	killForked(p.pid)
}

// readStdout hands the handshake on, unless it is none, and logs what follows.
func (p *process) readStdout(f *os.File) {
	r := bufio.NewReaderSize(f, maxHandshakeBytes)
	line, err := r.ReadSlice('\n')
	switch reason := judgeHandshake(line, err, p.spec.MTLS, p.folder); {
	case len(line) == 0 && err != nil: // it has ended, which says more
	case reason != nil:
		p.kill(errors.New(p.log.mask(reason.Error())))
	default:
		_, _ = p.toStdout.Write(line) // fails when nobody waits for it any more
	}
	p.log.read(r, "stdout")
}

// kill ends the process and all that it has forked, at once. The reason is the
// first one that is given.
func (p *process) kill(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == nil {
		p.reason = reason
	}
	if p.pid != 0 && !p.ended {
		killGroup(p.pid)
		_ = p.cmd.Process.Kill() // it may have left its group, or be gone
	}
}

// end asks the process to end, and kills it when it has not after the grace.
func (p *process) end(grace time.Duration) {
	p.mu.Lock()
	asked := !p.ended && terminate(p.pid)
	p.mu.Unlock()
	if asked {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.exited:
			return
		case <-timer.C:
			p.log.log.Warn("plugin does not end when it is asked to; it is killed", "pid", p.pid, "grace", grace)
		}
	}
	p.kill(errors.New("it was stopped"))
	<-p.exited
}

// death says why the process ended; it has exited.
func (p *process) death() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != nil {
		return p.reason
	}
	how := "exit status 0"
	if p.result != nil {
		how = p.result.Error()
	}
	if words := p.log.lastWords(); words != "" {
		return fmt.Errorf("its process ended: %s; its last words: %s", how, words)
	}
	return fmt.Errorf("its process ended: %s", how)
}

// Wait waits for the end.
func (p *process) Wait(context.Context) error {
	<-p.exited
	return p.result
}

// Kill ends the process at once.
func (p *process) Kill(context.Context) error {
	p.mu.Lock()
	p.byLibrary = p.byLibrary || !p.ended
	p.mu.Unlock()
	p.kill(nil)
	return nil
}

// Stdout has the handshake.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr has nothing: the host reads it itself.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name is the program's path.
func (p *process) Name() string { return p.spec.Path }

// ID is the process' number.
func (p *process) ID() string { return strconv.Itoa(p.pid) }

// Diagnose adds nothing: death says what there is to say.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost leaves an address as it is: both see the same files.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin leaves an address as it is.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// startError says why a program cannot be started.
func startError(path string, err error) error {
	_, missing := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && missing == nil:
		return fmt.Errorf("%s cannot be started: the interpreter that its first line names is not there", path)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%s cannot be started: it is no program for this machine, nor a script whose first line is #! and an interpreter", path)
	case errors.Is(err, syscall.ETXTBSY):
		return fmt.Errorf("%s cannot be started: it is being written", path)
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("%s cannot be started: %w", path, err)
}
