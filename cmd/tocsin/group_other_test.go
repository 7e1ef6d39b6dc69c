//go:build !unix

package main

import (
	"os"
	"syscall"
)

// ownGroup adds nothing where there are no groups.
func ownGroup() *syscall.SysProcAttr { return nil }

// endGroup ends the process alone.
func endGroup(p *os.Process, _ syscall.Signal) { _ = p.Kill() }
