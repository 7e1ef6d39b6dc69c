//go:build unix && !linux

package main

import "syscall"

// dieWithParent does nothing: only Linux can. A command outlives a plugin that is
// killed by its own run time at most.
func dieWithParent(*syscall.SysProcAttr) {}
