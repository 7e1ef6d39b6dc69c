package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func written(t *testing.T, cfg Config, ns ...alert.Notification) []byte {
	t.Helper()
	var out bytes.Buffer
	c, err := New(cfg, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range ns {
		if _, err := c.Notify(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestOutputReadsAsTheGoldenFilesShow(t *testing.T) {
	truncated := notifiertest.Sample(alert.Firing, 4)
	truncated.Truncated = 37
	storm := notifiertest.Sample(alert.Firing, 2)
	storm.Digest = &alert.Digest{Groups: 47, Alerts: 1031}
	storm.Truncated = 1029
	story := []alert.Notification{truncated, storm, notifiertest.Sample(alert.Resolved, 2), notifiertest.Hostile()}
	notifiertest.Golden(t, "text.txt", written(t, Default(), story...))
	notifiertest.Golden(t, "color.txt", written(t, Config{Color: ColorAlways}, story...))
	notifiertest.Golden(t, "json.txt", written(t, Config{Format: FormatJSON}, story...))
}

func TestNoTextOfAnAlertControlsTheTerminal(t *testing.T) {
	for _, cfg := range []Config{{}, {Format: FormatJSON}} {
		out := written(t, cfg, notifiertest.Hostile())
		for _, r := range string(out) {
			if (unicode.IsControl(r) && r != '\n') || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%+v: %U stands in %.300q", cfg, r, out)
			}
		}
		if got := bytes.Count(out, []byte("\n")); got != 2 {
			t.Errorf("%+v: 2 alerts made %d lines", cfg, got)
		}
	}
}

func TestNotificationsAreNotMixed(t *testing.T) {
	var out bytes.Buffer
	c, err := New(Config{Format: FormatJSON}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			n := notifiertest.Sample(alert.Firing, 3)
			n.ID = fmt.Sprint(i)
			if _, err := c.Notify(context.Background(), n); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 60 {
		t.Fatalf("%d lines, want 60", len(lines))
	}
	for i := 0; i < len(lines); i += 3 {
		var ids [3]string
		for j := range ids {
			var l line
			if err := json.Unmarshal([]byte(lines[i+j]), &l); err != nil {
				t.Fatal(err)
			}
			ids[j] = l.ID
		}
		if ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("lines of %v stand together", ids)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestAWriterThatFailsMayPass(t *testing.T) {
	c, err := New(Default(), brokenWriter{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Notify(t.Context(), notifiertest.Sample(alert.Firing, 1)); !errors.Is(err, errBroken) || notifiers.IsPermanent(err) {
		t.Errorf("err = %v", err)
	}
}

func TestColorIsForTerminals(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if colored(ColorAuto, file) || colored("", &bytes.Buffer{}) {
		t.Error("auto colours what is not a terminal")
	}
	if !colored(ColorAlways, file) || colored(ColorNever, file) {
		t.Error("always and never are not heeded")
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	_, err := New(Config{Format: "jsn", Color: "yes"}, nil)
	want := "console: format: \"jsn\" is not one of text, json; did you mean \"json\"?\ncolor: \"yes\" is not one of auto, always, never"
	if err == nil || err.Error() != want {
		t.Errorf("err = %v\nwant  %s", err, want)
	}
}

func TestATestIsNoAlert(t *testing.T) {
	var out bytes.Buffer
	n := notifiers.Test("ops", "http://t", "msg_1", time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC))
	for _, format := range []string{FormatText, FormatJSON} {
		c, err := New(Config{Format: format, Color: ColorNever}, &out)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Notify(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	const want = "2024-01-15 10:00:00Z  TEST      TocsinTest  This is a test: somebody asked Tocsin whether this receiver works. Nothing is wrong.  {"
	if got := out.String(); !strings.HasPrefix(got, want) || !strings.Contains(got, `"kind":"test"`) {
		t.Error(got)
	}
}
