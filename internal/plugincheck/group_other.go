//go:build !unix

package plugincheck

import (
	"errors"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

func groupLives(cmd *exec.Cmd) bool { return cmd.ProcessState == nil }

func kill(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func terminate(*exec.Cmd) error { return errors.New("there is no SIGTERM on this system") }
