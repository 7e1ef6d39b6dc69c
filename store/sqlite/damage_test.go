package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

// The store that is spoilt: how many of each it has.
const (
	openAlerts = 160
	unsent     = 60
	silenced   = 20
)

// furnished makes a store and returns the files as a process leaves them that
// closes it, or that is killed. The killed one has some of its changes in the
// journal.
func furnished(t *testing.T, killed bool) (dir string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.db")
	s, err := openInChild(path)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(c store.Change) {
		t.Helper()
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	m, err := alert.NewMatcher("team", alert.MatchEqual, "web")
	if err != nil {
		t.Fatal(err)
	}
	for i := range openAlerts {
		c := someNew(i, 1)
		if i < unsent {
			c.Deliveries = transition(i).Deliveries
		}
		if i < silenced {
			c.Silences = []alert.Silence{{ID: "s" + strconv.Itoa(i), Matchers: alert.Matchers{m}, EndsAt: time.Now().Add(time.Hour)}}
			c.Acks = []alert.Ack{{AlertID: c.Alerts[0].ID, By: "me"}}
		}
		commit(c)
		if i == openAlerts/2 {
			if _, err := s.Load(t.Context()); err != nil { // applies
				t.Fatal(err)
			}
		}
	}
	if !killed {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(path)
	}
	dir = t.TempDir()
	copyFiles(t, filepath.Dir(path), dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		writeFile(t, filepath.Join(to, e.Name()), readFile(t, filepath.Join(from, e.Name())))
	}
}

// spoil overwrites bytes of a file by random ones.
func spoil(t *testing.T, name string, at int64, n int, random *rand.Rand) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0) //nolint:gosec // a test's own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	noise := make([]byte, n)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	if _, err := f.WriteAt(noise, at); err != nil {
		t.Fatal(err)
	}
}

func fileSize(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// kept opens what was spoilt, looks that it works and that the damaged file is
// there as it was, and says what is left.
func kept(t *testing.T, dir string) (snap store.Snapshot, d *sqlite.Damage) {
	t.Helper()
	path := filepath.Join(dir, "t.db")
	was, wasLog := readFile(t, path), ""
	if _, err := os.Stat(path + "-wal"); err == nil {
		wasLog = readFile(t, path+"-wal")
	}
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if snap, err = s.Load(t.Context()); err != nil {
		t.Fatalf("load: %v", err)
	}
	if d = s.Damage(); d != nil {
		if !errors.Is(d.Err, store.ErrDamaged) || d.At.IsZero() {
			t.Errorf("damage is %+v", d)
		}
		if readFile(t, d.File) != was {
			t.Error("the file that was set aside is another")
		}
		if wasLog != "" && readFile(t, d.File+"-wal") != wasLog {
			t.Error("the log that was set aside is another")
		}
	}
	if err := s.Commit(t.Context(), transition(1_000_000)); err != nil {
		t.Errorf("commit: %v", err)
	}
	if _, err := s.Events(t.Context(), anAlert(1_000_000).ID); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path) // whole now
	if again.Damage() != nil {
		t.Errorf("damaged again: %+v", again.Damage())
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	return snap, d
}

func TestDamageIsSetAsideAndTheRestIsKept(t *testing.T) {
	whole := map[bool]string{false: furnished(t, false), true: furnished(t, true)}
	for name, c := range map[string]struct {
		killed bool
		spoil  func(t *testing.T, path string, random *rand.Rand)
		// How much must be left at least, of a hundred.
		alerts, unsent, silences int
	}{
		"the header": {false, func(t *testing.T, path string, random *rand.Rand) {
			spoil(t, path, 0, 100, random)
		}, 100, 100, 100},
		"the header, after a kill": {true, func(t *testing.T, path string, random *rand.Rand) {
			spoil(t, path, 0, min(100, int(fileSize(t, path))), random)
		}, 100, 100, 100},
		"the header of the log": {true, func(t *testing.T, path string, random *rand.Rand) {
			spoil(t, path+"-wal", 0, 32, random)
		}, 90, 90, 0},
		"the beginning of the log": {true, func(t *testing.T, path string, random *rand.Rand) {
			spoil(t, path+"-wal", 0, 100, random)
		}, 90, 90, 0},
		"the middle of the log": {true, func(t *testing.T, path string, random *rand.Rand) {
			spoil(t, path+"-wal", fileSize(t, path+"-wal")/2, 100, random)
		}, 90, 80, 0},
		"half of the file": {false, func(t *testing.T, path string, _ *rand.Rand) {
			if err := os.Truncate(path, fileSize(t, path)/2); err != nil {
				t.Fatal(err)
			}
		}, 1, 0, 0},
		"the whole file": {false, func(t *testing.T, path string, _ *rand.Rand) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		}, 0, 0, 0},
		"random bytes in its place": {false, func(t *testing.T, path string, random *rand.Rand) {
			spoil(t, path, 0, int(fileSize(t, path)), random)
		}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyFiles(t, whole[c.killed], dir)
			c.spoil(t, filepath.Join(dir, "t.db"), rand.New(rand.NewPCG(1, 2))) //nolint:gosec // a test's
			snap, d := kept(t, dir)
			switch {
			case d == nil && c.alerts < 100: // whole, for the log has the page too
				t.Fatal("no damage is told of")
			case d == nil:
				d = new(sqlite.Damage)
			}
			t.Logf("%v: kept %v, lost %v, %d pages", d.Err, d.Kept, d.Lost, d.Pages)
			for what, got := range map[string][3]int{
				"alerts":     {len(snap.Alerts), openAlerts, c.alerts},
				"members":    {len(snap.Members), openAlerts, c.alerts / 2},
				"deliveries": {len(snap.Deliveries), unsent, c.unsent},
				"silences":   {len(snap.Silences), silenced, c.silences},
				"acks":       {len(snap.Acks), silenced, c.silences},
			} {
				if got[0]*100 < got[1]*got[2] || got[0] > got[1] {
					t.Errorf("%s: %d of %d are left", what, got[0], got[1])
				}
			}
		})
	}
}

// 100 random bytes anywhere: it starts, and what lay in other pages is there.
func TestDamageAnywhereCostsLittle(t *testing.T) {
	for _, killed := range []bool{false, true} {
		whole := furnished(t, killed)
		for round := range 6 {
			t.Run(fmt.Sprintf("killed=%t/%d", killed, round), func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(round), 7)) //nolint:gosec // a test's
				dir := t.TempDir()
				copyFiles(t, whole, dir)
				name := filepath.Join(dir, "t.db")
				end := fileSize(t, name)
				if killed {
					name += "-wal"
					end = fileSize(t, name) - walFrame // see below
				}
				at := random.Int64N(end - 100)
				spoil(t, name, at, 100, random)
				snap, d := kept(t, dir)
				if d != nil {
					t.Logf("at %d: %v: lost %v, %d pages", at, d.Err, d.Lost, d.Pages)
				}
				// A page holds up to four alerts, or 65 members; two may be hit. With
				// the row of a group go its members: they are told of anew.
				if len(snap.Alerts) < openAlerts-20 || len(snap.Deliveries) < unsent-25 ||
					len(snap.Members) < openAlerts-130 && len(snap.Groups) > 0 {
					t.Errorf("at %d: %d alerts, %d members, %d deliveries, %d silences, %d acks are left of %+v", at, len(snap.Alerts), len(snap.Members),
						len(snap.Deliveries), len(snap.Silences), len(snap.Acks), d)
				}
				if d == nil && (len(snap.Alerts) != openAlerts || len(snap.Members) != openAlerts ||
					len(snap.Deliveries) != unsent || len(snap.Silences) != silenced) {
					t.Errorf("at %d something is missing, and nothing is said", at)
				}
			})
		}
	}
}

// walFrame is a page in the log, with its header.
const walFrame = 24 + 4096

// The last frame of a log is the one place where damage cannot be told from what
// a kill leaves, who strikes while it is written: SQLite leaves it out, and with
// it the last change at most. What nobody was told that it is kept looks the same.
func TestTheEndOfALogThatDoesNotFitCostsTheLastChangeAtMost(t *testing.T) {
	whole := furnished(t, true)
	dir := t.TempDir()
	copyFiles(t, whole, dir)
	name := filepath.Join(dir, "t.db-wal")
	spoil(t, name, fileSize(t, name)-200, 100, rand.New(rand.NewPCG(1, 2))) //nolint:gosec // a test's
	snap, d := kept(t, dir)
	if d != nil {
		t.Errorf("a torn end is taken for damage: %v", d.Err)
	}
	if n := len(snap.Alerts); n < openAlerts-1 || len(snap.Members) != n {
		t.Errorf("%d alerts and %d members are left", n, len(snap.Members))
	}
}

// The page that names the tables is hit where it names one of them.
func TestATableThatIsNotNamedAnyMoreIsNoSignOfAnOlderRelease(t *testing.T) {
	dir := furnished(t, false)
	path := filepath.Join(dir, "t.db")
	text := []byte(readFile(t, path))
	was := []byte("tablejournaljournal")
	if !bytes.Contains(text, was) {
		t.Fatal("the schema names no journal")
	}
	for at := bytes.Index(text, was); at >= 0; at = bytes.Index(text, was) { // a page that is free now may have been one
		copy(text[at:], bytes.Repeat([]byte{0xff}, 100))
	}
	writeFile(t, path, string(text))
	snap, d := kept(t, dir)
	if d == nil || len(snap.Alerts) != openAlerts || len(snap.Deliveries) != unsent {
		t.Errorf("%d alerts and %d deliveries are left; %+v", len(snap.Alerts), len(snap.Deliveries), d)
	}
}

func TestDamageThatIsMetAtWorkIsSaidAndMendedAtTheNextStart(t *testing.T) {
	dir := furnished(t, false)
	path := filepath.Join(dir, "t.db")
	s, err := openInChild(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's
	// All but the schema; what a start has read is in memory, and events are not.
	spoil(t, path, 4096, int(fileSize(t, path)-4096), random)
	_, errRead := s.Events(t.Context(), anAlert(3).ID)
	var errWrite error
	for i := 0; i < 200 && errWrite == nil; i++ {
		if errWrite = s.Commit(t.Context(), transition(i)); errWrite == nil {
			_, errWrite = s.Load(t.Context())
		}
	}
	for what, err := range map[string]error{"read": errRead, "write": errWrite} {
		if !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_ = s.Close() // may fail, for the log cannot be moved
	s = open(t, path)
	if s.Damage() == nil {
		t.Error("no damage is told of")
	}
	if err := s.Commit(t.Context(), transition(5000)); err != nil {
		t.Error(err)
	}
	if _, err := s.Alert(t.Context(), anAlert(5000).ID); err != nil {
		t.Error(err)
	}
}

func TestAMendingThatWasKilledIsGoneOnWith(t *testing.T) {
	whole := furnished(t, false)
	for _, renamed := range []bool{false, true} { // killed before the old file was set aside, or after
		dir := t.TempDir()
		copyFiles(t, whole, dir)
		path := filepath.Join(dir, "t.db")
		writeFile(t, path+".mended", readFile(t, path))
		writeFile(t, path+".mending", "half of a database")
		if renamed {
			remove(t, path)
		} else {
			writeFile(t, path, "what was damaged")
			writeFile(t, path+"-wal", "and its log")
		}
		s := open(t, path)
		snap, err := s.Load(t.Context())
		if err != nil || len(snap.Alerts) != openAlerts {
			t.Errorf("%d alerts, %v", len(snap.Alerts), err)
		}
		aside, err := filepath.Glob(path + ".damaged-*")
		if want := 2; err != nil || !renamed && len(aside) != want {
			t.Errorf("set aside are %v, %v", aside, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A clean close spares the next start the look at the whole file; a change of
// the file since then does not.
func TestAFileThatWasTouchedIsLookedAt(t *testing.T) {
	dir := furnished(t, false)
	path := filepath.Join(dir, "t.db")
	if note := readFile(t, path+".lock"); !strings.Contains(note, "clean ") {
		t.Errorf("the note is %q", note)
	}
	// In a page that a start does not read: it is found all the same.
	text := []byte(readFile(t, path))
	at := strings.LastIndex(string(text), "value 68.25 < 70 for 1m") // an event's
	copy(text[at-60:], strings.Repeat("\x00\xff", 50))
	writeFile(t, path, string(text))
	_, d := kept(t, dir)
	if d == nil {
		t.Error("no damage is told of")
	}
}

// The page that says how deliveries stand is gone: what has no outcome in the
// history is sent, with its id.
func TestADeliveryIsMadeAnewOfItsNotification(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	s, err := openInChild(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if err := s.Commit(t.Context(), transition(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Settle(t.Context(), []store.Settlement{settlement(4)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var root int64
	query(t, path, `SELECT rootpage FROM sqlite_schema WHERE name = 'deliveries'`, &root)
	spoil(t, path, (root-1)*4096, 4096, rand.New(rand.NewPCG(1, 2))) //nolint:gosec // a test's
	s = open(t, path)
	snap, err := s.Load(t.Context())
	if err != nil || len(snap.Deliveries) != 9 {
		t.Fatalf("%d are pending, want 9 (%v); %+v", len(snap.Deliveries), err, s.Damage())
	}
	d, err := s.Delivery(t.Context(), "d4")
	if err != nil || d.State != alert.DeliverySent {
		t.Errorf("%+v, %v", d, err)
	}
}
