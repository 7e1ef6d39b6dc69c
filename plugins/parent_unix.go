//go:build unix

package plugins

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// parentLook is how often the plugin looks whether its parent lives.
const parentLook = 250 * time.Millisecond

// parentGone returns a channel that is closed when the process that started this
// one has ended: the system gives an orphan another parent. Only by that does a
// plugin learn of a kill -9, which lets nobody say goodbye.
func parentGone() <-chan struct{} {
	gone, parent := make(chan struct{}), os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(parentLook)
		}
		close(gone)
	}()
	return gone
}

// guardStdout keeps the standard output for go-plugin's handshake. Whatever else
// writes to it, a library in C or a child process too, writes to the standard
// error instead, where the daemon's log takes it.
func guardStdout() error {
	fd, err := unix.FcntlInt(uintptr(unix.Stdout), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return fmt.Errorf("dup the standard output: %w", err)
	}
	if err := unix.Dup2(unix.Stderr, unix.Stdout); err != nil {
		return fmt.Errorf("dup2 over the standard output: %w", err)
	}
	os.Stdout = os.NewFile(uintptr(fd), "/dev/stdout")
	return nil
}
