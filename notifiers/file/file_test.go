package file

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func newNotifier(t testing.TB, path string, change func(*Config)) *Notifier {
	t.Helper()
	cfg := Default()
	cfg.Path = path
	if change != nil {
		change(&cfg)
	}
	f, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func tell(t testing.TB, f *Notifier, n alert.Notification) {
	t.Helper()
	if receipt, err := f.Notify(t.Context(), n); err != nil || receipt.Note != "" {
		t.Fatal(receipt, err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// lines reads a file of which every line is an object.
func lines(t testing.TB, path string) []map[string]any {
	t.Helper()
	var out []map[string]any
	text, ok := strings.CutSuffix(read(t, path), "\n")
	if !ok {
		t.Fatal("the last line has no end")
	}
	for part := range strings.SplitSeq(text, "\n") {
		var l map[string]any
		if err := json.Unmarshal([]byte(part), &l); err != nil {
			t.Fatalf("%v: %.200s", err, part)
		}
		out = append(out, l)
	}
	return out
}

func TestLinesReadAsTheGoldenFilesShow(t *testing.T) {
	for _, how := range []string{LinesAlert, LinesNotification} {
		for name, n := range notifiertest.Kinds() {
			path := filepath.Join(t.TempDir(), "a.jsonl")
			tell(t, newNotifier(t, path, func(c *Config) { c.Lines, c.Sync = how, true }), n)
			want := len(n.Alerts)
			if how == LinesNotification {
				want = 1
			}
			got := lines(t, path)
			if len(got) != want || got[0]["id"] != n.ID {
				t.Errorf("%s: %d lines, %v", name, len(got), got[0]["id"])
			}
			notifiertest.GoldenJSON(t, how+"_"+name+".json", got)
		}
	}
}

func TestHostileTextsStayInTheirLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	n := notifiertest.Hostile()
	tell(t, newNotifier(t, path, nil), n)
	tell(t, newNotifier(t, path, func(c *Config) { c.Lines = LinesNotification }), n)
	tell(t, newNotifier(t, path, func(c *Config) { c.Line = notifiers.TextFrom(`{"m": {{ (index .Alerts 0).Message | json }} }`) }), n)
	if got := len(lines(t, path)); got != 4 {
		t.Errorf("%d lines", got)
	}
}

func TestATemplateThatFailsGivesWayToJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	f := newNotifier(t, path, func(c *Config) {
		c.Line = notifiers.TextFrom(`{{ if gt (len .Alerts) 2 }}{{ index .Alerts 9 }}{{ end }}`)
	})
	receipt, err := f.Notify(t.Context(), notifiertest.Sample(alert.Firing, 3))
	if err != nil || !strings.HasPrefix(receipt.Note, "the template line failed") || len(lines(t, path)) != 3 {
		t.Errorf("%+v, %v", receipt, err)
	}
}

func TestTheFileMayBeMovedAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.jsonl")
	f := newNotifier(t, path, nil)
	tell(t, f, notifiertest.Sample(alert.Firing, 1))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	tell(t, f, notifiertest.Sample(alert.Firing, 2))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	tell(t, f, notifiertest.Sample(alert.Firing, 3))
	if err := os.Truncate(path, 0); err != nil { // copytruncate
		t.Fatal(err)
	}
	tell(t, f, notifiertest.Sample(alert.Firing, 4))
	if len(lines(t, path+".1")) != 1 || len(lines(t, path)) != 4 {
		t.Error("a line went to another file")
	}
}

func TestALineThatWasCutOffIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	const cut = `{"id":"cut of`
	if err := os.WriteFile(path, []byte(cut), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newNotifier(t, path, nil)
	tell(t, f, notifiertest.Sample(alert.Firing, 1))
	tell(t, f, notifiertest.Sample(alert.Firing, 1))
	first, rest, _ := strings.Cut(read(t, path), "\n")
	if first != cut || strings.Count(rest, "\n") != 2 || !json.Valid([]byte(strings.Split(rest, "\n")[0])) {
		t.Errorf("%.200s", read(t, path))
	}
}

func TestManyAtATimeKeepTheirLinesTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	f := newNotifier(t, path, nil)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				n := notifiertest.Sample(alert.Firing, 5)
				n.ID = fmt.Sprintf("%d-%d", w, i)
				tell(t, f, n)
			}
		})
	}
	wg.Wait()
	all := lines(t, path)
	if len(all) != 8*10*5 {
		t.Fatalf("%d lines", len(all))
	}
	for i := 0; i < len(all); i += 5 {
		for _, l := range all[i : i+5] {
			if l["id"] != all[i]["id"] {
				t.Fatalf("lines of %v among those of %v", l["id"], all[i]["id"])
			}
		}
	}
}

func TestPermissions(t *testing.T) {
	for mode, want := range map[string]os.FileMode{"": 0o600, "0600": 0o600, "640": 0o640} {
		path := filepath.Join(t.TempDir(), "a.jsonl")
		tell(t, newNotifier(t, path, func(c *Config) { c.Mode = mode }), notifiertest.Sample(alert.Firing, 1))
		info, err := os.Stat(path)
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != want {
			t.Errorf("%q: %s, %v", mode, info.Mode(), err)
		}
	}
}

// Whatever is in the way, an operator can mend it, and it is tried again.
func TestWhatIsInTheWayMayPass(t *testing.T) {
	dir := t.TempDir()
	paths := map[string]string{"a folder": dir, "a folder that is not there": filepath.Join(dir, "no", "a.jsonl")}
	if _, err := os.Stat("/dev/full"); err == nil {
		paths["a device"] = "/dev/full"
	}
	for name, path := range paths {
		_, err := newNotifier(t, path, nil).Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
		if err == nil || notifiers.IsPermanent(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(dir, "a.jsonl")
	if _, err := newNotifier(t, path, nil).Notify(ctx, notifiertest.Sample(alert.Firing, 1)); err == nil {
		t.Error("it writes after its deadline")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made")
	}
}

func TestARetryWritesTheSame(t *testing.T) {
	f := newNotifier(t, filepath.Join(t.TempDir(), "a"), nil)
	n := notifiertest.Sample(alert.Firing, 3)
	first, err := f.Preview(n)
	if err != nil || first.ContentType != "application/x-ndjson" {
		t.Fatal(err)
	}
	if second, err := f.Preview(n); err != nil || !bytes.Equal(first.Body, second.Body) {
		t.Error(err)
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"valid", func(*Config) {}, ""},
		{"no path", func(c *Config) { c.Path = "" }, "path: missing"},
		{"a folder", func(c *Config) { c.Path = "/var/log/" }, `path: "/var/log/" is a folder`},
		{"lines", func(c *Config) { c.Lines = "alerts" }, `lines: "alerts" is not alert or notification; did you mean "alert"?`},
		{"mode", func(c *Config) { c.Mode = "rw" }, `mode: "rw" are no permissions`},
		{"a mode that we could not write to", func(c *Config) { c.Mode = "0400" }, "mode: "},
		{"line", func(c *Config) { c.Line = notifiers.TextFrom("{{") }, "line: bad template"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := Default()
			cfg.Path = "a.jsonl"
			row.change(&cfg)
			_, err := New(cfg)
			if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) {
				t.Errorf("err = %v, want %q", err, row.want)
			}
		})
	}
}

// A file that we may not read would be written to once and never again.
func TestAModeThatWeCannotUseIsRefused(t *testing.T) {
	for mode, good := range map[string]bool{"0600": true, "0200": false, "0300": false, "0400": false, "0777": true} {
		cfg := Default()
		cfg.Path, cfg.Mode = "a.jsonl", mode
		if ps := cfg.Validate(); len(ps) == 0 != good {
			t.Errorf("%s: %v", mode, ps)
		}
	}
}
