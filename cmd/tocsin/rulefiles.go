package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/internal/atomicfile"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// ruleFiles adapts the daemon to what the API edits.
type ruleFiles struct{ d *daemon }

func (v ruleFiles) plan() *plan {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	return v.d.plan
}

// RuleFiles lists the files that the running rules were read from.
func (v ruleFiles) RuleFiles(context.Context) ([]api.RuleFile, error) {
	p := v.plan()
	files := make([]api.RuleFile, 0, len(p.read.rules))
	for _, path := range p.read.rules {
		file, err := p.present(path)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// RuleFile finds one.
func (v ruleFiles) RuleFile(_ context.Context, name string) (api.RuleFile, error) {
	p := v.plan()
	path, err := p.ruleFile(name)
	if err != nil {
		return api.RuleFile{}, err
	}
	return p.present(path)
}

// WriteRuleFile checks the whole set with the text in the place of the file,
// writes it and works by exactly what was checked. Should the process die in
// between, the file holds the old text or the new, which the next start reads:
// both have passed the checks.
func (v ruleFiles) WriteRuleFile(ctx context.Context, w api.RuleWrite) (api.RuleWritten, error) {
	d := v.d
	d.mu.Lock() // no other edit and no reload comes between
	defer d.mu.Unlock()
	if d.stopping {
		return api.RuleWritten{}, api.ErrStopping
	}
	path, err := d.plan.ruleFile(w.Name)
	if err != nil {
		return api.RuleWritten{}, err
	}
	now, err := d.plan.present(path)
	if err != nil {
		return api.RuleWritten{}, err
	}
	if err := w.Allow(now); err != nil {
		return api.RuleWritten{}, err
	}
	if err := refusal(d.plan.newVariables(path, w.Text)); err != nil {
		return api.RuleWritten{}, err
	}
	f := d.files
	f.reading = readingInstead(now, w.Text)
	p, mistakes := load(f, d.world)
	if err := refusal(mistakes); err != nil {
		return api.RuleWritten{}, err
	}
	if !slices.Contains(f.reading.rules, path) {
		return api.RuleWritten{}, fmt.Errorf("%w: the configuration was edited and does not read %s any more", api.ErrNotWritten, path)
	}
	if err := atomicfile.Replace(path, w.Text); err != nil {
		return api.RuleWritten{}, fmt.Errorf("%w: %s: %s%s", api.ErrNotWritten, path, reasonOf(err), restore(now, w.Text))
	}
	if err := d.apply(ctx, p); err != nil {
		return api.RuleWritten{}, fmt.Errorf("%w: %w%s", api.ErrNotApplied, err, restore(now, w.Text))
	}
	d.conclude(ctx, f.reading, nil)
	written := api.RuleWritten{Path: path, Created: now.Missing, Rules: p.rulesOf(path), Total: len(p.rules)}
	d.log.Info("rule file written over HTTP", "file", path, "token", w.By, "created", now.Missing, "bytes", len(w.Text), "rules", written.Rules)
	return written, nil
}

// readingInstead reads from the disk, with a text in the place of a file.
func readingInstead(file api.RuleFile, text []byte) *reading {
	r := &reading{again: true, instead: map[string][]byte{filepath.Clean(file.Path): text}}
	if file.Missing {
		r.added = []string{file.Path}
	}
	return r
}

// restore puts back what a write that came to nothing found, unless it is there
// still, and says how the file stands.
func restore(was api.RuleFile, written []byte) string {
	now, err := os.ReadFile(was.Path)
	switch {
	case was.Missing && errors.Is(err, fs.ErrNotExist), err == nil && !was.Missing && string(now) == string(was.Text):
		return "; the file is as it was"
	case err == nil && string(now) != string(written):
		return "; the file was changed by somebody else meanwhile and was left so"
	case was.Missing:
		err = atomicfile.Remove(was.Path)
	default:
		err = atomicfile.Replace(was.Path, was.Text)
	}
	if err != nil {
		return "; the file could not be put back and holds the new text: " + reasonOf(err)
	}
	return "; the file was put back as it was"
}

// CheckRules finds the mistakes of a text. Whoever may read may check, so the
// text reaches no file and no variable but those of the running rules, which
// GET /api/v1/rules shows: a mistake quotes what it is about. One text is
// checked at a time; ctx ends the wait.
func (v ruleFiles) CheckRules(ctx context.Context, file string, text []byte) (api.RuleCheck, error) {
	select {
	case v.d.checking <- struct{}{}:
		defer func() { <-v.d.checking }()
	case <-ctx.Done():
		return api.RuleCheck{}, ctx.Err()
	}
	p, f := v.plan(), v.d.files
	only := &permitted{files: p.read.rules, variables: p.variables(), within: p.folder(filepath.Dir(f.config))}
	if file == "" {
		return v.checkAlone(p, text, only), nil
	}
	path, err := p.ruleFile(file)
	if err != nil {
		return api.RuleCheck{}, err
	}
	now, err := p.present(path)
	if err != nil {
		return api.RuleCheck{}, err
	}
	f.reading = readingInstead(now, text)
	only.files = append(slices.Clone(only.files), path)
	f.reading.only, f.lint = only, true
	checked, mistakes := load(f, v.d.world)
	out := api.RuleCheck{Mistakes: mistakesOf(mistakes)}
	if checked != nil {
		out.Rules = checked.rulesOf(path)
	}
	return out, nil
}

// checkAlone checks a text as if it were the only rule file.
func (v ruleFiles) checkAlone(p *plan, text []byte, only *permitted) api.RuleCheck {
	const body = "body"
	name := filepath.Join(filepath.Dir(v.d.files.config), body) // what it names is relative to that
	read := &reading{again: true, instead: map[string][]byte{name: text}, only: only}
	_, places, _, mistakes := loadRules([]string{name}, read.rulesInput(v.d.world), p.config.Catalog(), newLinter(nil, nil, nil))
	out := api.RuleCheck{Rules: len(places), Mistakes: mistakesOf(mistakes)}
	for i := range out.Mistakes {
		if out.Mistakes[i].File == name {
			out.Mistakes[i].File = body
		}
	}
	return out
}

// ruleFile finds the path of a rule file: one that was read, or one that may be
// made because a pattern of the configuration takes it.
func (p *plan) ruleFile(name string) (string, error) {
	if name == "" || strings.ContainsRune(name, 0) || slices.Contains(strings.FieldsFunc(name, isSeparator), "..") {
		return "", fmt.Errorf("%w: %q", api.ErrBadRuleFileName, name)
	}
	var found []string
	plain := !strings.ContainsFunc(name, isSeparator)
	for _, path := range p.read.rules {
		switch clean := filepath.Clean(path); {
		case clean == filepath.Clean(name), clean == filepath.Clean("/"+name):
			return path, nil
		case plain && filepath.Base(path) == name:
			found = append(found, path)
		}
	}
	if len(found) == 0 {
		found = p.creatable(name, plain)
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: %q; GET /api/v1/rulefiles lists what there is", api.ErrNoRuleFile, name)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%w: name one of %s", api.ErrRuleFileAmbiguous, strings.Join(found, ", "))
}

func isSeparator(r rune) bool { return r == '/' || r == filepath.Separator }

// creatable returns the paths under which a file of that name would be read. A
// plain name stands in the folder of a pattern.
func (p *plan) creatable(name string, plain bool) []string {
	if strings.HasPrefix(filepath.Base(name), ".") {
		return nil // hidden files are editors' and ours
	}
	var found []string
	for _, pattern := range p.read.patterns {
		path := filepath.Clean(name)
		if folder := filepath.Dir(pattern); plain && !strings.ContainsAny(folder, "*?[") {
			path = filepath.Join(folder, name)
		}
		if fits, err := filepath.Match(pattern, path); err == nil && fits && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found
}

// present reads a rule file as it is now.
func (p *plan) present(path string) (api.RuleFile, error) {
	file := api.RuleFile{Path: path, Rules: p.rulesOf(path)}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return file, fmt.Errorf("%w: %s is not a regular file", api.ErrNoRuleFile, path)
	}
	if err == nil {
		file.Text, err = os.ReadFile(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		file.Missing = true
		return file, nil
	}
	if err != nil {
		return file, fmt.Errorf("rule file: %w", err)
	}
	return file, nil
}

// rulesOf counts the rules of a file, disabled ones included.
func (p *plan) rulesOf(path string) int {
	n := 0
	for _, r := range p.places {
		if filepath.Clean(r.File) == filepath.Clean(path) {
			n++
		}
	}
	return n
}

// folder returns the configuration's folder when every rule file lies below it,
// else an empty string.
func (p *plan) folder(dir string) string {
	dir, err := filepath.Abs(dir)
	if resolved, err2 := filepath.EvalSymlinks(dir); err != nil || err2 != nil || resolved != dir {
		return ""
	}
	for _, path := range p.read.rules {
		abs, err := filepath.Abs(path)
		if err != nil {
			return ""
		}
		if rel, err := filepath.Rel(dir, abs); err != nil || !filepath.IsLocal(rel) {
			return ""
		}
	}
	return dir
}

// variables are those that the rule files, as they are now, are written with.
func (p *plan) variables() []string {
	var names []string
	for _, path := range p.read.rules {
		if file, err := p.present(path); err == nil {
			if doc, _ := yamlpos.Parse(path, file.Text); doc != nil {
				names = append(names, doc.Variables("")...)
			}
		}
	}
	return names
}

// newVariables refuses a text with variables that no rule file has: what a rule
// says is shown to whoever may read, and the environment holds secrets.
func (p *plan) newVariables(path string, text []byte) yamlpos.Mistakes {
	doc, _ := yamlpos.Parse(path, text) // its mistakes are found where it is loaded
	if doc == nil {
		return nil
	}
	var mistakes yamlpos.Mistakes
	known := p.variables()
	for _, name := range doc.Variables("") {
		if !slices.Contains(known, name) {
			mistakes = append(mistakes, yamlpos.Mistake{
				File: path, Message: fmt.Sprintf("no rule file uses the variable %s yet, and one that is written over HTTP may not begin to", name),
				Hint: "edit the file on the disk",
			})
		}
	}
	return mistakes
}

// reasonOf is an error of the file system with no path but the caller's.
func reasonOf(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err.Error()
	case errors.As(err, &link):
		return link.Err.Error()
	}
	return err.Error()
}
