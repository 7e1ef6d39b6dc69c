package file

import (
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type file.
type Config struct {
	// Path is the file that lines are added to; its folder must be there.
	Path string `yaml:"path"`
	// Lines is alert for a line an alert, or notification for a line a message with
	// all of its alerts.
	Lines string `yaml:"lines"`
	// Line is a template of a line a notification, in the place of JSON.
	Line notifiers.Text `yaml:"line"`
	// Sync waits until each line is on the disk, so that none is lost with the power.
	Sync bool `yaml:"sync"`
	// Mode is the permissions of a file that is made anew, in octal.
	Mode string `yaml:"mode"`
}

// What Lines may be.
const (
	LinesAlert        = "alert"
	LinesNotification = "notification"
)

const defaultMode = "0600" // alerts tell of a system's inside

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Lines: LinesAlert, Mode: defaultMode} }

// Validate returns what is wrong with the configuration. It opens nothing.
func (c *Config) Validate() problem.List {
	var ps problem.List
	switch {
	case c.Path == "":
		ps.AddHint("path", "write for example /var/log/tocsin/alerts.jsonl", "missing")
	case strings.HasSuffix(c.Path, "/") || strings.HasSuffix(c.Path, string(os.PathSeparator)):
		ps.AddHint("path", "name a file in it", "%q is a folder", c.Path)
	case strings.ContainsRune(c.Path, 0):
		ps.Add("path", "%q is no path", c.Path)
	}
	switch c.Lines {
	case "", LinesAlert, LinesNotification:
	default:
		ps.AddHint("lines", problem.DidYouMean(c.Lines, []string{LinesAlert, LinesNotification}), "%q is not alert or notification", c.Lines)
	}
	if _, err := c.mode(); err != nil {
		ps.AddHint("mode", `write for example "0640"`, "%q are no permissions of a file", c.Mode)
	}
	return append(ps, c.Line.Check("line")...)
}

func (c *Config) mode() (fs.FileMode, error) {
	text := c.Mode
	if text == "" {
		text = defaultMode
	}
	bits, err := strconv.ParseUint(text, 8, 32)
	if err != nil {
		return 0, err
	}
	if bits > 0o777 || bits&0o600 != 0o600 { // we write to it, and look whether its last line has an end
		return 0, strconv.ErrRange
	}
	return fs.FileMode(bits), nil
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"path": schema.NotEmpty(), "lines": schema.Enum("", LinesAlert, LinesNotification),
		"mode": schema.Text(`^$|^0?[67][0-7][0-7]$`, "permissions in octal, such as 0640"),
	}, "path")
}
