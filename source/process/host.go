package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"

	"github.com/tocsin-dev/tocsin/source"
)

// Host watches the machine. It implements source.Source and is not safe for
// concurrent polls, as the loop promises none.
type Host struct {
	mounts []string
	disks  disks
	last   cpuTime
}

// cpuTime is the machine's CPU time since boot, in seconds.
type cpuTime struct{ busy, total float64 }

// NewHost makes a source of a valid configuration.
func NewHost(cfg HostConfig) (*Host, error) {
	return &Host{mounts: cfg.Mounts, disks: newDisks()}, nil
}

// Close does nothing: nothing is held open.
func (h *Host) Close() error { return nil }

// Poll looks once. What cannot be read is a problem alone; the error is a
// *source.Fault when nothing can. The first poll has no host.cpu.
func (h *Host) Poll(ctx context.Context) (source.Reading, error) {
	var r source.Reading
	for _, part := range [...]struct {
		name string
		read func(context.Context, *source.Reading) error
	}{
		{"cpu", h.cpu}, {"load", readLoad}, {"memory", readMemory}, {"swap", readSwap}, {"open files", readFiles}, {"disks", h.readDisks},
	} {
		if err := part.read(ctx, &r); err != nil {
			r.Problems = append(r.Problems, source.Problem{Query: part.name, Err: err})
		}
	}
	if len(r.Samples) == 0 {
		return r, &source.Fault{Kind: source.Blind, Err: errors.New("nothing can be read of this host")}
	}
	return r, nil
}

func (h *Host) cpu(ctx context.Context, r *source.Reading) error {
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return err
	}
	if len(times) == 0 {
		return errors.New("no CPU times")
	}
	t := times[0]
	// Guest time is counted in user and nice already.
	now := cpuTime{
		busy:  t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal,
		total: t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal + t.Idle + t.Iowait,
	}
	before := h.last
	h.last = now
	if before.total > 0 && now.total > before.total {
		r.Add("host.cpu", min(100, 100*max(0, now.busy-before.busy)/(now.total-before.total)))
	}
	return nil
}

func readLoad(ctx context.Context, r *source.Reading) error {
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return err
	}
	r.Add("host.load1", avg.Load1)
	r.Add("host.load5", avg.Load5)
	r.Add("host.load15", avg.Load15)
	r.Add("host.load_per_cpu", avg.Load5/float64(runtime.NumCPU()))
	return nil
}

func readMemory(ctx context.Context, r *source.Reading) error {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return err
	}
	if m.Total == 0 || m.Available > m.Total {
		return fmt.Errorf("%d bytes available of %d", m.Available, m.Total)
	}
	used := float64(m.Total - m.Available)
	r.Add("host.memory_used", used)
	r.Add("host.memory_usage", 100*used/float64(m.Total))
	return nil
}

func readSwap(ctx context.Context, r *source.Reading) error {
	s, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return err
	}
	if s.Total > 0 {
		r.Add("host.swap_usage", 100*float64(s.Used)/float64(s.Total))
	}
	return nil
}

// readFiles reads Linux' count of open file handles; other systems have none.
func readFiles(_ context.Context, r *source.Reading) error {
	proc := os.Getenv("HOST_PROC") // as gopsutil: the host's /proc in a container
	if proc == "" {
		proc = "/proc"
	}
	text, err := os.ReadFile(proc + "/sys/fs/file-nr")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\t")
	open, err := strconv.ParseFloat(strings.TrimSpace(first), 64)
	if err != nil {
		return fmt.Errorf("%s/sys/fs/file-nr: %w", proc, err)
	}
	r.Add("host.open_files", open)
	return nil
}

// readDisks adds the space of every mount; one that cannot be read is a
// problem of its own.
func (h *Host) readDisks(ctx context.Context, r *source.Reading) error {
	mounts := h.mounts
	if len(mounts) == 0 {
		var err error
		if mounts, err = localMounts(ctx); err != nil {
			return err
		}
	}
	for _, mount := range mounts {
		usage, err := h.disks.usage(ctx, mount)
		if err != nil {
			r.Problems = append(r.Problems, source.Problem{Query: "disk " + mount, Err: err})
			continue
		}
		if usage.Total == 0 {
			continue
		}
		r.Add("host.disk_usage", usage.UsedPercent, "mount", mount)
		r.Add("host.disk_free", float64(usage.Free), "mount", mount)
	}
	return nil
}
