package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestANewPluginBuildsAndPassesTheKit writes the skeletons and runs their own
// tests, as their author would first of all.
func TestANewPluginBuildsAndPassesTheKit(t *testing.T) {
	for _, kind := range []string{"notifier", "source"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			folder, env := newPluginFolder(t, kind)
			runIn(t, folder, env, "go", "vet", ".")
			out := runIn(t, folder, env, "go", "test", "-count=1", "-v", ".")
			for _, check := range []string{"describe", "validate-bad", "killed", "orphan"} {
				if !strings.Contains(out, "--- PASS: TestPlugin/"+check) {
					t.Errorf("%s did not pass:\n%s", check, out)
				}
			}
		})
	}
}

// newPluginFolder begins a plugin, and returns its folder and the environment to
// build it in: with the checkout's sums in the place of what `go mod tidy` fetches.
func newPluginFolder(t *testing.T, kind string) (folder string, env []string) {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	runIn(t, folder, nil, builtBinary(t), "plugin", "new", "my-plugin", "--kind", kind, "--replace", checkout)
	folder = filepath.Join(folder, "my-plugin")
	if files, err := os.ReadDir(folder); err != nil || len(files) != 3 {
		t.Errorf("%d files (%v), want three", len(files), err)
	}
	sums, err := os.ReadFile(filepath.Join(checkout, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "go.sum"), sums, 0o600); err != nil {
		t.Fatal(err)
	}
	return folder, []string{"GOFLAGS=-mod=mod"}
}

// TestTheManualsPlugin builds what docs/plugins.md begins with.
func TestTheManualsPlugin(t *testing.T) {
	blocks := blocksOf(t, "docs/plugins.md")
	i := slices.IndexFunc(blocks, func(b block) bool { return b.lang == "go" })
	if i < 0 {
		t.Fatal("the manual has no example")
	}
	folder, env := newPluginFolder(t, "notifier")
	if err := os.WriteFile(filepath.Join(folder, "main.go"), []byte(blocks[i].text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "pager")
	runIn(t, folder, env, "go", "build", "-o", program, ".")
	out := runIn(t, folder, nil, builtBinary(t), "plugin", "test", program)
	if !strings.Contains(out, "PASS  describe        pager 1.0.0, notifier") || !strings.Contains(out, " 0 failed, ") {
		t.Error(out)
	}
}

func TestTryAPluginByCommand(t *testing.T) {
	folder := t.TempDir()
	example := filepath.Join(folder, "example")
	runIn(t, "../../plugins/example", nil, "go", "build", "-o", example, ".")
	file := filepath.Join(folder, "out.txt")
	settings := filepath.Join(folder, "settings.yaml")
	if err := os.WriteFile(settings, []byte("path: "+file+"\nprefix: tried\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := runIn(t, folder, nil, builtBinary(t), "plugin", "test", "./example", "--config", settings,
		"--permanent", fmt.Sprintf(`{path: %q}`, filepath.Join(folder, "missing", "out.txt")), "--skip", "large")
	for _, want := range []string{"PASS  deliver ", "PASS  permanent ", "SKIP  large           asked for\n", "SKIP  retry ", " 0 failed, "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	told, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(told), "tried ") {
		t.Errorf("told %q (%v), want lines that begin with the prefix of the settings", told, err)
	}
}

func runIn(t *testing.T, folder string, env []string, command string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command, args...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(command), strings.Join(args, " "), err, out)
	}
	return string(out)
}
