package pgtest

import "syscall"

// sysProcAttr makes the kernel end the program when the test process dies
// without its cleanups, as after a timeout.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
}
