//go:build unix

package main_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads what a killed process has left
)

// failing is one child process of playFailpoint.
type failing struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed at its end
	log   *output
}

func startFailing(t *testing.T, path string, hook *sink, at step, status string) *failing {
	t.Helper()
	f := &failing{t: t, lines: make(chan string, 100), log: &output{}}
	f.cmd = exec.Command(os.Args[0], path, hook.URL, string(at), status) //nolint:gosec,noctx // this binary; it is killed below
	f.cmd.Env = append(os.Environ(), failpointChild+"=1")
	f.cmd.Stderr = f.log
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(f.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			f.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = f.cmd.Process.Kill() // it may be gone
		for range f.lines {
			continue
		}
		_ = f.cmd.Wait() // and this was called
		if t.Failed() {
			t.Logf("the child said:\n%s", f.log.String())
		}
	})
	if line, alive := f.line(); !alive || line != "ready" {
		t.Fatalf("the child says %q", line)
	}
	return f
}

// line waits for what the child says next; false when it has ended.
func (f *failing) line() (string, bool) {
	f.t.Helper()
	select {
	case line, alive := <-f.lines:
		return line, alive
	case <-time.After(2 * patience):
		f.t.Fatalf("the child says nothing, and does not end\n%s", f.log.String())
		return "", false
	}
}

// say gives the child a word; false when it has ended over it.
func (f *failing) say(word string) bool {
	f.t.Helper()
	if _, err := io.WriteString(f.in, word+"\n"); err != nil {
		return false
	}
	line, alive := f.line()
	if alive && line != "done: "+word {
		f.t.Fatalf("to %q the child says %q", word, line)
	}
	return alive
}

func (f *failing) must(words ...string) {
	f.t.Helper()
	for _, word := range words {
		if !f.say(word) {
			f.t.Fatalf("the child died over %q\n%s", word, f.log.String())
		}
	}
}

// dies waits until it has ended by its trap.
func (f *failing) dies() {
	f.t.Helper()
	if line, alive := f.line(); alive {
		f.t.Fatalf("the child says %q", line)
	}
	if err := f.cmd.Wait(); err == nil || f.cmd.ProcessState.ExitCode() != -1 {
		f.t.Fatalf("it ended with %v\n%s", err, f.log.String())
	}
}

// stop lets it end in order.
func (f *failing) stop() {
	f.t.Helper()
	if err := f.in.Close(); err != nil {
		f.t.Fatal(err)
	}
	if line, alive := f.line(); alive {
		f.t.Fatalf("the child says %q", line)
	}
	if err := f.cmd.Wait(); err != nil {
		f.t.Fatalf("it ended with %v\n%s", err, f.log.String())
	}
}

// failpoint is a kill between two steps, and what comes of it.
type failpoint struct {
	at step
	// times is how often the notification comes, at least and at most; always
	// with one id and one body.
	least, most int
	// journalled says that what was committed is not in the tables yet, unless
	// the machine is very slow.
	journalled bool
}

func failpoints() []failpoint {
	return []failpoint{
		{at: beforeTransition, least: 1, most: 1},
		{at: afterTransition, least: 1, most: 1, journalled: true},
		{at: beforeQueued, least: 1, most: 1},
		{at: beforeHandedOver, least: 1, most: 1, journalled: true},
		{at: beforeRequest, least: 1, most: 1},
		{at: beforeAnswerCounts, least: 2, most: 2},
		{at: beforeSettled, least: 2, most: 2},
		{at: whileSettling, least: 1, most: 2},
		{at: afterSettled, least: 1, most: 1},
	}
}

func TestAKillBetweenAnyTwoStepsLosesNothingAndRepeatsUnderTheSameID(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"firing", "resolved"} {
		for _, p := range failpoints() {
			t.Run(status+", "+string(p.at), func(t *testing.T) { p.play(t, status) })
		}
	}
}

func (p failpoint) play(t *testing.T, status string) {
	t.Helper()
	path, hook := filepath.Join(t.TempDir(), "t.db"), newSink(t, "the hook", nil)
	word := map[string]string{"firing": "fire", "resolved": "end"}[status]
	first := startFailing(t, path, hook, p.at, status)
	if status == "resolved" {
		first.must("fire", "settle")
	}
	answered := first.say(word)
	if answered {
		first.dies()
	}
	await(t, "what was on its way", hook.quiet)
	if p.journalled && unapplied(t, path) == 0 {
		t.Log("all of it is in the tables: the kill came late")
	}
	second := startFailing(t, path, hook, nowhere, "")
	if !answered && p.at == beforeTransition {
		second.must(word) // as every sender does that was not answered
	}
	second.must("settle", "end", "settle")
	second.stop()
	third := startFailing(t, path, hook, nowhere, "") // and nothing comes after it
	third.must("settle")
	third.stop()
	counts, ids := map[string]int{}, map[string]map[string]bool{}
	for _, a := range hook.arrivals() {
		s := a.note.Status
		counts[s]++
		if ids[s] == nil {
			ids[s] = map[string]bool{}
		}
		ids[s][a.id] = true
	}
	for _, s := range []string{"firing", "resolved"} {
		least, most := 1, 1
		if s == status {
			least, most = p.least, p.most
		}
		if counts[s] < least || counts[s] > most || len(ids[s]) != 1 {
			t.Errorf("it was told as %s %d times under %d ids, want %d to %d times under one", s, counts[s], len(ids[s]), least, most)
		}
	}
	h := listen(hook) // complains of the order
	if len(h.alerts) != 1 {
		t.Errorf("%d occurrences were told", len(h.alerts))
	}
}

// unapplied is how many rows the journal of a killed process has.
func unapplied(t *testing.T, path string) (rows int) {
	t.Helper()
	readLeft(t, path, `SELECT count(*) FROM journal`, &rows)
	return rows
}

// readLeft asks a copy of the files, for whoever opens a database may change it.
func readLeft(t *testing.T, path, query string, into any) {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix) //nolint:gosec // the test's own
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "copy.db"+suffix), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), query).Scan(into); err != nil {
		t.Fatal(err)
	}
}

func TestAKillWhileTheJournalIsAppliedLosesNothing(t *testing.T) {
	t.Parallel()
	const alerts = 3000
	for _, status := range []string{"firing", "resolved"} {
		t.Run(status, func(t *testing.T) {
			path, hook := filepath.Join(t.TempDir(), "t.db"), newSink(t, "the hook", nil)
			first := startFailing(t, path, hook, whileApplied, status)
			fire, end := fmt.Sprint("fire ", alerts), fmt.Sprint("end ", alerts)
			word := fire
			if status == "resolved" {
				first.must(fire, "settle")
				word = end
			}
			if first.say(word) {
				first.dies()
			}
			await(t, "what was on its way", hook.quiet)
			var ops int
			if readLeft(t, path, `SELECT ops FROM applied`, &ops); ops == 0 {
				t.Log("nothing is applied by half: the kill came late")
			}
			second := startFailing(t, path, hook, nowhere, "")
			second.must(word, "settle", end, "settle")
			second.stop()
			h := listen(hook)
			var ids []string
			for id := range h.alerts {
				ids = append(ids, id)
			}
			if len(ids) != alerts {
				t.Errorf("%d alerts were told, want %d", len(ids), alerts)
			}
			h.wantOnce(ids)
			if strings.Contains(first.log.String()+second.log.String(), "level=ERROR") {
				t.Errorf("the store complains:\n%s%s", first.log.String(), second.log.String())
			}
		})
	}
}
