package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
	"github.com/tocsin-dev/tocsin/store/sqlite"
)

// callers is how many goroutines of the child commit at once.
const callers = 4

func settlement(n int) store.Settlement {
	a := anAlert(n)
	return store.Settlement{
		ID: "d" + strconv.Itoa(n), State: alert.DeliverySent, Attempts: 1, SettledAt: a.StartsAt.Add(time.Second),
		Events: []alert.Event{{AlertID: a.ID, At: a.StartsAt, Kind: alert.EventSent, DeliveryID: "d" + strconv.Itoa(n)}},
	}
}

func TestNothingAcknowledgedIsLostToSIGKILL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano()))) //nolint:gosec // moments, no secrets
	committed, settled := map[int]bool{}, map[int]bool{}
	next, kills := 0, 0
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline) || kills < 3; kills++ {
		cmd := childCommand(t.Context(), "commit", path, strconv.Itoa(next))
		out := lines(t, cmd)
		// Killed after so many acknowledgements, and a moment more.
		killAfter, seen := 1+random.IntN(150), 0
		for line := range out {
			var what string
			var n int
			if _, err := fmt.Sscan(line, &what, &n); err != nil {
				t.Fatalf("the child says %q", line)
			}
			map[string]map[int]bool{"committed": committed, "settled": settled}[what][n] = true
			next = max(next, n+1)
			if seen++; seen == killAfter {
				time.AfterFunc(time.Duration(random.IntN(2000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait() // killed
		next += 2 * callers

		s, err := openInChild(path)
		if err != nil {
			t.Fatalf("after kill %d: %v", kills, err)
		}
		checkWhole(t, s, next, committed, settled)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d changes and %d outcomes acknowledged", kills, len(committed), len(settled))
}

// checkWhole looks that every acknowledged change is there, and of every other
// one everything or nothing.
func checkWhole(t *testing.T, s *sqlite.Store, upTo int, committed, settled map[int]bool) {
	t.Helper()
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole := 0
	for n := range upTo {
		_, errAlert := s.Alert(t.Context(), anAlert(n).ID)
		events, errEvents := s.Events(t.Context(), anAlert(n).ID)
		d, errDelivery := s.Delivery(t.Context(), "d"+strconv.Itoa(n))
		if (errAlert == nil) != (errDelivery == nil) || (errAlert == nil) != (errEvents == nil) {
			t.Errorf("half of change %d: alert %v, events %v, delivery %v", n, errAlert, errEvents, errDelivery)
		}
		if errAlert != nil {
			if committed[n] {
				t.Errorf("change %d was acknowledged and is lost: %v", n, errAlert)
			}
			continue
		}
		whole++
		want := 3
		if d.State == alert.DeliverySent {
			want = 4
		} else if settled[n] {
			t.Errorf("outcome %d was acknowledged and is lost", n)
		}
		if len(events) != want {
			t.Errorf("change %d, %s, has %d events, want %d", n, d.State, len(events), want)
		}
	}
	if st.Alerts != int64(whole) || st.Deliveries != int64(whole) || st.Members != int64(whole) {
		t.Errorf("%d whole changes, but %+v", whole, st)
	}
}

// floodSize is how many alerts each change of a flood has.
const floodSize = 32

// Killed while the journal is far ahead of the tables, and while it is applied:
// each alert that was acknowledged is there once, with each of its events.
func TestAFloodIsAppliedOnceWhateverIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.db")
	random := rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano()))) //nolint:gosec // moments, no secrets
	acknowledged := map[int]bool{}
	next := 0
	for range 4 {
		cmd := childCommand(t.Context(), "flood", path, strconv.Itoa(next))
		out := lines(t, cmd)
		kill := time.AfterFunc(time.Duration(20+random.IntN(250))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for line := range out {
			var n int
			if _, err := fmt.Sscanf(line, "committed %d", &n); err != nil {
				t.Fatalf("the child says %q", line)
			}
			acknowledged[n] = true
			next = max(next, n+1)
		}
		kill.Stop()
		_ = cmd.Wait() // killed
		next += 2 * callers
	}
	s := open(t, path)
	if s.Damage() != nil {
		t.Errorf("damage: %+v", s.Damage())
	}
	st, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Alerts < int64(len(acknowledged)*floodSize) || st.Alerts%floodSize != 0 || st.Events != 2*st.Alerts || st.Members != st.Alerts {
		t.Errorf("%d changes were acknowledged, and there are %+v", len(acknowledged), st)
	}
	looked := 0
	for n := range acknowledged {
		if looked++; looked > 100 {
			break
		}
		for _, i := range []int{0, floodSize - 1} {
			events, err := s.Events(t.Context(), anAlert(n*floodSize+i).ID)
			if err != nil || len(events) != 2 {
				t.Fatalf("alert %d of change %d: %d events, %v", i, n, len(events), err)
			}
		}
	}
	t.Logf("%d changes acknowledged, %d written", len(acknowledged), st.Alerts/floodSize)
}
