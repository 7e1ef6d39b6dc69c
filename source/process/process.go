// Package process watches processes (the daemon's own, or others on the same
// machine) and the machine itself, through gopsutil. It is called by cmd,
// which wires it into the poll loop. It never signals a process, and reads
// neither arguments nor environment, where secrets may stand.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/tocsin-dev/tocsin/source"
)

// Source watches one process, or all of one name. It implements source.Source
// and is not safe for concurrent polls, as the loop promises none.
type Source struct {
	cfg  Config
	name string
	last map[identity]usage
}

// identity tells a process from another that got its number later.
type identity struct {
	pid     int32
	created int64 // unix milliseconds
}

// usage is CPU time, in seconds, at a moment.
type usage struct {
	seconds float64
	at      time.Time
}

// New makes a source of a valid configuration. name is the source's: the label
// process of the samples.
func New(cfg Config, name string) (*Source, error) {
	return &Source{cfg: cfg, name: name, last: map[identity]usage{}}, nil
}

// Close does nothing: nothing is held open.
func (s *Source) Close() error { return nil }

// Poll looks once. Its error is a *source.Fault of kind Down when there is no
// such process; what may not be read of a process is a problem alone. The
// first poll of a process has no process.cpu.
func (s *Source) Poll(ctx context.Context) (source.Reading, error) {
	found, err := s.find(ctx)
	if err != nil {
		return source.Reading{}, &source.Fault{Kind: source.Down, Err: err}
	}
	var sum sum
	now := map[identity]usage{}
	for _, p := range found {
		s.look(ctx, p, &sum, now)
	}
	s.last = now
	if sum.processes == 0 {
		return source.Reading{}, &source.Fault{Kind: source.Down, Err: fmt.Errorf("%s ended while it was looked at", s.what())}
	}
	return sum.reading(s.name), nil
}

func (s *Source) what() string {
	switch {
	case s.cfg.Name != "":
		return "process " + strconv.Quote(s.cfg.Name)
	case s.cfg.PIDFile != "":
		return "process of " + s.cfg.PIDFile
	case s.cfg.PID != 0:
		return "process " + strconv.Itoa(int(s.cfg.PID))
	}
	return "the daemon's own process"
}

// find returns the processes to look at; at least one, or an error.
func (s *Source) find(ctx context.Context) ([]*process.Process, error) {
	if s.cfg.Name != "" {
		return s.named(ctx)
	}
	pid := s.cfg.PID
	switch {
	case s.cfg.PIDFile != "":
		var err error
		if pid, err = readPID(s.cfg.PIDFile); err != nil {
			return nil, err
		}
	case pid == 0:
		pid = int32(os.Getpid()) //nolint:gosec // a process number fits
	}
	p, err := process.NewProcessWithContext(ctx, pid)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.what(), err)
	}
	return []*process.Process{p}, nil
}

func (s *Source) named(ctx context.Context) ([]*process.Process, error) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []*process.Process
	for _, p := range all {
		if name, err := p.NameWithContext(ctx); err == nil && name == s.cfg.Name {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no process is named %q", s.cfg.Name)
	}
	return found, nil
}

// readPID reads the first line of a pid file; PostgreSQL's has more of them.
func readPID(file string) (int32, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, fmt.Errorf("pid_file: %w", err)
	}
	defer func() { _ = f.Close() }()
	const enough = 64
	text, err := io.ReadAll(io.LimitReader(f, enough))
	if err != nil {
		return 0, fmt.Errorf("pid_file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.ParseInt(strings.TrimSpace(line), 10, 32)
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("pid_file: %s does not begin with a process number", file)
	}
	return int32(pid), nil
}

// sum adds up what was seen of processes.
type sum struct {
	processes  int
	started    time.Time // the oldest's
	cpu        float64
	hasCPU     bool
	memory     float64
	hasMemory  bool
	files      float64
	hasFiles   bool
	filesUsage float64 // the highest, percent
	hasUsage   bool
	problems   []source.Problem
}

// look adds one process to the sum; one that has ended adds nothing.
func (s *Source) look(ctx context.Context, p *process.Process, sum *sum, now map[identity]usage) {
	created, err := p.CreateTimeWithContext(ctx)
	if err != nil {
		return
	}
	at := time.Now()
	sum.processes++
	if started := time.UnixMilli(created); sum.started.IsZero() || started.Before(sum.started) {
		sum.started = started
	}
	if times, err := p.TimesWithContext(ctx); err != nil {
		sum.problem("cpu", err)
	} else {
		id := identity{p.Pid, created}
		now[id] = usage{times.User + times.System, at}
		if before, ok := s.last[id]; ok && at.After(before.at) {
			sum.cpu += 100 * max(0, now[id].seconds-before.seconds) / at.Sub(before.at).Seconds()
			sum.hasCPU = true
		}
	}
	if memory, err := p.MemoryInfoWithContext(ctx); err != nil {
		sum.problem("memory", err)
	} else {
		sum.memory, sum.hasMemory = sum.memory+float64(memory.RSS), true
	}
	sum.lookAtFiles(ctx, p)
}

func (s *sum) lookAtFiles(ctx context.Context, p *process.Process) {
	open, err := p.NumFDsWithContext(ctx)
	if err != nil {
		s.problem("open files", err)
		return
	}
	s.files, s.hasFiles = s.files+float64(open), true
	limits, err := p.RlimitWithContext(ctx)
	if err != nil {
		return // a system without limits
	}
	for _, l := range limits {
		if l.Resource == process.RLIMIT_NOFILE && l.Soft > 0 {
			s.filesUsage, s.hasUsage = max(s.filesUsage, 100*float64(open)/float64(l.Soft)), true
		}
	}
}

// problem notes what could not be read, once a kind.
func (s *sum) problem(query string, err error) {
	if !slices.ContainsFunc(s.problems, func(p source.Problem) bool { return p.Query == query }) {
		s.problems = append(s.problems, source.Problem{Query: query, Err: plain(err)})
	}
}

// plain says what an operator can act on.
func plain(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return errors.New("not permitted: the process belongs to another user")
	}
	return err
}

func (s *sum) reading(label string) source.Reading {
	r := source.Reading{StartedAt: s.started, Problems: s.problems}
	add := func(metric string, value float64, has bool) {
		if has {
			r.Add(metric, value, "process", label)
		}
	}
	add("process.cpu", s.cpu, s.hasCPU)
	add("process.memory", s.memory, s.hasMemory)
	add("process.open_files", s.files, s.hasFiles)
	add("process.open_files_usage", s.filesUsage, s.hasUsage)
	add("process.uptime", max(0, time.Since(s.started).Seconds()), true)
	return r
}
