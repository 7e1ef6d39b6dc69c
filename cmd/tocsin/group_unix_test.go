//go:build unix

package main

import (
	"os"
	"syscall"
)

// ownGroup starts a script in a group of its own, that all of it can be ended.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// endGroup signals a process and those of its group, which may be gone.
func endGroup(p *os.Process, with syscall.Signal) { _ = syscall.Kill(-p.Pid, with) }
