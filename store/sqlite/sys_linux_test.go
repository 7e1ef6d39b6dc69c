package sqlite_test

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// inNamespaceOfItsOwn lets a child mount what nobody else sees and what goes
// with it. Who is not root becomes it inside.
func inNamespaceOfItsOwn(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
}

func mountTiny(dir string) error {
	// Without this the mount would show outside of the namespace, too.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m")
}

// dropRoot becomes nobody: permissions do not bind root.
func dropRoot() error {
	if os.Getuid() != 0 {
		return nil
	}
	const nobody = 65534
	return syscall.Setuid(nobody)
}

// cpuTime is what this process has used of the processors: itself, and the
// kernel for it.
func cpuTime() (user, system time.Duration) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())
}

// limitFiles lets no file of this process grow beyond a size, until it is lifted.
func limitFiles(size uint64) (lift func() error, err error) {
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return nil, err
	}
	set := func(l syscall.Rlimit) error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l) }
	return func() error { return set(was) }, set(syscall.Rlimit{Cur: size, Max: was.Max})
}
