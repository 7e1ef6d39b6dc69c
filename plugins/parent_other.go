//go:build !unix

package plugins

import (
	"os"
)

// parentGone returns a channel that is closed when the process that started this
// one has ended.
func parentGone() <-chan struct{} {
	gone := make(chan struct{})
	parent, err := os.FindProcess(os.Getppid())
	if err != nil {
		close(gone)
		return gone
	}
	go func() {
		_, _ = parent.Wait() // waits for any process on Windows
		close(gone)
	}()
	return gone
}

// guardStdout does nothing here: there is no dup2.
func guardStdout() error { return nil }
