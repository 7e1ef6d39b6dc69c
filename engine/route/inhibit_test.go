package route

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
)

// labelled fires or ends an alert with labels of its own.
func (w *world) labelled(id string, severity alert.Severity, state alert.State, pairs ...string) {
	labels := alert.LabelsOf(append([]string{"alertname", id, "category", "cache"}, pairs...)...)
	a := alert.Alert{ID: id, Rule: id, Labels: labels, Fingerprint: labels.Fingerprint(), Severity: severity, State: state, StartsAt: w.now}
	kind := alert.EventFiring
	switch {
	case state == alert.Resolved:
		kind = alert.EventResolved
	case w.d.byID(id) != nil:
		kind = alert.EventSeverity
	}
	w.d.Apply(a, kind, w.now)
	w.take(w.d.Take())
}

func TestInhibitionAsInAlertmanager(t *testing.T) {
	bySeverity := InhibitSpec{Source: []string{"severity = critical"}, Target: []string{`severity =~ "critical|warning"`}, Equal: []string{"host"}}
	for _, tt := range []struct {
		name  string
		story func(w *world, then func())
		want  []string
	}{
		{"a label that both lack is equal", func(w *world, _ func()) {
			w.labelled("a", alert.Warning, alert.Firing)
			w.labelled("src", alert.Critical, alert.Firing)
		}, []string{"10s ops: src=critical (1 new)"}},
		{"one that differs is not", func(w *world, _ func()) {
			w.labelled("a", alert.Warning, alert.Firing, "host", "h")
			w.labelled("src", alert.Critical, alert.Firing)
		}, []string{"10s ops: src=critical a=warning (2 new)"}},
		{"who matches both sides holds back no other such", func(w *world, _ func()) {
			w.labelled("a", alert.Critical, alert.Firing)
			w.labelled("src", alert.Critical, alert.Firing)
		}, []string{"10s ops: a=critical src=critical (2 new)"}},
		{"a silenced source inhibits", func(w *world, _ func()) {
			w.put(w.silence("s", 24*time.Hour, "alertname = src"))
			w.labelled("a", alert.Warning, alert.Firing)
			w.labelled("src", alert.Critical, alert.Firing)
		}, nil},
		{"until the last of several ends", func(w *world, then func()) {
			w.labelled("a", alert.Warning, alert.Firing)
			w.labelled("src", alert.Critical, alert.Firing)
			w.labelled("two", alert.Critical, alert.Firing)
			w.pass(20 * time.Second)
			w.labelled("src", alert.Critical, alert.Resolved)
			then()
			w.pass(10 * time.Minute)
			w.labelled("two", alert.Critical, alert.Resolved)
			w.pass(10 * time.Second)
		}, []string{"10s ops: src=critical two=critical (2 new)", "1m10s ops: src=resolved (1 resolved)", "10m20s ops: a=warning two=resolved (1 new, 1 resolved)"}},
		{"until its severity falls", func(w *world, then func()) {
			w.labelled("a", alert.Warning, alert.Firing)
			w.labelled("src", alert.Critical, alert.Firing)
			w.pass(20 * time.Second)
			then()
			w.labelled("src", alert.Info, alert.Firing)
		}, []string{"10s ops: src=critical (1 new)", "1m10s ops: a=warning (1 new)"}},
		{"what was told is repeated no more, and its end is told", func(w *world, then func()) {
			w.labelled("a", alert.Warning, alert.Firing)
			w.pass(time.Minute)
			w.labelled("src", alert.Critical, alert.Firing)
			w.pass(90 * time.Minute)
			then()
			w.labelled("a", alert.Warning, alert.Resolved)
		}, []string{"10s ops: a=warning (1 new)", "1m10s ops: src=critical (1 new)", "1h1m10s ops: src=critical (repeat)", "1h31m0s ops: a=resolved (1 resolved)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(w *world, then func()) {
				tt.story(w, then)
				then()
				w.pass(5 * time.Minute)
			}, func(w *world) Options { return w.options(simple(), bySeverity) }, tt.want...)
		})
	}
}

func TestTheLeastSourceIsNamedWhateverCameAndWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inhibitions, problems := CompileInhibitions([]InhibitSpec{{Source: []string{"severity = critical"}, Target: []string{`alertname != "x"`}}})
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		d := New(Options{Root: &Route{Receivers: []string{"ops"}}, Inhibitions: inhibitions})
		fires := map[string]bool{}
		target := alert.LabelsOf("alertname", "t", "severity", "warning")
		names := rapid.SampledFrom([]string{"a", "b", "c", "d", "x", "y", "z"}) // x is a source alone
		for range rapid.IntRange(1, 40).Draw(t, "moves") {
			name := names.Draw(t, "name")
			labels := alert.LabelsOf("alertname", name)
			a := alert.Alert{ID: name, Labels: labels, Fingerprint: labels.Fingerprint(), Severity: alert.Critical, State: alert.Firing}
			kind := alert.EventFiring
			if fires[name] {
				a.State, kind = alert.Resolved, alert.EventResolved
			}
			fires[name] = !fires[name]
			d.Apply(a, kind, epoch)
			want := ""
			for other, is := range fires {
				if is && (want == "" || other < want) {
					want = other
				}
			}
			got := ""
			if by := d.inhibitedBy(target); by != nil {
				got = by.id()
			}
			if got != want {
				t.Fatalf("%s holds it back, not %s", got, want)
			}
			if by := d.inhibitedBy(alert.LabelsOf("alertname", "t", "severity", "critical")); (by != nil) != fires["x"] {
				t.Fatal("who matches both sides is held back by who does not, and by nobody else")
			}
		}
	})
}
