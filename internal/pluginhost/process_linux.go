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
		killIfWithin(pid, folder)
	}
}

// killIfWithin kills a process whose environment names the folder. It is held by a
// descriptor meanwhile, where the kernel has those (since 5.3): its number may be
// another's by the time of the kill, a process that has nothing to do with us.
func killIfWithin(pid int, folder string) {
	held, err := unix.PidfdOpen(pid, 0)
	if err != nil && !errors.Is(err, unix.ENOSYS) {
		return // gone, or not a process
	}
	if err == nil {
		defer func() { _ = unix.Close(held) }() // nothing was written
	}
	environ, unread := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if unread != nil {
		return // gone, or another user's
	}
	for _, entry := range bytes.Split(environ, []byte{0}) {
		value, found := bytes.CutPrefix(entry, []byte(socketsVariable+"="))
		switch {
		case !found || !isWithin(string(value), folder):
		case err == nil:
			_ = unix.PidfdSendSignal(held, unix.SIGKILL, nil, 0) // it may be gone
		default:
			_ = unix.Kill(pid, unix.SIGKILL) // it may be gone
		}
	}
}
