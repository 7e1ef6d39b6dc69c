package configs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// Input is what the process was started with.
type Input struct {
	// Environ is os.Environ() or like it: NAME=value.
	Environ []string
	// Stdin is read for the file "-"; nil is empty.
	Stdin io.Reader
	// Within, when set, is the folder that the `use` of a rule file may not
	// leave: for texts that come over the network, whose mistakes would show
	// lines of any file.
	Within string
	// Permitted, when set, says which files a `use` may name, for the same texts:
	// the others are as if they were not there, so that nobody learns which are.
	Permitted func(path string) bool
	// ReadFile reads a file but standard input; nil is os.ReadFile.
	ReadFile func(path string) ([]byte, error)
	// Added are rule files that count as there, for ReadFile has them.
	Added []string
	// What follows is for whoever watches the files, and may be nil.
	// OnRuleFile is told of each path of a rule file, also when it leads to a
	// file that was read already; OnPattern of each file or pattern that a `use`
	// names; OnSecretFile of each file that a key such as token_file names, with
	// its content: nil is a file that could not be read.
	OnRuleFile, OnPattern func(path string)
	OnSecretFile          func(path string, content []byte)
}

// Load reads the configuration file and the environment's overrides and checks
// everything that can be checked without connecting anywhere. The mistakes are
// all there are, in file order; a file that could not be read is one of them,
// with Unread set. The configuration must be used only when mistakes.Err() is
// nil; beside mistakes it serves for checking the rules too, and it is nil when
// the file is no YAML.
func Load(path string, kinds Kinds, in Input) (*Config, yamlpos.Mistakes) {
	config, _, mistakes := LoadWritten(path, kinds, in)
	return config, mistakes
}

// load fills the configuration, and leaves nothing out yet.
func (l *loader) load(path string, in Input) {
	l.overrides(in.Environ)
	l.add(l.doc.Expand(in.lookup()))
	l.config = Default()
	var parts parts
	l.add(l.doc.Decode(&l.config, &parts))
	l.plugins(path)
	l.sources(parts.Sources)
	l.receivers(parts.Receivers)
	l.add(l.doc.Locate(l.config.Validate()))
	l.ruleFiles(path, in.Added)
}

// parts are the lists whose items have a shape of their own each.
type parts struct {
	Sources   []yamlpos.Deferred `yaml:"sources"`
	Receivers []yamlpos.Deferred `yaml:"receivers"`
}

// loader is one Load.
type loader struct {
	doc      *yamlpos.Document
	kinds    Kinds
	config   Config
	mistakes yamlpos.Mistakes
}

func (l *loader) add(mistakes yamlpos.Mistakes) { l.mistakes = append(l.mistakes, mistakes...) }

func (l *loader) locate(problems problem.List) { l.add(l.doc.Locate(problems)) }

// overrides puts the TOCSIN_ variables into the document.
func (l *loader) overrides(environ []string) {
	settings, mistakes := overridesOf(environ, l.doc.Variables(""))
	l.add(mistakes)
	for _, s := range settings {
		l.add(l.doc.Set(s.path, s.value, "environment "+s.variable))
	}
}

// leaveOut takes the skipped sources and receivers out, and the receivers out
// of the routes. A route that loses its last receiver inherits its parent's.
func (l *loader) leaveOut() {
	c := &l.config
	lost := map[string]*Skipped{}
	for _, s := range c.Sources {
		if s.skip != nil {
			c.Skipped = append(c.Skipped, *s.skip)
		}
	}
	for _, r := range c.Receivers {
		if r.skip != nil {
			c.Skipped = append(c.Skipped, *r.skip)
			lost[r.Name] = r.skip
		}
	}
	c.Sources = slices.DeleteFunc(c.Sources, func(s Source) bool { return s.skip != nil })
	c.Receivers = slices.DeleteFunc(c.Receivers, func(r Receiver) bool { return r.skip != nil })
	before := c.Route.Receivers
	dropReceivers(&c.Route, lost)
	if len(before) > 0 && len(c.Route.Receivers) == 0 {
		var set []string
		for _, name := range before {
			set = append(set, lost[name].Variables...)
		}
		hint := "add a receiver that is always there, such as one of type console"
		if len(set) > 0 {
			hint = "set " + strings.Join(set, " or ") + ", or " + hint
		}
		l.locate(problem.List{{Path: "route.receivers", Message: "every receiver here is left out", Hint: hint}})
	}
}

// read returns the content of a file, or of standard input for "-".
func (in Input) read(path string) ([]byte, yamlpos.Mistakes) {
	var data []byte
	var err error
	switch {
	case path == "-" && in.Stdin == nil:
	case path == "-":
		data, err = io.ReadAll(in.Stdin)
	case in.ReadFile != nil:
		data, err = in.ReadFile(path)
	default:
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, yamlpos.Mistakes{unreadable(path, err)}
	}
	return data, nil
}

func unreadable(path string, err error) yamlpos.Mistake {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return yamlpos.Mistake{File: displayName(path), Code: problem.Unreadable, Message: "cannot read the file: " + err.Error(), Unread: true}
}

func displayName(path string) string {
	if path == "-" {
		return yamlpos.StandardInput
	}
	return path
}

// lookup finds a variable as os.LookupEnv does.
func (in Input) lookup() func(string) (string, bool) {
	values := make(map[string]string, len(in.Environ))
	for _, entry := range in.Environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			values[name] = value
		}
	}
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}
