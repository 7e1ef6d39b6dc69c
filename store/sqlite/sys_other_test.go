//go:build !linux

package sqlite_test

import (
	"errors"
	"os/exec"
	"time"
)

func inNamespaceOfItsOwn(*exec.Cmd) {}

func mountTiny(string) error { return errors.ErrUnsupported }

func dropRoot() error { return nil }

func cpuTime() (user, system time.Duration) { return 0, 0 }

func limitFiles(uint64) (func() error, error) { return nil, errors.ErrUnsupported }
