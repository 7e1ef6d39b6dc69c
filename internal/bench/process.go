package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one server that is measured.
type process struct {
	cmd    *exec.Cmd
	name   string
	base   string // its URL, without a slash at the end
	output bytes.Buffer
	ended  chan struct{} // closed when it has ended and output is whole
}

// launch starts a server that listens on address, and leaves it to stop.
func launch(ctx context.Context, address, binary string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, binary, args...), name: binary, base: "http://" + address, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", binary, err)
	}
	go func() {
		_ = p.cmd.Wait() // it is ended by a signal, and says so
		close(p.ended)
	}()
	return p, nil
}

// ready waits until a path of the server answers 200.
func (p *process) ready(ctx context.Context, path string) error {
	limit := time.Now().Add(20 * time.Second)
	for time.Now().Before(limit) {
		if ask(ctx, p.base+path) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended:\n%s", p.name, p.output.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	p.stop()
	return fmt.Errorf("%s did not become ready:\n%s", p.name, p.output.String())
}

// stop ends the server, and kills one that does not go.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// cpu is the processor time that a process has used, in steps of 10 ms.
func cpu(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the command's name and may hold anything.
	_, rest, ok := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, errors.New("no times in /proc")
	}
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil // USER_HZ is 100
}

// cpuOf adds up several processes.
func cpuOf(ps ...*process) (time.Duration, error) {
	var sum time.Duration
	for _, p := range ps {
		used, err := cpu(p.cmd.Process.Pid)
		if err != nil {
			return 0, err
		}
		sum += used
	}
	return sum, nil
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
