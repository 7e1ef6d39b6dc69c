// Package plugintest is the conformance kit for the tests of plugin authors: it
// starts a plugin as a real process and tries everything that the daemon does
// with one, and what it hopes for never. `tocsin plugin test` makes the same
// checks for plugins in other languages. It is called by tests only.
//
//	func TestPlugin(t *testing.T) {
//		path := plugintest.Build(t, ".")
//		plugintest.Run(t, path, plugintest.Config(`{"url": "http://127.0.0.1:1"}`))
//	}
package plugintest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/tocsin-dev/tocsin/internal/plugincheck"
)

// Option says more of the plugin than its path.
type Option func(*plugincheck.Options)

// Config are right settings, a JSON object, of a receiver or source that may be
// told and asked anything: 5,000 alerts, 50 calls at a time. Without it a plugin
// that needs settings is not tried further than its description.
func Config(settings string) Option {
	return func(o *plugincheck.Options) { o.Config = json.RawMessage(settings) }
}

// Bad are settings that must be refused.
func Bad(settings string) Option {
	return func(o *plugincheck.Options) { o.Bad = json.RawMessage(settings) }
}

// Retry are settings with which a call fails and may succeed later.
func Retry(settings string) Option {
	return func(o *plugincheck.Options) { o.Retry = json.RawMessage(settings) }
}

// Permanent are settings with which a call fails for good.
func Permanent(settings string) Option {
	return func(o *plugincheck.Options) { o.Permanent = json.RawMessage(settings) }
}

// Slow are settings with which a call takes two seconds or more: with them a
// deadline, SIGTERM and kill -9 meet the plugin in the middle of it.
func Slow(settings string) Option {
	return func(o *plugincheck.Options) { o.Slow = json.RawMessage(settings) }
}

// Args are the command's arguments.
func Args(args ...string) Option { return func(o *plugincheck.Options) { o.Args = args } }

// Env is the environment, NAME=VALUE each: the plugin gets nothing else.
func Env(env ...string) Option { return func(o *plugincheck.Options) { o.Env = env } }

// Skip leaves out checks by their names.
func Skip(checks ...string) Option { return func(o *plugincheck.Options) { o.Skip = checks } }

// Run tries the plugin, each check as a subtest.
func Run(t *testing.T, path string, options ...Option) {
	t.Helper()
	o := plugincheck.Options{Path: path}
	for _, set := range options {
		set(&o)
	}
	_, err := plugincheck.Run(t.Context(), o, func(r plugincheck.Result) {
		t.Run(r.Check, func(t *testing.T) {
			t.Helper()
			switch r.Status {
			case plugincheck.Fail:
				t.Errorf("%s\nthe plugin's log:\n%s", r.Detail, r.Log)
			case plugincheck.Skip:
				t.Skip(r.Detail)
			case plugincheck.Pass:
				t.Log(r.Detail)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Build builds the plugin whose main package is in a folder and returns its
// path.
func Build(t testing.TB, folder string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	cmd.Dir, cmd.Env = folder, os.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build in %s: %v\n%s", folder, err, out)
	}
	return path
}
