//go:build unix

package plugincheck

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ownGroup makes a process the head of its group, so that its children can be
// found.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// groupLives says whether any process of the group is left. One that has ended
// and that nobody has waited for is none: an orphan's new parent may take its
// time.
func groupLives(cmd *exec.Cmd) bool {
	if errors.Is(syscall.Kill(-cmd.Process.Pid, 0), syscall.ESRCH) {
		return false
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true // a system without /proc
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		// pid (name) state ppid pgrp: the name may have spaces and parentheses.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(cmd.Process.Pid) && fields[0] != "Z" {
			return true
		}
	}
	return false
}

func kill(cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGKILL) }

func terminate(cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGTERM) }
