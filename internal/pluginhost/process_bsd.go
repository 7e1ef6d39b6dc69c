//go:build unix && !linux

package pluginhost

import "syscall"

// ownGroup starts a process in a group of its own. Only the SDK, which watches
// its parent, ends a plugin whose daemon was killed.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does not wait: cmd.Wait does, after which the number is free.
func awaitExit(int) bool { return false }

// killForked kills what is left of a group whose first process is gone.
func killForked(pid int) { killGroup(pid) }

// killLeftovers does nothing: whose a process is cannot be told here.
func killLeftovers(string) {}
