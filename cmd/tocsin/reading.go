package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/watch"
)

// reading is how one load reads its files, and what it read. The zero value
// reads from the disk.
type reading struct {
	// instead holds texts that stand in the place of files, by path; added are
	// those that are not there yet.
	instead map[string][]byte
	added   []string
	// again says that this is no start: what is no regular file, as a pipe, has
	// been read out.
	again bool
	// only, unless nil, are the files that the rules may name and the variables
	// that they may be written with.
	only *permitted

	sums     map[string]watch.Sum // by path, as they were read
	rules    []string             // the files of rules, in their order
	paths    []string             // of rule files, several of one file included
	used     []string             // files and patterns that rule files name
	inRules  bool
	patterns []string // of the configuration's rules; none where --rules takes their place
}

// permitted bounds what a text may reach that its sender need not be allowed to
// see.
type permitted struct {
	files, variables []string
	within           string // the folder that no name may leave
}

var (
	errReadOut  = errors.New("not a regular file; it can be read once, at the start")
	errNotNamed = errors.New("the running rules do not read this file, so a check does not either")
)

// input is how the configuration is read.
func (r *reading) input(w world) configs.Input {
	return configs.Input{
		Environ: w.environ, Stdin: w.stdin, ReadFile: r.file, Added: r.added, OnSecretFile: r.note,
		OnRuleFile: func(path string) { r.paths = append(r.paths, path) },
		OnPattern:  func(pattern string) { r.used = append(r.used, pattern) },
	}
}

// rulesInput is how the rule files are read.
func (r *reading) rulesInput(w world) configs.Input {
	r.inRules = true
	in := r.input(w)
	if r.only != nil {
		in.Within = r.only.within
		in.Permitted = func(path string) bool { return slices.Contains(r.only.files, path) }
		in.Environ = slices.DeleteFunc(slices.Clone(in.Environ), func(entry string) bool {
			name, _, _ := strings.Cut(entry, "=")
			return !slices.Contains(r.only.variables, name)
		})
	}
	return in
}

func (r *reading) file(path string) ([]byte, error) {
	data, err := r.text(path)
	if r.inRules && !slices.Contains(r.rules, path) {
		r.rules = append(r.rules, path)
	}
	if err == nil && data == nil {
		data = []byte{}
	}
	r.note(path, data)
	return data, err
}

func (r *reading) text(path string) ([]byte, error) {
	if text, ok := r.instead[filepath.Clean(path)]; ok {
		return text, nil
	}
	if r.inRules && r.only != nil && !slices.Contains(r.only.files, path) {
		return nil, errNotNamed
	}
	if r.again {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return nil, &fs.PathError{Op: "read", Path: path, Err: errReadOut}
		}
	}
	return os.ReadFile(path)
}

// finish notes the paths that lead to a file that was read by another.
func (r *reading) finish() {
	for _, path := range r.paths {
		if _, known := r.sums[path]; known {
			continue
		}
		data, err := r.text(path)
		if err != nil {
			data = nil
		}
		r.note(path, data)
	}
}

// watched are the patterns under which files may come that would be read.
func (r *reading) watched() []string { return slices.Concat(r.patterns, r.used) }

// note remembers what a file held; nil is a file that could not be read.
func (r *reading) note(path string, data []byte) {
	if r.sums == nil {
		r.sums = map[string]watch.Sum{}
	}
	r.sums[path] = watch.Sum{}
	if info, err := os.Stat(path); data != nil && (err != nil || info.Mode().IsRegular()) {
		r.sums[path] = watch.SumOf(data)
	}
}
