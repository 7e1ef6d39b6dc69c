package engine

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/store"
)

// memory is a store in memory that refuses while told to. It keeps what a real
// one keeps, so that a second engine can go on from it.
type memory struct {
	mu         sync.Mutex
	refuse     bool
	alerts     map[string]alert.Alert
	groups     map[string]store.Group
	members    map[store.MemberKey]store.Member
	deliveries []alert.Delivery
	events     []string
	samples    []alert.Sample
}

func newMemory() *memory {
	return &memory{alerts: map[string]alert.Alert{}, groups: map[string]store.Group{}, members: map[store.MemberKey]store.Member{}}
}

func (m *memory) Commit(_ context.Context, c store.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse {
		return errors.New("disk full")
	}
	for _, a := range c.Alerts {
		m.alerts[a.ID] = a
	}
	for _, e := range c.Events {
		m.events = append(m.events, string(e.Kind))
	}
	for _, g := range c.Groups {
		m.groups[g.Key] = g
	}
	for _, member := range c.Members {
		m.members[member.MemberKey] = member
	}
	for _, key := range c.DropMembers {
		delete(m.members, key)
	}
	for _, key := range c.DropGroups {
		delete(m.groups, key)
	}
	m.deliveries = append(m.deliveries, c.Deliveries...)
	return nil
}

func (m *memory) Load(context.Context) (store.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s store.Snapshot
	grouped := map[string]bool{}
	for key := range m.members {
		grouped[key.AlertID] = true
	}
	for _, a := range m.alerts {
		if a.EndsAt.IsZero() || grouped[a.ID] {
			s.Alerts = append(s.Alerts, a)
		}
	}
	for _, g := range m.groups {
		s.Groups = append(s.Groups, g)
	}
	for _, member := range m.members {
		s.Members = append(s.Members, member)
	}
	return s, nil
}

func (m *memory) Ended(_ context.Context, rules []string, after time.Time) ([]alert.Alert, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []alert.Alert
	for _, a := range m.alerts {
		if slices.Contains(rules, a.Rule) && a.EndsAt.After(after) {
			out = append(out, a)
		}
	}
	return out, nil
}

func (m *memory) AppendSamples(_ context.Context, s []alert.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, s...)
	return nil
}

func (m *memory) LoadSamples(_ context.Context, metric string, since time.Time, fn func(alert.Sample) error) error {
	for _, s := range m.samples {
		if s.Metric == metric && s.At.After(since) {
			if err := fn(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) Prune(context.Context, store.Retention, int) (int64, error) { return 0, nil }

func (m *memory) happened() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.events)
}

// tray takes what the engine hands to the outbox.
type tray struct {
	mu   sync.Mutex
	sent []string
	// unstored is of the last deliveries that came before the store had them.
	unstored <-chan struct{}
}

func (o *tray) Enqueue(deliveries []alert.Delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range deliveries {
		for _, a := range d.Notification.Alerts {
			o.sent = append(o.sent, a.Rule+" "+string(a.State)+" "+a.Severity.String())
		}
	}
}

func (o *tray) EnqueueUnstored(deliveries []alert.Delivery, stored <-chan struct{}) {
	o.Enqueue(deliveries)
	o.unstored = stored
}

func (o *tray) SetMarks([]store.Mark)           {}
func (o *tray) SetReferences([]store.Reference) {}

func (o *tray) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	sent := o.sent
	o.sent = nil
	return sent
}

func setup(t *testing.T, specs ...rule.Spec) Setup {
	t.Helper()
	var s Setup
	for _, spec := range specs {
		r, problems := rule.Compile(spec, source.NewCatalog(nil, false))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		s.Rules = append(s.Rules, r)
	}
	wait := 10 * time.Second
	root, problems := route.Compile(route.Spec{Receivers: []string{"ops"}, GroupWait: &wait}, []string{"ops"})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	n := 0
	s.Route = route.Options{Root: root, Receivers: []route.Receiver{{Name: "ops"}}, NewID: func() string { n++; return "msg_" + strconv.Itoa(n) }}
	return s
}

func lowHitRate() rule.Spec {
	hold := 30 * time.Second
	return rule.Spec{ID: "low", Metric: "cache.hit_rate", Warning: rule.When{When: "value < 85", For: &hold}}
}

// run starts an engine in the bubble and returns what stops it.
func run(t *testing.T, e *Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	<-e.Ready()
	return func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("run ended with %v", err)
		}
	}
}

func feed(t *testing.T, e *Engine, value float64, polls int) {
	t.Helper()
	for range polls {
		poll(t, e, value)
		time.Sleep(5 * time.Second)
	}
}

// poll hands over one sample, and returns when the loop is done with it.
func poll(t *testing.T, e *Engine, value float64) {
	t.Helper()
	b := source.Batch{Source: "cache", At: time.Now(), Interval: 5 * time.Second, Samples: []alert.Sample{
		{Metric: "cache.hit_rate", Labels: alert.LabelsOf("source", "cache"), Value: value, At: time.Now()},
	}}
	if err := e.Ingest(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func want(t *testing.T, o *tray, lines ...string) {
	t.Helper()
	if diff := cmp.Diff(lines, o.take()); diff != "" {
		t.Error(diff)
	}
}

func TestASampleBecomesANotificationAndAResolution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(), &tray{}
		e := New(Options{Setup: setup(t, lowHitRate()), Store: m, Outbox: o, Log: slog.New(slog.DiscardHandler)})
		defer run(t, e)()
		feed(t, e, 80, 6)
		want(t, o) // pending: 25 s
		feed(t, e, 80, 1)
		want(t, o) // firing since 30 s: group_wait
		feed(t, e, 80, 3)
		want(t, o, "low firing warning")
		feed(t, e, 90, 13)
		want(t, o, "low resolved warning")
		wantEvents := []string{"pending", "firing", "grouped", "queued", "resolved", "queued"}
		if diff := cmp.Diff(wantEvents, m.happened()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestExplainIsAskedWhileTheLoopRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(Options{Setup: setup(t, lowHitRate()), Store: newMemory(), Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
		defer run(t, e)()
		feed(t, e, 80, 3)
		out, ok := e.Explain("low", nil, 10)
		if !ok || out.Total != 1 || out.Series[0].State != "pending" || !out.At.Equal(time.Now().Truncate(time.Millisecond)) {
			t.Errorf("%v: %+v", ok, out)
		}
		if _, ok := e.Explain("lo", nil, 10); ok {
			t.Error("a rule that does not exist is explained")
		}
	})
}

func TestARestartGoesOnWithoutTellingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(), &tray{}
		start := func() (*Engine, func()) {
			e := New(Options{Setup: setup(t, lowHitRate()), Store: m, Outbox: o, Log: slog.New(slog.DiscardHandler)})
			return e, run(t, e)
		}
		e, stop := start()
		feed(t, e, 80, 3) // pending for 10 s
		stop()
		e, stop = start()
		feed(t, e, 80, 3) // 15 to 25 s
		want(t, o)
		feed(t, e, 80, 4) // it fires at 30 s, and is told at 40 s
		want(t, o, "low firing warning")
		stop()
		e, stop = start()
		feed(t, e, 80, 20)
		want(t, o) // not again
		feed(t, e, 90, 13)
		want(t, o, "low resolved warning")
		stop()
	})
}

func TestAStoreThatRefusesLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(), &tray{}
		e := New(Options{Setup: setup(t, lowHitRate()), Store: m, Outbox: o, Log: slog.New(slog.DiscardHandler)})
		defer run(t, e)()
		m.mu.Lock()
		m.refuse = true
		m.mu.Unlock()
		feed(t, e, 80, 10)
		want(t, o, "low firing warning") // people are told all the same
		if s := e.Stats(); !s.StoreDown || s.CommitErrors == 0 {
			t.Errorf("stats %+v", s)
		}
		m.mu.Lock()
		m.refuse = false
		m.mu.Unlock()
		time.Sleep(2 * time.Second)
		wantEvents := []string{"pending", "firing", "grouped", "queued"}
		if diff := cmp.Diff(wantEvents, m.happened()); diff != "" {
			t.Error(diff)
		}
		select {
		case <-o.unstored:
		default:
			t.Error("the outbox does not know that the store has the deliveries")
		}
		if e.Stats().StoreDown {
			t.Error("the store counts as down after it took the change")
		}
	})
}

func TestReloadGoesOnWithTheAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, o := newMemory(), &tray{}
		e := New(Options{Setup: setup(t, lowHitRate()), Store: m, Outbox: o, Log: slog.New(slog.DiscardHandler)})
		defer run(t, e)()
		feed(t, e, 80, 10)
		want(t, o, "low firing warning")
		edited := lowHitRate()
		edited.Warning.When = "value < 81"
		if err := e.Reload(t.Context(), setup(t, edited)); err != nil {
			t.Fatal(err)
		}
		feed(t, e, 80, 20)
		want(t, o)
		if err := e.Reload(t.Context(), setup(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		want(t, o, "low resolved warning")
	})
}
