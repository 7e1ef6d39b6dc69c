//go:build unix

package pluginhost

import "syscall"

// killGroup kills a process and those of its group. It may be gone already.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// terminate asks a process to end; false when it cannot be asked.
func terminate(pid int) bool { return pid > 0 && syscall.Kill(pid, syscall.SIGTERM) == nil }
