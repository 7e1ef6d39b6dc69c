package sqlite

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Whatever stands in the pages, reading them ends, and without a panic.
func TestNoiseInThePagesIsRead(t *testing.T) {
	whole := littleDatabase(t)
	path := filepath.Join(t.TempDir(), "t.db")
	for round := range 300 {
		random := rand.New(rand.NewPCG(uint64(round), 1)) //nolint:gosec // a test's
		data := append([]byte(nil), whole...)
		for range 1 + random.IntN(300) {
			data[headerBytes+random.IntN(len(data)-headerBytes)] = [...]byte{0, 1, 0x7f, 0x80, 0xff, byte(random.Uint32())}[random.IntN(6)]
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := openImage(path)
		if err != nil {
			t.Fatal(err)
		}
		readEverything(m)
		m.close()
	}
}

// readEverything reads what a start would that mends.
func readEverything(m *image) {
	tables := salvaged()
	look := func(rowid int64, payload []byte) {
		for i := range tables {
			_, _ = tables[i].row(rowid, payload) // most are of another table
		}
	}
	for root := uint32(1); root <= m.count; root++ {
		clear(m.seen)
		m.walk(root, 0, look, func() {})
	}
	m.free()
}

func littleDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "t.db")
	s, err := Open(t.Context(), path, Options{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		a := alert.Alert{ID: strconv.Itoa(i), State: alert.Firing, StartsAt: time.Unix(1, 0), Labels: alert.LabelsOf("n", strconv.Itoa(i))}
		n := alert.Notification{ID: "d" + a.ID, Receiver: "ops", GroupKey: "g", Alerts: make([]alert.Alert, 1+i)} // some need overflow pages
		err := s.Commit(t.Context(), store.Change{
			Alerts: []alert.Alert{a}, Events: []alert.Event{{AlertID: a.ID, Kind: alert.EventFiring}}, Groups: []store.Group{{Key: "g"}},
			Members:    []store.Member{{MemberKey: store.MemberKey{Group: "g", Receiver: "ops", AlertID: a.ID}}},
			Deliveries: []alert.Delivery{{Notification: n, State: alert.DeliveryPending}},
			Acks:       []alert.Ack{{AlertID: a.ID}}, Marks: []store.Mark{{Name: a.ID, Value: a.ID}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the test's own
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzRecord reads whatever stands where a record should.
func FuzzRecord(f *testing.F) {
	f.Add([]byte{0, 1, 2})
	f.Add([]byte{3, 1, 0x81, 0x80})
	f.Fuzz(func(_ *testing.T, payload []byte) {
		_, _ = record(payload) // it may not be one
	})
}
