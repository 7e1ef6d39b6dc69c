package rule

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

func TestLifeCycleOfPollsAndKeptSeverities(t *testing.T) {
	base := Spec{ID: "r", Metric: "cache.hit_rate", Category: "cache"}
	with := func(change func(*Spec)) Spec {
		s := base
		change(&s)
		return s
	}
	when := func(text string, change func(*When)) When {
		w := When{When: text}
		if change != nil {
			change(&w)
		}
		return w
	}
	threeOfFive := with(func(s *Spec) { s.Warning = when("value < 70", func(w *When) { w.Polls = Polls{3, 5} }) })
	kept := with(func(s *Spec) {
		s.Warning = when("value < 70", func(w *When) { w.KeepFiringFor = duration(30 * time.Second) })
	})
	tests := []struct {
		name, in, want string
		spec           Spec
	}{
		{"three of five polls", "969696969999999", ".PPPPW.W.PPP...", threeOfFive},
		{"two of five are nothing", "9669999999", ".PPPPPP...", threeOfFive},
		{"three in a row", "96669999999", ".PPWWW.P...", threeOfFive},
		{"a missing poll is none", "966-6999", ".PPPWWW.", threeOfFive},
		{"polls and a for", "966669999999", ".PPPPWW.P...", with(func(s *Spec) {
			s.Warning = when("value < 70", func(w *When) { w.Polls, w.For = Polls{3, 5}, duration(20*time.Second) })
		})},
		{"kept for a while", "969999999", ".WWWW....", kept},
		{"kept, and back again", "9699699999", ".WWWWWWW..", kept},
		{"missing data does not end what is kept", "969-----999", ".WWWWWWW...", kept},
		{"a kept critical stays above a warning that holds", "946666699", ".CCCCWW..", with(func(s *Spec) {
			s.Warning = when("value < 70", nil)
			s.Critical = when("value < 50", func(w *When) { w.KeepFiringFor = duration(30 * time.Second) })
		})},
		{"the rule's keep_firing_for is that of all severities", "969999999", ".WWWW....", with(func(s *Spec) {
			s.Warning, s.KeepFiringFor = when("value < 70", nil), 30*time.Second
		})},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := play(t, tc.spec, tc.in); got != tc.want {
				t.Errorf("input %s\ngot   %s\nwant  %s", tc.in, got, tc.want)
			}
		})
	}
}

func TestWhatIsKeptEndsByTheClockBetweenPolls(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70", KeepFiringFor: duration(25 * time.Second)}})
	p.see(60)
	p.see(90) // it ends here
	p.see(90)
	p.see(90)
	if got := kinds(p.wait(4 * time.Second)); got != "" {
		t.Errorf("after 24s: %q", got)
	}
	if got := kinds(p.wait(time.Second)); got != "resolved warning; " {
		t.Errorf("after 25s: %q", got)
	}
}

func TestTooLittleVolumeStartsNothingAndEndsNothing(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, MinVolume: `metric("cache.lookups_per_sec") >= 1`}
	e := NewEvaluator([]*Rule{mustCompile(t, spec)})
	var got, held strings.Builder
	for i, poll := range []struct{ rate, lookups float64 }{{60, 0}, {60, 0}, {60, 5}, {90, 0}, {90, 0}, {60, 5}, {90, 0}, {90, 5}} {
		now := epoch.Add(time.Duration(i) * 10 * time.Second)
		labels := alert.LabelsOf("source", "cache")
		for _, tr := range e.Observe([]alert.Sample{
			{Metric: "cache.hit_rate", Labels: labels, Value: poll.rate, At: now},
			{Metric: "cache.lookups_per_sec", Labels: labels, Value: poll.lookups, At: now},
		}, Context{Interval: 10 * time.Second}, now) {
			if tr.Kind == alert.EventHeld {
				held.WriteString(tr.Alert.Reason + "\n")
			}
		}
		got.WriteByte(letter(e.Alerts()))
	}
	if got.String() != "..WWWWW." {
		t.Errorf("got %s", got.String())
	}
	once := thinPrefix + spec.MinVolume + " does not hold" + heldSuffix + "\n"
	if held.String() != once+once {
		t.Errorf("held:\n%s", held.String())
	}
}

func TestMissingDataOfASourceThatIsDownIsItsOwnAlertOnly(t *testing.T) {
	p := newPods(t, Spec{ID: "r", Metric: "app.memory_usage", Warning: When{When: "value > 99"}, NoData: "critical"})
	p.poll(false, "app.memory_usage", "a")
	for range 10 {
		for _, tr := range p.poll(true, "app.memory_usage") {
			if tr.Kind == alert.EventFiring {
				t.Fatalf("fired: %s", tr.Alert.Reason)
			}
		}
	}
	fired := 0
	for range 10 {
		for _, tr := range p.poll(false, "app.heap_used", "a") {
			if tr.Kind == alert.EventFiring {
				fired++
			}
		}
	}
	if fired != 1 {
		t.Errorf("fired %d times once the source was read without it", fired)
	}
}

func TestFlapping(t *testing.T) {
	flapping := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Critical: When{When: "value < 30"}, Flapping: &Flapping{4, 2 * time.Minute}}
	tests := []struct{ name, in, want, told string }{
		{
			"it is told once, and once when it settles",
			"9696969696999999999999999", ".W.W.WWWWWWWWWWWWWWW.....",
			"firing resolved firing resolved flapping resolved",
		},
		{
			"it settles firing",
			"96969696966666666666666666", ".W.W.WWWWWWWWWWWWWWWWWWWWW",
			"firing resolved firing resolved flapping settled",
		},
		{
			"a graver severity is told all the same",
			"969696929", ".W.W.WWCC",
			"firing resolved firing resolved flapping severity",
		},
		{"as many as are allowed are no flapping", "96969999", ".W.W....", "firing resolved firing resolved"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := play(t, flapping, tc.in); got != tc.want {
				t.Errorf("input %s\ngot   %s\nwant  %s", tc.in, got, tc.want)
			}
			p := newPoller(t, flapping)
			var told []string
			for _, c := range tc.in {
				for _, tr := range p.see(float64(c-'0') * 10) {
					if tr.Kind != "" {
						told = append(told, string(tr.Kind))
					}
				}
			}
			if got := strings.Join(told, " "); got != tc.told {
				t.Errorf("told %s\nwant %s", got, tc.told)
			}
		})
	}
}

func TestFlappingOutlivesARestartAndAReload(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Flapping: &Flapping{4, 10 * time.Minute}}
	for name, again := range map[string]func(p *poller, known map[string]alert.Alert){
		"restart": func(p *poller, known map[string]alert.Alert) {
			p.e = NewEvaluator(p.e.Rules())
			var kept []alert.Alert
			for _, a := range known {
				kept = append(kept, a)
			}
			p.e.Restore(kept, p.now)
		},
		"reload": func(p *poller, _ map[string]alert.Alert) { p.e.Reload([]*Rule{mustCompile(t, spec)}, p.now) },
	} {
		t.Run(name, func(t *testing.T) {
			p, known := newPoller(t, spec), map[string]alert.Alert{}
			var told []string
			for i, value := range []float64{60, 90, 60, 90, 60, 90, 60} {
				if i > 0 {
					again(p, known)
				}
				for _, tr := range p.see(value) {
					known[tr.Alert.ID] = tr.Alert
					if tr.Kind != "" {
						told = append(told, string(tr.Kind))
					}
				}
			}
			if got := strings.Join(told, " "); got != "firing resolved firing resolved flapping" {
				t.Errorf("told %s", got)
			}
		})
	}
}

func TestAFlappingRuleThatIsEditedNotToBeResolves(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}, Flapping: &Flapping{2, 10 * time.Minute}}
	p := newPoller(t, spec)
	for _, v := range []float64{60, 90, 60, 90} {
		p.see(v)
	}
	spec.Flapping = nil
	p.e.Reload([]*Rule{mustCompile(t, spec)}, p.now)
	if got := kinds(p.see(90)); got != "resolved warning; " {
		t.Errorf("told %q", got)
	}
	if len(p.e.Alerts()) != 0 {
		t.Error("an alert is left")
	}
}

func TestOverridesChangeARuleForSomeLabelSets(t *testing.T) {
	off, on := true, false
	spec := Spec{
		ID: "r", Metric: "cache.hit_rate", Critical: When{When: "value < 50"}, Warning: When{When: "value < 85", For: duration(10 * time.Second)},
		Overrides: []Override{
			{Match: []string{"strategy = FEED"}, Warning: When{When: "value < 60"}},
			{Match: []string{"strategy = SLOW"}, Warning: When{For: duration(0)}},
			{Match: []string{"strategy =~ OFF.*"}, Disabled: &off},
			{Match: []string{"strategy = FEED"}, Critical: When{When: "value < 99"}}, // never: the first counts
		},
	}
	judge := func(spec Spec) string {
		e := NewEvaluator([]*Rule{mustCompile(t, spec)})
		var got []string
		for _, name := range []string{"FEED", "OFF1", "PLAIN", "SLOW"} {
			for _, tr := range e.Observe([]alert.Sample{{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "s", "strategy", name), Value: 70, At: epoch}}, Context{}, epoch) {
				got = append(got, name+" "+string(tr.Kind))
			}
		}
		return strings.Join(got, ", ")
	}
	if got := judge(spec); got != "PLAIN pending, SLOW firing" {
		t.Errorf("got %s", got)
	}
	spec.Disabled = true
	spec.Overrides = []Override{{Match: []string{"strategy = SLOW"}, Disabled: &on, Warning: When{For: duration(0)}}}
	if got := judge(spec); got != "SLOW firing" {
		t.Errorf("switched on for one: got %s", got)
	}
}

func TestAnOverridesMistakesAreItsOwn(t *testing.T) {
	text := "valu < 5"
	_, problems := Compile(Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 85"}, Overrides: []Override{
		{Match: []string{"strategy = A"}, Clear: &text},
		{Warning: When{When: "value < 5MB"}},
	}}, source.NewCatalog(nil, false))
	var got []string
	for _, p := range problems {
		got = append(got, p.Path)
	}
	if strings.Join(got, " ") != "overrides[0].clear overrides[1].match overrides[1].warning" {
		t.Errorf("problems: %v", problems)
	}
}

func TestTheSamplesThatLedToItTravelWithTheAlert(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70", Polls: Polls{3, 3}}})
	p.see(90)
	p.see(60)
	p.see(50)
	var fired alert.Alert
	for _, tr := range p.see(55) {
		fired = tr.Alert
	}
	if fired.State != alert.Firing || len(fired.Samples) != 3 || fired.Samples[0].Value != 60 || fired.Samples[2].Value != 55 || !fired.Samples[2].At.Equal(p.now) {
		t.Fatalf("%s with %+v", fired.State, fired.Samples)
	}
	for range 20 {
		p.see(65)
	}
	for _, tr := range p.see(95) {
		fired = tr.Alert
	}
	if n := len(fired.Samples); fired.State != alert.Resolved || n != alert.MaxSamples || fired.Samples[n-1].Value != 95 || fired.Value != 95 || fired.Peak != 55 {
		t.Errorf("%s value %v peak %v with %+v", fired.State, fired.Value, fired.Peak, fired.Samples)
	}
}

func TestANewPeakIsRemembered(t *testing.T) {
	p := newPoller(t, Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 70"}})
	p.see(60)
	for _, step := range []struct {
		value float64
		want  int
	}{{65, 0}, {55, 1}, {55, 0}, {58, 0}, {40, 1}} {
		if out := p.see(step.value); len(out) != step.want || len(out) == 1 && out[0].Kind != "" {
			t.Errorf("value %v: %d transitions", step.value, len(out))
		}
	}
}

func TestAFlappingAlertDoesNotSettleWithoutData(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 50"}, Flapping: &Flapping{2, 5 * time.Minute}}
	p := newPoller(t, spec)
	for _, v := range []float64{40, 60, 40, 60} {
		p.see(v)
	}
	if got := p.e.Alerts(); len(got) != 1 || !got[0].Flapping() {
		t.Fatalf("%+v", got)
	}
	for _, tr := range p.wait(time.Hour) {
		if tr.Kind != alert.EventHeld {
			t.Errorf("without data: %s: %s", tr.Kind, tr.Alert.Reason)
		}
	}
	if got := kinds(p.see(60)); got != "resolved warning; " {
		t.Errorf("data is back and good: %s", got)
	}
}

func TestASeverityThatFlapsIsJudgedByWhatItWouldBe(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 50"}, ClearMargin: MarginSpec{Value: 10}, Flapping: &Flapping{2, 5 * time.Minute}}
	p := newPoller(t, spec)
	for _, v := range []float64{40, 70, 40, 70} {
		p.see(v)
	}
	var out []Transition
	for range 60 {
		out = append(out, p.see(55)...)
	}
	if got := kinds(out); got != "resolved warning; " {
		t.Errorf("a value that is not below the threshold again: %s", got)
	}
}

func TestAForOverPollsDoesNotEndInAnOutage(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", NoDataAfter: time.Hour, Warning: When{When: "value < 50", For: duration(5 * time.Minute), Polls: Polls{2, 3}}}
	p := newPoller(t, spec)
	for range 3 {
		p.see(40)
	}
	for _, tr := range p.wait(50 * time.Minute) {
		if tr.Kind == alert.EventFiring {
			t.Errorf("fired: %s", tr.Alert.Reason)
		}
	}
}

func TestAnEditThatTakesThePollsAwayLeavesNothingPending(t *testing.T) {
	spec := func(critical, warning When) Spec {
		return Spec{ID: "r", Metric: "cache.hit_rate", Critical: critical, Warning: warning}
	}
	low := When{When: "value < 50"}
	for _, edited := range []Spec{spec(When{}, low), spec(low, When{})} {
		p := newPoller(t, spec(When{}, When{When: "value < 50", Polls: Polls{3, 5}}))
		p.see(40)
		p.e.Reload([]*Rule{mustCompile(t, edited)}, p.now)
		for range 10 {
			p.see(90)
		}
		if left := p.e.Alerts(); len(left) != 0 {
			t.Errorf("left: %s %s", left[0].State, left[0].Reason)
		}
	}
}

// A series that comes every quarter of an hour is remembered over a restart too.
func TestWhatEndedIsRememberedUntilASlowSourceIsBack(t *testing.T) {
	spec := Spec{ID: "r", Metric: "cache.hit_rate", Warning: When{When: "value < 50"}, Flapping: &Flapping{Changes: 2, Within: 3 * time.Hour}}
	p := newPoller(t, spec)
	p.interval = 15 * time.Minute
	out := append(p.see(40), p.see(60)...)
	p.e, _ = restarted(t, spec, out, nil, p.now)
	p.e.Sweep(p.now.Add(10 * time.Minute))
	if got := kinds(p.see(40)); got != "flapping warning; " {
		t.Errorf("the third change: %s", got)
	}
}

func TestAForUnderneathAFlappingAlertWaits(t *testing.T) {
	a := alert.Alert{State: alert.Firing, Severity: alert.Critical, Flap: &alert.Flap{Since: epoch, State: alert.Pending, Severity: alert.Warning, Changes: []time.Time{epoch}}}
	a.Levels[alert.Warning-1].Since = epoch
	if !Waits(&a) {
		t.Error("its samples would not be kept for a restart")
	}
}
