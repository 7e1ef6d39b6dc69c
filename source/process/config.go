package process

import (
	"fmt"
	"path/filepath"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
)

// Config is a source of type process. At most one of its settings is given;
// none is the daemon's own process.
type Config struct {
	// PID is the number of the process.
	PID int32 `yaml:"pid"`
	// PIDFile is read at every poll, so that a restart is followed.
	PIDFile string `yaml:"pid_file"`
	// Name is the executable's name as the system tells it, without path.
	// Several processes of that name are summed.
	// The key is not name, which is the source's own.
	Name string `yaml:"executable"`
}

// HostConfig is a source of type host.
type HostConfig struct {
	// Mounts are the mount points whose space is watched. Empty is every
	// local file system that can be written to.
	Mounts []string `yaml:"mounts"`
}

// Default returns the configuration that a file's settings are laid over.
func Default() Config { return Config{} }

// DefaultHost returns the configuration that a file's settings are laid over.
func DefaultHost() HostConfig { return HostConfig{} }

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if c.PID < 0 {
		ps.Add("pid", "must be positive")
	}
	given := 0
	for _, set := range [...]struct {
		path  string
		given bool
	}{{"pid", c.PID != 0}, {"pid_file", c.PIDFile != ""}, {"executable", c.Name != ""}} {
		if !set.given {
			continue
		}
		if given++; given > 1 {
			ps.Add(set.path, "only one of pid, pid_file and executable can be given")
		}
	}
	if filepath.Base(c.Name) != c.Name && c.Name != "" {
		ps.AddHint("executable", fmt.Sprintf("write %s", filepath.Base(c.Name)), "is a name without path")
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"pid": schema.AtLeast(0), "executable": schema.Text(`^[^/]*$`, "a name without path")})
}

// JSONSchema says what reflection cannot of the settings.
func (HostConfig) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"mounts": schema.Schema{"uniqueItems": true}})
}

// Validate returns what is wrong with the configuration.
func (c *HostConfig) Validate() problem.List {
	var ps problem.List
	seen := map[string]bool{}
	for i, mount := range c.Mounts {
		path := fmt.Sprintf("mounts[%d]", i)
		if !filepath.IsAbs(mount) {
			ps.Add(path, "%q is not an absolute path", mount)
		}
		if seen[filepath.Clean(mount)] {
			ps.Add(path, "%q is given twice", mount)
		}
		seen[filepath.Clean(mount)] = true
	}
	return ps
}
