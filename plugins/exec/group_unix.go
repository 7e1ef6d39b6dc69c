//go:build unix

package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// ownGroup makes the command the head of a process group, and returns what kills
// the group.
func ownGroup(cmd *exec.Cmd) func() error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	return func() error {
		if cmd.Process == nil {
			return nil
		}
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// run runs the command on a thread that stays: the system takes the end of the
// thread that started it for the end of its parent.
func run(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}
