package external

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
)

var epoch = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

func newRegistry() *Registry {
	return New(Options{ResolveTimeout: 5 * time.Minute, Severity: func(label string) alert.Severity {
		s, err := alert.ParseSeverity(label)
		if err != nil {
			return alert.Warning
		}
		return s
	}})
}

func posted(name string, pairs ...string) *alert.Posted {
	return &alert.Posted{Labels: alert.LabelsOf(append([]string{"alertname", name}, pairs...)...)}
}

func TestWhatWasPostedComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringN(100, 400, 2000))
		p := &alert.Posted{
			Labels:       alert.FromMap(rapid.MapOfN(text, text, 1, 8).Draw(t, "labels")),
			Annotations:  alert.FromMap(rapid.MapOf(text, text).Draw(t, "annotations")),
			GeneratorURL: text.Draw(t, "generator"),
		}
		tr, ok := newRegistry().Post(p, epoch)
		if !ok {
			t.Fatal("not taken")
		}
		a := tr.Record.Alert()
		if !a.Labels.Equal(p.Labels) || !alert.FromMap(a.Annotations).Equal(p.Annotations) || a.Outside.GeneratorURL != p.GeneratorURL {
			t.Fatalf("posted %+v, kept %+v", p, a)
		}
		if a.Fingerprint != p.Labels.Fingerprint() || !a.StartsAt.Equal(epoch) || !a.Outside.ExpiresAt.Equal(epoch.Add(5*time.Minute)) {
			t.Fatalf("%+v", a)
		}
		for _, l := range p.Labels {
			if got := tr.Record.Label(l.Name); got != l.Value {
				t.Fatalf("label %q is %q", l.Name, got)
			}
		}
		if !tr.Record.Labels().Equal(a.AllLabels()) || tr.Record.Label("no such\x00label") != "" {
			t.Fatalf("labels %s", tr.Record.Labels())
		}
	})
}

// player posts and lets time pass; what happened is written down.
type player struct {
	r   *Registry
	now time.Time
	got []string
}

func (p *player) note(ts ...Transition) {
	for _, t := range ts {
		kind := string(t.Kind)
		if kind == "" {
			kind = "kept"
		}
		p.got = append(p.got, fmt.Sprintf("%s %s %s", p.now.Sub(epoch), t.Record.Alert().Rule, kind))
	}
}

func (p *player) post(posted *alert.Posted) {
	if known, _ := p.r.Refresh(posted, p.now); known {
		return
	}
	if t, ok := p.r.Post(posted, p.now); ok {
		p.note(t)
	}
}

func (p *player) pass(d time.Duration) {
	until := p.now.Add(d)
	for due := p.r.NextDue(); !due.IsZero() && !due.After(until); due = p.r.NextDue() {
		p.now = due
		p.note(p.r.Tick(due)...)
	}
	p.now = until
}

func TestLifeOfAPostedAlert(t *testing.T) {
	end := func(d time.Duration) *alert.Posted {
		p := posted("a")
		p.EndsAt = epoch.Add(d)
		return p
	}
	annotated := posted("a")
	annotated.Annotations = alert.LabelsOf("summary", "worse")
	for _, tt := range []struct {
		name string
		do   func(p *player)
		want string
	}{
		{"not posted again", func(p *player) { p.post(posted("a")); p.pass(time.Hour) }, "0s a firing, 5m0s a resolved"},
		{"posted again every minute", func(p *player) {
			for range 4 {
				p.post(posted("a"))
				p.pass(time.Minute)
			}
			p.pass(time.Hour)
		}, "0s a firing, 5m0s a kept, 8m0s a resolved"},
		{"its end is given", func(p *player) { p.post(end(15 * time.Second)); p.pass(time.Hour) }, "0s a firing, 15s a resolved"},
		{"a later end is given", func(p *player) {
			p.post(end(15 * time.Second))
			p.post(end(40 * time.Second))
			p.pass(time.Hour)
		}, "0s a firing, 15s a kept, 40s a resolved"},
		{"an end that was given holds", func(p *player) {
			p.post(end(time.Hour))
			p.post(posted("a"))
			p.pass(2 * time.Hour)
		}, "0s a firing, 1h0m0s a resolved"},
		{"an end puts no end to the wait off that is sooner", func(p *player) {
			p.post(posted("a"))
			p.post(end(time.Minute))
			p.pass(2 * time.Hour)
		}, "0s a firing, 1m0s a resolved"},
		{"resolved by its sender, and fires again", func(p *player) {
			p.post(posted("a"))
			p.pass(time.Minute)
			p.post(end(30 * time.Second))
			p.post(posted("a"))
			p.pass(time.Hour)
		}, "0s a firing, 1m0s a resolved, 1m0s a firing, 6m0s a resolved"},
		{"ended before we heard of it", func(p *player) { p.pass(time.Minute); p.post(end(time.Second)); p.pass(time.Hour) }, ""},
		{"other annotations", func(p *player) { p.post(posted("a")); p.post(annotated); p.post(annotated); p.pass(time.Hour) }, "0s a firing, 0s a kept, 5m0s a resolved"},
		{"other labels are another alert", func(p *player) { p.post(posted("a")); p.post(posted("a", "severity", "page")); p.pass(time.Minute) }, "0s a firing, 0s a firing"},
	} {
		p := &player{r: newRegistry(), now: epoch}
		tt.do(p)
		if diff := cmp.Diff(tt.want, strings.Join(p.got, ", ")); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestTwoOccurrencesInOneMillisecondHaveTwoIDs(t *testing.T) {
	r := newRegistry()
	p, ended := posted("a"), posted("a")
	ended.EndsAt = epoch
	seen := map[string]bool{}
	for range 3 {
		first, _ := r.Post(p, epoch)
		if seen[first.Record.Alert().ID] {
			t.Fatalf("%s is given twice", first.Record.Alert().ID)
		}
		seen[first.Record.Alert().ID] = true
		if last, ok := r.Post(ended, epoch); !ok || last.Record.Alert().ID != first.Record.Alert().ID || last.Record.Alert().State != alert.Resolved {
			t.Fatalf("%+v", last)
		}
	}
}

func TestARestartForgetsNoAlertAndEndsNoneThatMayHaveBeenPostedAgain(t *testing.T) {
	p := posted("a", "severity", "critical")
	p.EndsAt = epoch.Add(4 * time.Minute)
	before := newRegistry()
	tr, _ := before.Post(p, epoch)
	kept := tr.Record.Alert()
	for _, tt := range []struct{ restart, end time.Duration }{
		{0, 4 * time.Minute},
		{time.Minute, 5 * time.Minute},       // its end is yet to come, and may have been put off
		{10 * time.Minute, 14 * time.Minute}, // it passed: the sender has as long again
	} {
		after := newRegistry()
		rec := after.Restore(&kept, epoch.Add(tt.restart))
		if got := rec.Alert(); got.ID != tr.Record.Alert().ID || got.Severity != alert.Critical || !got.StartsAt.Equal(epoch) || !got.Labels.Equal(p.Labels) {
			t.Errorf("restored as %+v", got)
		}
		due := after.NextDue()
		ended := after.Tick(due)
		if !due.Equal(epoch.Add(tt.end)) || len(ended) != 1 || ended[0].Kind != alert.EventResolved || after.Len() != 0 {
			t.Errorf("after a restart at %s it ends at %s: %+v", tt.restart, due.Sub(epoch), ended)
		}
	}
}

func TestAnEndThatNoClockReachesIsFarAway(t *testing.T) {
	r := newRegistry()
	p := posted("a")
	p.EndsAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	tr, ok := r.Post(p, epoch)
	if !ok || tr.Record.Alert().Outside.ExpiresAt.Before(epoch.AddDate(99, 0, 0)) || len(r.Tick(epoch.AddDate(50, 0, 0))) > 0 {
		t.Errorf("it expires at %s", tr.Record.Alert().Outside.ExpiresAt)
	}
}

// Who has no clock posts 1970, which is 0 as moments are kept.
func TestAnAlertOfTheEpochEnds(t *testing.T) {
	r := newRegistry()
	p := posted("a")
	p.StartsAt = time.Unix(0, 0)
	if _, ok := r.Post(p, epoch); !ok {
		t.Fatal("not taken")
	}
	p.EndsAt = time.Unix(0, 0)
	tr, ok := r.Post(p, epoch.Add(time.Minute))
	if a := tr.Record.Alert(); !ok || tr.Kind != alert.EventResolved || a.State != alert.Resolved || a.EndsAt.Sub(p.EndsAt) > time.Microsecond {
		t.Fatalf("%s: %s, ended %s", tr.Kind, a.State, a.EndsAt)
	}
	a := tr.Record.Alert()
	a.EndsAt = time.Unix(0, 0).UTC() // as others may have stored it
	if again := newRegistry().Restore(&a, epoch.Add(time.Hour)).Alert(); again.State != alert.Resolved {
		t.Errorf("after a restart it is %s", again.State)
	}
}
