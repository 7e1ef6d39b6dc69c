package watch

import (
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links are followed, as the kernel does.
const maxLinks = 40

// places are the folders to watch, without symbolic links in their paths, and
// in each the names that matter. Folders and not files: an editor that writes
// beside a file and renames gives it another inode.
type places map[string]*names

type names struct {
	exact    map[string]bool
	patterns []string
}

// placesOf finds where a change of the files, or of what fits the patterns,
// would show.
func placesOf(files map[string]Sum, patterns []string) places {
	p := places{}
	for name := range files {
		p.follow(name, maxLinks)
	}
	for _, pattern := range patterns {
		p.glob(pattern)
	}
	return p
}

func (p places) at(dir string) *names {
	if p[dir] == nil {
		p[dir] = &names{exact: map[string]bool{}}
	}
	return p[dir]
}

// follow walks down a path. Each symbolic link on the way is a place, for it
// may be swapped, as Kubernetes swaps ..data; so is the file itself, or the
// first step of the path that is not there yet.
func (p places) follow(path string, links int) {
	dir := filepath.VolumeName(path) + string(filepath.Separator)
	steps := split(path)
	for i, step := range steps {
		next := filepath.Join(dir, step)
		info, err := os.Lstat(next)
		switch {
		case err != nil || i == len(steps)-1 && info.Mode()&os.ModeSymlink == 0:
			p.at(dir).exact[step] = true
			return
		case info.Mode()&os.ModeSymlink != 0:
			p.at(dir).exact[step] = true
			target, err := os.Readlink(next)
			if err != nil || links == 0 {
				return
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(dir, target)
			}
			p.follow(filepath.Join(append([]string{target}, steps[i+1:]...)...), links-1)
			return
		}
		dir = next
	}
}

// glob adds the folders in which a name would make a pattern fit. One without
// * ? and [ is a file.
func (p places) glob(pattern string) {
	if !isPattern(pattern) {
		p.follow(pattern, maxLinks)
		return
	}
	root := filepath.VolumeName(pattern) + string(filepath.Separator)
	steps := split(pattern)
	for i, step := range steps {
		if !isPattern(strings.Join(steps[:i+1], "")) {
			continue
		}
		above := filepath.Join(append([]string{root}, steps[:i]...)...)
		dirs := []string{above}
		if isPattern(above) {
			dirs, _ = filepath.Glob(above) // a pattern that is none finds nothing
		}
		for _, dir := range dirs {
			p.follow(dir, maxLinks)
			if real, err := filepath.EvalSymlinks(dir); err == nil && isFolder(real) {
				n := p.at(real)
				n.patterns = append(n.patterns, step)
			}
		}
	}
}

// matters says whether an event's path is one of the places, or a folder that
// is watched: that it was moved or removed.
func (p places) matters(path string) bool {
	if p[path] != nil {
		return true
	}
	dir, name := filepath.Split(path)
	n := p[filepath.Clean(dir)]
	if n == nil {
		return false
	}
	for _, pattern := range n.patterns {
		if fits, err := filepath.Match(pattern, name); err == nil && fits {
			return true
		}
	}
	return n.exact[name]
}

func split(path string) []string {
	return strings.FieldsFunc(path[len(filepath.VolumeName(path)):], func(r rune) bool { return r == filepath.Separator })
}

func isFolder(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
