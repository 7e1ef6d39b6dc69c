package route

import (
	"fmt"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

func warned(w *world) Options {
	o := w.options(simple())
	o.SilenceWarning = 10 * time.Minute
	return o
}

// Of two silences over an alert the one that ends last is warned of; the other's
// end changes nothing.
func TestASilenceThatAnotherOutlastsIsNotWarnedOf(t *testing.T) {
	each(t, func(w *world, then func()) {
		w.put(w.silence("short", time.Hour, "category = cache"))
		w.put(w.silence("long", 2*time.Hour, "alertname =~ a.*"))
		w.fire("a", alert.Warning)
		then()
		w.pass(119 * time.Minute)
		then()
	}, warned, `1h50m0s ops: a=warning (silence {alertname=~"a.*"} by ann ends at 2026-01-15 12:00:00 UTC: deploy)`)
}

func TestAnExtendedSilenceIsWarnedOfAgainAndOnceEach(t *testing.T) {
	each(t, func(w *world, then func()) {
		s := w.silence("s", time.Hour, "category = cache")
		w.put(s)
		w.fire("a", alert.Warning)
		w.pass(55 * time.Minute)
		then()
		s.EndsAt, s.WarnedFor = s.EndsAt.Add(time.Hour), s.EndsAt
		w.put(s)
		then()
		w.pass(64 * time.Minute)
		then()
	}, warned,
		`50m0s ops: a=warning (silence {category="cache"} by ann ends at 2026-01-15 11:00:00 UTC: deploy)`,
		`1h50m0s ops: a=warning (silence {category="cache"} by ann ends at 2026-01-15 12:00:00 UTC: deploy)`,
	)
}

// many alerts under many silences, each of which names a rule that all share
// and an instance of its own.
func many(tb testing.TB, alerts, silences int) *Dispatcher {
	tb.Helper()
	spec := simple()
	spec.GroupBy = []string{"instance"}
	tree, problems := Compile(spec, []string{"ops"})
	if err := problems.Err(); err != nil {
		tb.Fatal(err)
	}
	ids := 0
	d := New(Options{Root: tree, Receivers: []Receiver{{Name: "ops"}}, SilenceWarning: time.Minute, NewID: func() string { ids++; return fmt.Sprint(ids) }})
	for i := range silences {
		s := alert.Silence{ID: fmt.Sprint(i), StartsAt: epoch, EndsAt: epoch.Add(time.Hour)}
		for _, text := range []string{"alertname=down", fmt.Sprintf("instance=i%d", i)} {
			m, err := alert.ParseMatcher(text)
			if err != nil {
				tb.Fatal(err)
			}
			s.Matchers = append(s.Matchers, m)
		}
		d.PutSilence(s, epoch)
	}
	for i := range alerts {
		labels := alert.LabelsOf("alertname", "down", "category", "host", "instance", fmt.Sprintf("i%d", i))
		a := alert.Alert{ID: fmt.Sprint("a", i), Rule: "down", Labels: labels, Fingerprint: labels.Fingerprint(), Severity: alert.Warning, State: alert.Firing, StartsAt: epoch}
		d.Apply(a, alert.EventFiring, epoch)
	}
	d.Take()
	return d
}

func BenchmarkManySilences(b *testing.B) {
	const alerts, silences = 20_000, 2_000
	for b.Loop() {
		d := many(b, alerts, silences)
		told := 0
		for at := epoch.Add(10 * time.Second); !d.NextDue().After(at); {
			d.Flush(at)
			told += len(d.Take().Deliveries)
		}
		if told != alerts-silences {
			b.Fatalf("%d told", told)
		}
		for at := epoch.Add(59 * time.Minute); !d.NextDue().After(at); {
			d.Flush(at)
			told += len(d.Take().Deliveries)
		}
		if told < alerts {
			b.Fatalf("%d told, warnings included", told)
		}
	}
}

// Many criticals hold back as many warnings.
func BenchmarkManyInhibitors(b *testing.B) {
	const n = 10_000
	for b.Loop() {
		tree, problems := Compile(simple(), []string{"ops"})
		inhibitions, more := CompileInhibitions([]InhibitSpec{{Source: []string{"severity = critical"}, Target: []string{"severity = warning"}, Equal: []string{"category"}}})
		if err := append(problems, more...).Err(); err != nil {
			b.Fatal(err)
		}
		d := New(Options{Root: tree, Inhibitions: inhibitions, Receivers: []Receiver{{Name: "ops"}}, NewID: func() string { return "" }})
		for i := range 2 * n {
			labels := alert.LabelsOf("alertname", fmt.Sprint(i), "category", "host")
			a := alert.Alert{ID: fmt.Sprint(i), Labels: labels, Fingerprint: labels.Fingerprint(), Severity: alert.Warning, State: alert.Firing, StartsAt: epoch}
			if i < n {
				a.Severity = alert.Critical
			}
			d.Apply(a, alert.EventFiring, epoch)
		}
		d.Flush(epoch.Add(time.Minute))
		if c := d.Take(); len(c.Deliveries) != 1 || len(c.Deliveries[0].Notification.Alerts)+c.Deliveries[0].Notification.Truncated != n {
			b.Fatal(len(c.Deliveries))
		}
	}
}

func TestAGroupThatStaysHeldBackIsNotWrittenAtEachLook(t *testing.T) {
	w := newWorld(t, simple())
	w.put(w.silence("s", 3*time.Hour, "category = cache"))
	w.fire("a", alert.Warning)
	w.pass(time.Minute)
	looks := 0
	for until := w.now.Add(time.Hour); w.d.NextDue().Before(until); looks++ {
		w.now = w.d.NextDue()
		w.d.Flush(w.now)
		if c := w.d.Take(); !c.Empty() {
			t.Fatalf("look %d is written: %+v", looks, c)
		}
	}
	if looks < 50 {
		t.Errorf("%d looks in an hour", looks)
	}
	w.restart()
	w.pass(2 * time.Hour)
	w.want("3h0m0s ops: a=warning (1 new)")
}
