package pluginhost

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownGroup starts a process in a group of its own, and has the kernel kill it
// when the thread that started it ends, as every thread does with the daemon.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit waits for a process to end and leaves it to be waited for: until
// then its number, which is its group's, cannot be another's. False is that it
// could not.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}

// killForked kills what is left of a group whose first process is gone.
func killForked(pid int) { killGroup(pid) }

// killLeftovers kills the processes whose environment names the folder: what a
// plugin has forked into another group, or left behind when the daemon was
// killed.
func killLeftovers(folder string) {
	if folder == "" {
		return
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err != nil {
			continue // gone, or another user's
		}
		for _, entry := range bytes.Split(environ, []byte{0}) {
			value, found := bytes.CutPrefix(entry, []byte(socketsVariable+"="))
			if found && isWithin(string(value), folder) {
				_ = unix.Kill(pid, unix.SIGKILL) // it may be gone
			}
		}
	}
}
