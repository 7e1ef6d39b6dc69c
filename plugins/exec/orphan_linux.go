package main

import "syscall"

// dieWithParent has the system kill the command when the plugin ends, however
// that ends.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
