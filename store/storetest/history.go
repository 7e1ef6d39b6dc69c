package storetest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func testHistoryOrder(t *testing.T, d Driver) {
	second, third, first := firing("second", 20), firing("third", 30), firing("first", 5)
	// It was pending before the others and fires after them.
	slow := firing("slow", 40)
	slow.PendingAt = at(0)
	waiting := firing("waiting", 25)
	waiting.State, waiting.StartsAt = alert.Pending, time.Time{}
	never := firing("never", 26)
	never.State, never.StartsAt, never.EndsAt = alert.Inactive, time.Time{}, at(27)
	commit(t, d, store.Change{Alerts: []alert.Alert{second, slow, third, never, first, waiting}})

	equal(t, "history", history(t, d, store.HistoryQuery{}),
		[]string{slow.ID, third.ID, waiting.ID, second.ID, first.ID})
	equal(t, "inactive", history(t, d, store.HistoryQuery{States: []alert.State{alert.Inactive}}), []string{never.ID})

	waiting.State, waiting.StartsAt = alert.Firing, at(50)
	commit(t, d, store.Change{Alerts: []alert.Alert{waiting}})
	equal(t, "after it fired", history(t, d, store.HistoryQuery{Limit: 2}), []string{waiting.ID, slow.ID})
}

func testHistoryFilters(t *testing.T, d Driver) {
	old := ended(firing("old", 0), 10)     // 0 to 10
	long := ended(firing("long", 1), 1000) // 1 to 1000
	instant := ended(firing("instant", 50), 50)
	fires := firing("fires", 100)
	other := ended(firing("other", 200), 210)
	other.Category = "database"
	risen := firing("risen", 300)
	never := firing("never", 400)
	never.State, never.StartsAt, never.EndsAt = alert.Inactive, time.Time{}, at(405)
	never.Severity, never.Worst = alert.Info, alert.OK
	commit(t, d, store.Change{Alerts: []alert.Alert{old, long, instant, fires, other, risen, never}})
	// It was a warning, is critical for a moment, and ends as a notice.
	risen.Severity, risen.Worst = alert.Critical, alert.Critical
	commit(t, d, store.Change{Alerts: []alert.Alert{risen}})
	risen.Severity = alert.Info
	commit(t, d, store.Change{Alerts: []alert.Alert{ended(risen, 350)}})

	sev := func(s ...alert.Severity) []alert.Severity { return s }
	states := func(s ...alert.State) []alert.State { return s }
	for _, c := range []struct {
		name  string
		query store.HistoryQuery
		want  []alert.Alert
	}{
		{"everything", store.HistoryQuery{}, []alert.Alert{risen, other, fires, instant, long, old}},
		{"since: what had not ended", store.HistoryQuery{Since: at(60)}, []alert.Alert{risen, other, fires, long}},
		{"since its end: it is over", store.HistoryQuery{Since: at(10), Until: at(11)}, []alert.Alert{long}},
		{"since a moment before its end", store.HistoryQuery{Since: at(10).Add(-1), Until: at(11)}, []alert.Alert{long, old}},
		{"until: what had begun", store.HistoryQuery{Until: at(100)}, []alert.Alert{instant, long, old}},
		{"until a moment after it began", store.HistoryQuery{Until: at(100).Add(1), Since: at(51)}, []alert.Alert{fires, long}},
		{"one that ended at once", store.HistoryQuery{Since: at(50), Until: at(51)}, []alert.Alert{instant, long}},
		{"an empty window", store.HistoryQuery{Since: at(2000), Until: at(1000)}, []alert.Alert{fires}},
		{"any severity it had", store.HistoryQuery{Severities: sev(alert.Critical)}, []alert.Alert{risen}},
		{"the last severity it had", store.HistoryQuery{Severities: sev(alert.Info)}, []alert.Alert{risen}},
		{"one of several", store.HistoryQuery{Severities: sev(alert.Critical, alert.Warning), Rule: "risen"}, []alert.Alert{risen}},
		{"no severity", store.HistoryQuery{Severities: sev(alert.OK)}, nil},
		{"firing", store.HistoryQuery{States: states(alert.Firing)}, []alert.Alert{fires}},
		{"firing or pending", store.HistoryQuery{States: states(alert.Firing, alert.Pending)}, []alert.Alert{fires}},
		{"resolved", store.HistoryQuery{States: states(alert.Resolved)}, []alert.Alert{risen, other, instant, long, old}},
		{"inactive too", store.HistoryQuery{States: states(alert.Inactive, alert.Firing)}, []alert.Alert{never, fires}},
		{"category", store.HistoryQuery{Category: "database"}, []alert.Alert{other}},
		{"rule", store.HistoryQuery{Rule: "long"}, []alert.Alert{long}},
		{"rule that fires", store.HistoryQuery{Rule: "fires", States: states(alert.Firing)}, []alert.Alert{fires}},
		{"all at once", store.HistoryQuery{
			Rule: "other", Category: "database", States: states(alert.Resolved), Severities: sev(alert.Warning),
			Since: at(205), Until: at(206),
		}, []alert.Alert{other}},
		{"nothing", store.HistoryQuery{Rule: "nobody"}, nil},
		{"limit", store.HistoryQuery{Limit: 2}, []alert.Alert{risen, other}},
	} {
		equal(t, c.name, history(t, d, c.query), ids(c.want))
	}
	if _, err := d.History(t.Context(), store.HistoryQuery{States: []alert.State{"sleeping"}}); err == nil {
		t.Error("a state that does not exist selects something")
	}
}

func testHistoryPaging(t *testing.T, d Driver) {
	const n = 100
	var c store.Change
	var want []string
	for i := range n {
		a := ended(firing("old", i*10), i*10+5)
		c.Alerts = append(c.Alerts, a)
		want = append(want, a.ID)
	}
	slices.Reverse(want)
	commit(t, d, c)

	var got []string
	q := store.HistoryQuery{Limit: 7, Category: "cache"}
	for round := 0; ; round++ {
		page, err := d.History(t.Context(), q)
		must(t, err)
		got = append(got, ids(page.Alerts)...)
		if page.Next == "" {
			break
		}
		equal(t, "a page that is not the last", len(page.Alerts), q.Limit)
		q.Cursor = page.Next
		// New ones come in, and an old one is written again.
		again := c.Alerts[(round*13)%n]
		again.Message = "again"
		commit(t, d, store.Change{Alerts: []alert.Alert{firing("new", 10*n+round), again}})
	}
	equal(t, "pages", got, want)
}

func testHistoryTies(t *testing.T, d Driver) {
	var c store.Change
	want := map[string]int{}
	for i := range 50 {
		a := firing("r"+strconv.Itoa(i), 0)
		c.Alerts = append(c.Alerts, a)
		want[a.ID] = 1
	}
	commit(t, d, c)
	for _, limit := range []int{1, 7, 10, 25, 49, 50, 51} {
		got := map[string]int{}
		q := store.HistoryQuery{Limit: limit}
		for pages := 1; ; pages++ {
			page, err := d.History(t.Context(), q)
			must(t, err)
			for _, id := range ids(page.Alerts) {
				got[id]++
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				equal(t, "pages", pages, (50+limit-1)/limit)
				break
			}
		}
		equal(t, "alerts", got, want)
	}
}

func testBadCursor(t *testing.T, d Driver) {
	commit(t, d, store.Change{Alerts: []alert.Alert{firing("a", 0), firing("b", 1), firing("c", 2)}})
	page, err := d.History(t.Context(), store.HistoryQuery{Limit: 1})
	must(t, err)
	good := page.Next
	bad := []string{
		"x", "0", "null", "'", "AAAA", "%00", good + "A", good[1:], good[:len(good)-1], good + good,
		strings.Repeat("A", len(good)), " " + good, good + "\n", strings.ToUpper(good) + "_",
	}
	for i := range good {
		other := byte('A')
		if good[i] == other {
			other = 'B'
		}
		bad = append(bad, good[:i]+string(other)+good[i+1:])
	}
	for _, cursor := range bad {
		_, err := d.History(t.Context(), store.HistoryQuery{Cursor: cursor, Limit: 1})
		if !errors.Is(err, store.ErrBadCursor) {
			t.Errorf("cursor %q: %v, want ErrBadCursor", cursor, err)
		}
	}
	_, err = d.History(t.Context(), store.HistoryQuery{Cursor: good, Limit: 1})
	must(t, err)
}

func testByFingerprint(t *testing.T, d Driver) {
	first, last, other := ended(firing("a", 0), 5), firing("a", 100), firing("b", 200)
	middle := ended(firing("a", 50), 55)
	commit(t, d, store.Change{Alerts: []alert.Alert{first, last, middle, other}})
	got, err := d.Alert(t.Context(), first.Fingerprint.String())
	must(t, err)
	equal(t, "newest", got.ID, last.ID)
	got, err = d.Alert(t.Context(), first.ID)
	must(t, err)
	equal(t, "by id", got.ID, first.ID)
	for _, id := range []string{
		"", "0000000000000000", first.Fingerprint.String()[:15], first.ID + "x", "zzzzzzzzzzzzzzzz", "%",
	} {
		if _, err := d.Alert(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("alert %q: %v, want ErrNotFound", id, err)
		}
	}
}
