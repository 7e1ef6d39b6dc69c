package sqlite_test

import (
	"os"
	"os/exec"
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

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
