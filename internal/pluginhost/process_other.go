//go:build !unix

package pluginhost

import (
	"os"
	"syscall"
)

// ownGroup adds nothing where there are no groups.
func ownGroup() *syscall.SysProcAttr { return nil }

// awaitExit does not wait: cmd.Wait does.
func awaitExit(int) bool { return false }

// killForked does nothing: there are no groups.
func killForked(int) {}

// killLeftovers does nothing: whose a process is cannot be told here.
func killLeftovers(string) {}

// killGroup kills the process alone.
func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill() // it may be gone
	}
}

// terminate cannot ask a process to end.
func terminate(int) bool { return false }
