//go:build !unix

package main

import "os/exec"

// ownGroup returns what kills the command. What it started lives on: there are no
// process groups here.
func ownGroup(cmd *exec.Cmd) func() error {
	return func() error {
		if cmd.Process == nil {
			return nil
		}
		return cmd.Process.Kill()
	}
}

func run(cmd *exec.Cmd) error { return cmd.Run() }
