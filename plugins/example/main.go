// Command example is a plugin to begin with: a receiver that appends a line to
// a file for every notification. It shows settings with defaults and a check,
// errors that pass and errors that last, and a reference.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins"
)

func main() {
	plugins.Serve(plugins.Notifier("example", "1.0.0", Default, New))
}

// Config are the settings of one receiver.
type Config struct {
	Path   string         `json:"path" required:"true" doc:"the file that lines are appended to"`
	Prefix string         `json:"prefix" doc:"what each line begins with"`
	Token  plugins.Secret `json:"token" doc:"a secret, to show that nobody sees it"`
	Delay  time.Duration  `json:"delay" doc:"how long a line takes, to try out what a slow receiver does"`
}

// Default returns the settings that nobody wrote.
func Default() Config { return Config{Prefix: "tocsin"} }

// Validate says what the types cannot.
func (c *Config) Validate() plugins.Problems {
	var ps plugins.Problems
	if c.Delay < 0 {
		ps.Add("delay", "is negative")
	}
	return ps
}

// Notifier writes to one file.
type Notifier struct {
	cfg   Config
	mu    sync.Mutex
	lines int
}

// New makes the notifier of one receiver.
func New(cfg Config) (notifiers.Notifier, error) { return &Notifier{cfg: cfg}, nil }

// Notify appends a line. A folder that is not there is no receiver that fails
// for a while: no retry mends it.
func (n *Notifier) Notify(ctx context.Context, note alert.Notification) (notifiers.Receipt, error) {
	select {
	case <-time.After(n.cfg.Delay):
	case <-ctx.Done():
		return notifiers.Receipt{}, ctx.Err()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	f, err := os.OpenFile(n.cfg.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return notifiers.Receipt{}, notifiers.Permanent(err)
	}
	if err != nil {
		return notifiers.Receipt{}, err
	}
	defer func() { _ = f.Close() }()
	text := notifiers.Plain(fmt.Sprintf("%s %s %s", n.cfg.Prefix, note.ID, notifiers.Title(&note)))
	if _, err := fmt.Fprintln(f, text); err != nil {
		return notifiers.Receipt{}, notifiers.RetryAfter(err, time.Minute) // a full disk
	}
	n.lines++
	return notifiers.Receipt{Reference: fmt.Sprintf("line-%d", n.lines), Answer: text}, f.Close()
}
