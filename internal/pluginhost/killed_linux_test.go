package pluginhost_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/pluginhost"
)

// hostWord makes a process of this binary a host of one plugin, until it is
// killed. Its arguments are the folder of sockets and those of the plugin.
const hostWord = "be-a-host"

func beHost(args []string) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	h := pluginhost.New(pluginhost.Options{Log: slog.New(slog.DiscardHandler), TempDir: args[0]})
	spec := pluginhost.Spec{Name: "pager", Path: self, Args: append([]string{pluginWord}, args[1:]...), MTLS: true, Timeout: patience}
	if err := h.Apply([]pluginhost.Spec{spec}); err != nil {
		panic(err)
	}
	for {
		if s := h.Status()[0]; s.State == pluginhost.Running {
			fmt.Println(s.PID)
			select {}
		}
	}
}

// TestAKilledHostLeavesNothing: the kernel kills the plugin, which does not watch
// its parent; what the plugin had forked and the sockets are swept by the next
// host.
func TestAKilledHostLeavesNothing(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "well")
	next := start(t, spec)
	children := filepath.Join(t.TempDir(), "child")
	host := exec.Command(spec.Path, hostWord, next.dir, "forks", children) //nolint:noctx // it is killed below
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line := bufio.NewScanner(out)
	line.Scan()
	pid, err := strconv.Atoi(line.Text())
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var killed *exec.ExitError
	if err := host.Wait(); !errors.As(err, &killed) {
		t.Fatal(err)
	}
	wantGone(t, pid)
	sweeps := pluginhost.New(pluginhost.Options{Log: slog.New(slog.DiscardHandler), Pace: hurry(), TempDir: next.dir})
	if err := sweeps.Apply([]pluginhost.Spec{spec}); err != nil {
		t.Fatal(err)
	}
	sweeps.Close()
	for i := range 2 {
		wantGone(t, readPID(t, children+strconv.Itoa(i)))
	}
	if _, err := next.notify(sample()); err != nil {
		t.Error("a host that lives was swept:", err)
	}
}
