// Command loud is a plugin that does what authors do by mistake: it prints to the
// standard output in every way there is, and panics.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins"
)

func main() {
	plugins.Serve(plugins.Notifier("loud", "1.0.0", func() Config { return Config{} }, New, plugins.Concurrency(3)))
}

// Config says what it does.
type Config struct {
	Do string `json:"do"`
}

// Validate panics when it is asked to.
func (c *Config) Validate() error {
	if c.Do == "panic-validate" {
		panic("in Validate")
	}
	return nil
}

// New panics when it is asked to.
func New(c Config) (notifiers.Notifier, error) {
	if c.Do == "panic-new" {
		panic("in New")
	}
	return c, nil
}

// Notify prints, or panics.
func (c Config) Notify(_ context.Context, n alert.Notification) (notifiers.Receipt, error) {
	switch c.Do {
	case "count":
		return notifiers.Receipt{Answer: strconv.Itoa(n.Attempt)}, nil
	case "slow":
		slog.Info("slow")
		time.Sleep(500 * time.Millisecond)
		return notifiers.Receipt{Reference: "told"}, nil
	case "panic":
		var none map[string]int
		none["x"] = 1
	case "print":
		fmt.Println("by fmt")
		fmt.Fprintln(os.Stderr, "by stderr")
		log.Print("by log")
		slog.Warn("by slog", "key", "value", slog.Group("in", "a", 1))
		if _, err := unix.Write(1, []byte("by write\n")); err != nil {
			return notifiers.Receipt{}, err
		}
		cmd := exec.Command("/bin/echo", "by a child")
		cmd.Stdout = os.Stdout
		if err := cmd.Run(); err != nil {
			return notifiers.Receipt{}, err
		}
		fmt.Println(strings.Repeat("much ", 40_000)) // more than a pipe or a scanner's line holds
	}
	return notifiers.Receipt{}, nil
}
