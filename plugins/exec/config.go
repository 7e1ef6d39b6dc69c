package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tocsin-dev/tocsin/plugins"
)

// Config is one receiver of the type exec.
type Config struct {
	Command []string                  `json:"command" required:"true" doc:"the command and its arguments; nothing of them is given to a shell"`
	Dir     string                    `json:"dir" doc:"the folder that it runs in; left out, /"`
	Env     map[string]plugins.Secret `json:"env" doc:"its environment, beside what is told of the notification"`
	PassEnv []string                  `json:"pass_env" doc:"names in the plugin's own environment that are passed on"`
	// PermanentCodes are those of sysexits.h that say so: usage, data, configuration.
	PermanentCodes []int `json:"permanent_codes" doc:"exit codes that no retry mends; every other code but 0 is tried again"`
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Dir: "/", PermanentCodes: []int{64, 65, 78}} }

// Validate returns what is wrong with the configuration. It runs nothing. That a
// file is missing is a warning: a configuration may be checked elsewhere.
func (c *Config) Validate() plugins.Problems {
	var ps plugins.Problems
	switch {
	case len(c.Command) == 0 || c.Command[0] == "":
		ps.Add("command", "is empty")
	case !filepath.IsAbs(c.Command[0]):
		ps.AddHint("command[0]", "write the whole path", "%q is no absolute path: no PATH is searched", c.Command[0])
	default:
		info, err := os.Stat(c.Command[0])
		switch {
		case err != nil:
			ps.Warn("", "command[0]", "", "%s is no program that can be run here: it cannot be found", c.Command[0])
		case info.IsDir():
			ps.Warn("", "command[0]", "", "%s is no program that can be run here: it is a folder", c.Command[0])
		case info.Mode().Perm()&0o111 == 0:
			ps.Warn("", "command[0]", "run chmod +x", "%s is no program that can be run here: it is not executable", c.Command[0])
		}
	}
	if c.Dir != "" && !filepath.IsAbs(c.Dir) {
		ps.Add("dir", "%q is no absolute path", c.Dir)
	}
	for name := range c.Env {
		checkName(&ps, "env."+name, name)
	}
	for _, name := range c.PassEnv {
		checkName(&ps, "pass_env", name)
	}
	for i, code := range c.PermanentCodes {
		if code < 1 || code > 255 {
			ps.Add(fmt.Sprintf("permanent_codes[%d]", i), "%d is no exit code of a failure", code)
		}
	}
	return ps
}

func checkName(ps *plugins.Problems, path, name string) {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		ps.Add(path, "%q is no name of a variable", name)
	}
}
