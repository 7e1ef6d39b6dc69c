package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/shirou/gopsutil/v4/disk"
)

// localMounts returns the mount points of the file systems that hold this
// machine's own data: on a device, not read-only images, each device once by
// its shortest mount point, and / in any case, which in a container is an
// overlay.
func localMounts(ctx context.Context) ([]string, error) {
	partitions, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return nil, err
	}
	return chooseMounts(partitions, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	}), nil
}

func chooseMounts(partitions []disk.PartitionStat, isDir func(string) bool) []string {
	byDevice := map[string]string{}
	for _, p := range partitions {
		// Containers mount single files, such as /etc/hosts, from the host.
		if isImage(p.Fstype) || !isDir(p.Mountpoint) {
			continue
		}
		if known, ok := byDevice[p.Device]; !ok || len(p.Mountpoint) < len(known) {
			byDevice[p.Device] = p.Mountpoint
		}
	}
	mounts := []string{"/"}
	for _, mount := range byDevice {
		if !slices.Contains(mounts, mount) {
			mounts = append(mounts, mount)
		}
	}
	slices.Sort(mounts)
	return mounts
}

// isImage says whether a file system is always full: nothing can be written.
func isImage(fstype string) bool {
	switch fstype {
	case "squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs":
		return true
	}
	return false
}

// disks asks file systems for their space. A network file system whose server
// is gone blocks whoever asks, in the kernel and beyond any deadline: each is
// asked by a goroutine of its own, and not again before it answered.
type disks struct {
	ask     func(context.Context, string) (*disk.UsageStat, error)
	pending map[string]chan answer
}

type answer struct {
	usage *disk.UsageStat
	err   error
}

func newDisks() disks {
	return disks{ask: disk.UsageWithContext, pending: map[string]chan answer{}}
}

// usage asks for the space of a mount point, for as long as ctx allows.
func (d *disks) usage(ctx context.Context, mount string) (*disk.UsageStat, error) {
	if stuck, ok := d.pending[mount]; ok {
		select {
		case <-stuck:
			delete(d.pending, mount) // it answered at last: ask anew
		default:
			return nil, errors.New("the file system has not answered since an earlier poll")
		}
	}
	answered := make(chan answer, 1)
	go func() {
		usage, err := d.ask(ctx, mount)
		answered <- answer{usage, err}
	}()
	select {
	case got := <-answered:
		if got.err != nil {
			return nil, got.err
		}
		return got.usage, nil
	case <-ctx.Done():
		d.pending[mount] = answered
		return nil, fmt.Errorf("the file system does not answer: %w", ctx.Err())
	}
}
