package pluginhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

const (
	// fileSuffix makes of the key of a secret the key of the file that holds it, as
	// in the rest of the configuration.
	fileSuffix     = "_file"
	maxSecretBytes = 64 << 10
)

// withFiles puts the contents of files into the settings: where the schema has a
// secret x ("writeOnly") and no x_file, x_file names a file that holds it, relative
// to the folder. Files are read at every call, so a secret may be exchanged at any
// time.
func (s *Schema) withFiles(settings []byte, folder string) ([]byte, problem.List) {
	if s == nil || !bytes.Contains(settings, []byte(fileSuffix+`"`)) {
		return settings, nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(settings))
	if err != nil {
		return settings, nil // Check says so
	}
	f := fileFiller{folder: folder}
	f.walk(value, s.compiled, nil)
	if !f.changed {
		return settings, f.problems
	}
	out, err := json.Marshal(value)
	if err != nil {
		return settings, problem.List{{Message: "the settings cannot be written as JSON"}}
	}
	return out, f.problems
}

// fileFiller is one withFiles.
type fileFiller struct {
	folder   string
	changed  bool
	problems problem.List
}

func (f *fileFiller) walk(value any, s *jsonschema.Schema, at []string) {
	s = referred(s)
	if s == nil {
		return
	}
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			f.walk(item, s.Items2020, append(at, fmt.Sprint(i)))
		}
	case map[string]any:
		for key, item := range v {
			base, isFile := strings.CutSuffix(key, fileSuffix)
			if secret := referred(s.Properties[base]); isFile && s.Properties[key] == nil && secret != nil && secret.WriteOnly {
				f.fill(v, key, base, append(at, key))
				continue
			}
			f.walk(item, s.Properties[key], append(at, key))
		}
	}
}

// fill replaces one key by what its file holds, or takes it out.
func (f *fileFiller) fill(in map[string]any, key, base string, at []string) {
	name, isText := in[key].(string)
	delete(in, key)
	f.changed = true
	if !isText || name == "" {
		f.problems.Add(pathOf(at), "want the name of a file")
		return
	}
	if _, both := in[base]; both {
		f.problems.AddHint(pathOf(at), "keep one", "%s and %s are both given", base, key)
		return
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(f.folder, name)
	}
	content, err := readSecret(name)
	if err != nil {
		f.problems.Add(pathOf(at), "cannot read the file: %s", reasonOf(err))
		return
	}
	in[base] = content
}

func readSecret(name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file") // a pipe would keep us waiting
	}
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(file, maxSecretBytes+1))
	content := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case err != nil:
		return "", err
	case len(data) > maxSecretBytes:
		return "", errors.New("larger than 64 kB")
	case content == "":
		return "", errors.New("the file is empty")
	}
	return content, nil
}

// referred follows references; nil stays nil.
func referred(s *jsonschema.Schema) *jsonschema.Schema {
	for range 20 {
		if s == nil || s.Ref == nil {
			return s
		}
		s = s.Ref
	}
	return nil // they go round
}
