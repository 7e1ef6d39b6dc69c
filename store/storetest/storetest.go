// Package storetest judges the drivers of the store: one suite that each of
// them must pass, whatever lies under it. The drivers' own tests call Run; it
// is never part of the daemon.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Driver is everything that a driver offers. The daemon's rooms each declare
// the few of these that they need; the contract of each method is what the
// suite checks, and stands in words at the driver.
type Driver interface {
	Commit(ctx context.Context, c store.Change) error
	Settle(ctx context.Context, outcomes []store.Settlement) error
	Load(ctx context.Context) (store.Snapshot, error)
	Ended(ctx context.Context, rules []string, after time.Time) ([]alert.Alert, error)

	History(ctx context.Context, q store.HistoryQuery) (store.HistoryPage, error)
	Alert(ctx context.Context, id string) (alert.Alert, error)
	Events(ctx context.Context, alertID string) ([]alert.Event, error)
	Delivery(ctx context.Context, id string) (alert.Delivery, error)
	Deliveries(ctx context.Context, q store.DeliveryQuery) (store.DeliveryPage, error)
	Redeliver(ctx context.Context, id string, now time.Time) (alert.Delivery, error)
	Silences(ctx context.Context) ([]alert.Silence, error)

	AppendSamples(ctx context.Context, samples []alert.Sample) error
	LoadSamples(ctx context.Context, metric string, since time.Time, fn func(alert.Sample) error) error
	SampleStats(ctx context.Context) (store.SampleStats, error)

	Prune(ctx context.Context, r store.Retention, maxRows int) (removed int64, err error)
	Stats(ctx context.Context) (store.Stats, error)
	Ping(ctx context.Context) error
	Close() error
}

// Run judges a driver. open returns an empty store, and sees to it that the
// store is closed when the test ends.
func Run(t *testing.T, open func(t *testing.T) Driver) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, d Driver)
	}{
		{"an empty store answers everything", testEmpty},

		{"every field of a change comes back as it was", testRoundTrip},
		{"a committed alert replaces the one before", testReplace},
		{"a number that is not known and a time that has not come stay so", testUnknown},
		{"text keeps every letter", testText},
		{"a change that is refused leaves nothing", testRefused},
		{"a row that contradicts is dropped, and the rest is written", testContradictions},
		{"drops come first, and take a group's members along", testDrops},
		{"many goroutines commit at once", testConcurrent},
		{"one bad change among many is refused alone", testBadAmongGood},
		{"a change of many thousand rows is written", testLargeChange},
		{"a change whose context has ended is not written", testCanceled},

		{"load gives what is open and what groups still hold", testLoad},
		{"the newest occurrence of each identity is remembered after its end", testEnded},
		{"events keep their order and their sequence rises", testEventOrder},

		{"an outcome is recorded once, with its events", testSettle},
		{"a failed attempt moves the next one", testSettleRetry},
		{"an outcome of an unknown delivery is passed over", testSettleUnknown},
		{"deliveries are listed by what they are about, newest first", testDeliveries},
		{"pages of deliveries lose and repeat nothing", testDeliveryPaging},
		{"the log has the first and the last attempts", testLog},
		{"a settled delivery can be sent again", testRedeliver},

		{"silences, acknowledgements and marks are kept, replaced and dropped", testStanding},
		{"a reference is the newest of its group's life and receiver", testReferences},

		{"history is newest first", testHistoryOrder},
		{"history filters", testHistoryFilters},
		{"history pages lose and repeat nothing while alerts come in", testHistoryPaging},
		{"alerts of the same moment are paged through", testHistoryTies},
		{"a cursor that no page gave out is refused", testBadCursor},
		{"a fingerprint finds the newest occurrence", testByFingerprint},

		{"samples come back in the order of time", testSamples},
		{"a sample is kept once", testSampleTwice},
		{"samples of many series and pages are merged", testSampleMerge},
		{"the callback's error ends the reading", testSampleStop},

		{"prune keeps what is not older", testPruneBoundary},
		{"prune never takes what is still needed", testPruneKeeps},
		{"prune takes deliveries, silences and references by their own age", testPruneKinds},
		{"prune makes room, the oldest first, and takes nothing that is open", testPruneSize},
		{"prune stops at its limit and goes on from there", testPruneLimit},
		{"prune takes samples and the series that are left without", testPruneSamples},
		{"stats count", testStats},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// epoch is the moment that the tests count from.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// at is so many seconds after the epoch.
func at(seconds int) time.Time { return epoch().Add(time.Duration(seconds) * time.Second) }
