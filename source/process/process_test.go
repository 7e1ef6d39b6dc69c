package process

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/tocsin-dev/tocsin/source"
)

func newSource(t *testing.T, cfg Config) *Source {
	t.Helper()
	if ps := cfg.Validate(); len(ps) > 0 {
		t.Fatal(ps.Err())
	}
	s, err := New(cfg, "app")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func value(r source.Reading, metric string) float64 {
	for _, s := range r.Samples {
		if s.Metric == metric {
			return s.Value
		}
	}
	return math.NaN()
}

func TestTheDaemonsOwnProcess(t *testing.T) {
	s := newSource(t, Default())
	r, err := s.Poll(t.Context())
	if err != nil || len(r.Problems) > 0 {
		t.Fatal(err, r.Problems)
	}
	if !math.IsNaN(value(r, "process.cpu")) {
		t.Error("a first poll has a CPU value")
	}
	for _, metric := range []string{"process.memory", "process.open_files", "process.open_files_usage"} {
		if !(value(r, metric) > 0) {
			t.Errorf("%s = %v", metric, value(r, metric))
		}
	}
	if up := value(r, "process.uptime"); up < 0 || up > 600 || time.Since(r.StartedAt) > 10*time.Minute {
		t.Errorf("uptime %v, started %v", up, r.StartedAt)
	}
	if r.Samples[0].Labels.Get("process") != "app" {
		t.Errorf("labels %s", r.Samples[0].Labels)
	}
	burn()
	if r, err = s.Poll(t.Context()); err != nil || !(value(r, "process.cpu") > 0) {
		t.Errorf("CPU %v, %v", value(r, "process.cpu"), err)
	}
}

// burn uses CPU time until the kernel has counted some, two of its ticks at
// least.
func burn() {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for from := used(); used()-from < 40*time.Millisecond; {
	}
}

// child starts a process that waits for its standard input to close.
func child(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip("no cat to watch:", err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return cmd
}

func TestAnotherProcess(t *testing.T) {
	pid := child(t).Process.Pid
	file := filepath.Join(t.TempDir(), "app.pid")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%d\n/var/lib/app\n", pid), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{{PID: int32(pid)}, {PIDFile: file}} { //nolint:gosec // fits
		s := newSource(t, cfg)
		r, err := s.Poll(t.Context())
		if err != nil || !(value(r, "process.memory") > 0) || r.StartedAt.IsZero() {
			t.Errorf("%+v: %v %v", cfg, r.Samples, err)
		}
	}
}

func TestProcessesOfOneNameAreSummed(t *testing.T) {
	dir := t.TempDir()
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("no cat to watch")
	}
	// A name of its own, so that no other process has it.
	name := "tocsin-cat"
	if err := os.Symlink(cat, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, name))
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = in.Close()
			_ = cmd.Wait()
		})
	}
	s := newSource(t, Config{Name: name})
	r, err := s.Poll(t.Context())
	if err != nil || value(r, "process.open_files") < 6 || r.Samples[0].Labels.Get("process") != "app" {
		t.Fatalf("%v, %v", r.Samples, err)
	}
	if len(s.last) != 2 {
		t.Errorf("%d processes found, want 2", len(s.last))
	}
}

func TestNoSuchProcessIsDown(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{Name: "no-such-process-here"}, `no process is named "no-such-process-here"`},
		{Config{PID: math.MaxInt32}, "process 2147483647"},
		{Config{PIDFile: filepath.Join(dir, "none")}, "pid_file: open"},
		{Config{PIDFile: garbage}, "does not begin with a process number"},
	} {
		_, err := newSource(t, tt.cfg).Poll(t.Context())
		if err == nil || source.KindOf(err) != source.Down || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.cfg, err, tt.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{PID: -1}, "pid: must be positive"},
		{Config{PID: 1, Name: "x"}, "executable: only one of"},
		{Config{Name: "/usr/bin/node"}, "executable: is a name without path; write node"},
	} {
		if ps := tt.cfg.Validate(); len(ps) != 1 || !strings.HasPrefix(ps[0].Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.cfg, ps, tt.want)
		}
	}
	host := HostConfig{Mounts: []string{"/", "data", "//"}}
	if ps := host.Validate(); len(ps) != 2 || ps[0].Path != "mounts[1]" || ps[1].Path != "mounts[2]" {
		t.Errorf("%v", ps)
	}
}

func TestTheHost(t *testing.T) {
	h, err := NewHost(DefaultHost())
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Poll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(value(r, "host.cpu")) {
		t.Error("a first poll has a CPU value")
	}
	for _, metric := range []string{"host.memory_used", "host.memory_usage", "host.disk_free"} {
		if !(value(r, metric) > 0) {
			t.Errorf("%s = %v; problems %v", metric, value(r, metric), r.Problems)
		}
	}
	burn()
	r, err = h.Poll(t.Context())
	if cpu := value(r, "host.cpu"); err != nil || !(cpu > 0 && cpu <= 100) {
		t.Errorf("CPU %v, %v", cpu, err)
	}
	catalog := source.NewCatalog(nil, false)
	for _, s := range r.Samples {
		if _, ok := catalog.Lookup(s.Metric); !ok {
			t.Errorf("%s is not in the catalog", s.Metric)
		}
	}
}

func TestAMountThatIsNotThereFailsAlone(t *testing.T) {
	h, err := NewHost(HostConfig{Mounts: []string{"/no/such/mount", "/"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Poll(t.Context())
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Query != "disk /no/such/mount" || !(value(r, "host.disk_free") > 0) {
		t.Fatalf("%v, %v", r.Problems, err)
	}
}

func TestLocalMounts(t *testing.T) {
	got := chooseMounts([]disk.PartitionStat{
		{Device: "/dev/sda1", Mountpoint: "/var/lib/docker", Fstype: "ext4"},
		{Device: "/dev/sda1", Mountpoint: "/data", Fstype: "ext4"},
		{Device: "/dev/sda1", Mountpoint: "/etc/hosts", Fstype: "ext4"},
		{Device: "/dev/loop0", Mountpoint: "/snap/core/1", Fstype: "squashfs"},
		{Device: "/dev/sdb", Mountpoint: "/backup", Fstype: "xfs"},
	}, func(path string) bool { return path != "/etc/hosts" })
	if want := []string{"/", "/backup", "/data"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAFileSystemThatHangsIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked atomic.Int32
		d := disks{pending: map[string]chan answer{}, ask: func(context.Context, string) (*disk.UsageStat, error) {
			if asked.Add(1) == 1 {
				<-release
			}
			return &disk.UsageStat{Total: 1}, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.usage(ctx, "/nfs"); err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Fatalf("hanging: %v", err)
		}
		if _, err := d.usage(t.Context(), "/nfs"); err == nil || asked.Load() != 1 {
			t.Fatalf("still hanging: %v, asked %d times", err, asked.Load())
		}
		close(release)
		synctest.Wait()
		if u, err := d.usage(t.Context(), "/nfs"); err != nil || u.Total != 1 || asked.Load() != 2 {
			t.Fatalf("freed: %v, asked %d times", err, asked.Load())
		}
	})
}
