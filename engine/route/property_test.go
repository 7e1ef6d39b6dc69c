package route

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// ledger is what one receiver was told of one alert.
type ledger struct {
	told     bool // at least once, as firing or as resolved
	echo     bool // it ended while something held it back
	woken    bool // a snooze ended since it was told
	firing   bool // as firing
	resolved int
	severity alert.Severity
	at       time.Time
}

// model drives a dispatcher with random events, keeps its changes as a store
// would, and judges every delivery by what the receivers were told before.
type model struct {
	t       *rapid.T
	d       *Dispatcher
	tree    *Route
	now     time.Time
	ids     int
	active  map[string]string // name to the id of the occurrence that fires
	alerts  map[string]alert.Alert
	wants   map[string]map[string]bool // alert to the receivers of its last route
	ledgers map[string]map[string]*ledger
	groups  map[string]store.Group
	members map[store.MemberKey]store.Member

	silences map[string]alert.Silence
	acks     map[string]alert.Ack
}

const repeatEvery = time.Hour

// trees are the configurations that an operator may switch between.
func trees() []Spec {
	deep := simple()
	deep.GroupBy = []string{"category"}
	deep.Routes = []Spec{
		{Match: []string{"severity = critical"}, Receivers: []string{"hooks"}, GroupBy: []string{"severity"}},
		{Match: []string{`alertname =~ "a|b"`}, Receivers: []string{"quiet", "ops"}, Continue: true, GroupBy: []string{"..."}},
		{Match: []string{"category = cache"}, Receivers: []string{"ops", "hooks"}, GroupWait: seconds(3)},
	}
	quiet := simple()
	quiet.Receivers = []string{"quiet", "hooks"}
	severity := simple()
	severity.GroupBy = []string{"severity"}
	split := simple()
	split.Routes = []Spec{{Match: []string{"severity = critical"}, Receivers: []string{"ops", "hooks"}}}
	return []Spec{simple(), deep, quiet, severity, split}
}

func (m *model) start(spec Spec) {
	tree, problems := Compile(spec, []string{"ops", "hooks", "quiet"})
	inhibitions, more := CompileInhibitions([]InhibitSpec{{Source: []string{"alertname = down"}, Target: []string{`alertname =~ "a|c"`}}})
	if err := append(problems, more...).Err(); err != nil {
		m.t.Fatal(err)
	}
	m.tree = tree
	m.d = New(Options{
		Root: tree, Inhibitions: inhibitions,
		Receivers: []Receiver{{Name: "ops"}, {Name: "hooks"}, {Name: "quiet", SkipResolved: true}},
		NewID:     func() string { m.ids++; return fmt.Sprint("msg_", m.ids) },
	})
}

// restart makes a new dispatcher of what the store has.
func (m *model) restart(spec Spec) {
	snapshot := store.Snapshot{
		Groups: slices.Collect(maps.Values(m.groups)), Members: slices.Collect(maps.Values(m.members)),
		Silences: slices.Collect(maps.Values(m.silences)), Acks: slices.Collect(maps.Values(m.acks)),
	}
	for _, id := range slices.Sorted(maps.Keys(m.alerts)) {
		inUse := m.alerts[id].State == alert.Firing
		for key := range m.members {
			inUse = inUse || key.AlertID == id
		}
		if inUse {
			snapshot.Alerts = append(snapshot.Alerts, m.alerts[id])
		}
	}
	m.start(spec)
	m.d.Restore(snapshot, nil, m.now)
	m.take(m.d.Take())
	for _, id := range m.active {
		m.route(id)
	}
}

// route notes whom the alert's present route reaches.
func (m *model) route(id string) {
	a := m.alerts[id]
	m.wants[id] = map[string]bool{}
	for _, r := range m.tree.Take(a.AllLabels()) {
		for _, name := range r.Receivers {
			m.wants[id][name] = true
		}
	}
}

func (m *model) apply(a alert.Alert, kind alert.EventKind) {
	m.alerts[a.ID] = a
	if a.Active() {
		m.route(a.ID)
	}
	for _, alerts := range m.ledgers { // a fall is not told: the next rise is news
		if l := alerts[a.ID]; l != nil && a.Active() {
			l.severity = min(l.severity, a.Severity)
		}
	}
	m.d.Apply(a, kind, m.now)
	m.take(m.d.Take())
}

func (m *model) fire(name string, severity alert.Severity) {
	m.ids++
	labels := alert.LabelsOf("alertname", name, "category", map[bool]string{true: "cache", false: "host"}[name < "c"])
	a := alert.Alert{
		ID: fmt.Sprintf("%s#%d", name, m.ids), Rule: name, Labels: labels, Fingerprint: labels.Fingerprint(),
		Severity: severity, State: alert.Firing, StartsAt: m.now,
	}
	m.active[name] = a.ID
	m.apply(a, alert.EventFiring)
}

func (m *model) resolve(name string) {
	a := m.alerts[m.active[name]]
	delete(m.active, name)
	a.State = alert.Resolved
	m.apply(a, alert.EventResolved)
}

func (m *model) pass(d time.Duration) {
	until := m.now.Add(d)
	for {
		due := m.d.NextDue()
		if due.IsZero() || due.After(until) {
			break
		}
		m.now = later(m.now, due)
		m.d.Flush(m.now)
		m.take(m.d.Take())
		if after := m.d.NextDue(); !after.IsZero() && !after.After(m.now) {
			m.t.Fatalf("flush at %s made no progress", m.now.Sub(epoch))
		}
	}
	m.now = until
}

// take commits a change, drops first, and judges what is sent.
func (m *model) take(c store.Change) {
	for _, e := range c.Events {
		if e.Kind == alert.EventHeld && strings.Contains(e.Reason, "while it was held back") {
			m.ledger(e.Receiver, e.AlertID).echo = true
		}
		if e.Kind == alert.EventReopened && strings.HasPrefix(e.Reason, "snooze") {
			for _, alerts := range m.ledgers {
				if l := alerts[e.AlertID]; l != nil {
					l.woken = true
				}
			}
		}
	}
	for _, id := range c.DropAcks {
		delete(m.acks, id)
	}
	for _, ack := range c.Acks {
		m.acks[ack.AlertID] = ack
	}
	for _, s := range c.Silences {
		m.silences[s.ID] = s
	}
	for _, key := range c.DropGroups {
		delete(m.groups, key)
	}
	for _, key := range c.DropMembers {
		delete(m.members, key)
	}
	for _, g := range c.Groups {
		m.groups[g.Key] = g
	}
	for _, member := range c.Members {
		m.members[member.MemberKey] = member
	}
	m.same()
	m.found()
	for i := range c.Deliveries {
		m.judge(&c.Deliveries[i].Notification)
	}
}

// same holds the store against the dispatcher's memory.
func (m *model) same() {
	s := m.d.Snapshot()
	if len(s.Acks) != len(m.acks) || len(s.Silences) != len(m.silences) {
		m.t.Fatalf("the store has acknowledgements %v and silences %v, the dispatcher %v and %v", m.acks, m.silences, s.Acks, s.Silences)
	}
	if len(s.Members) != len(m.members) || len(s.Groups) != len(m.groups) {
		m.t.Fatalf("the store has %d members in %d groups, the dispatcher %d in %d", len(m.members), len(m.groups), len(s.Members), len(s.Groups))
	}
	for _, member := range s.Members {
		if m.members[member.MemberKey] != member {
			m.t.Fatalf("the store has %+v, the dispatcher %+v", m.members[member.MemberKey], member)
		}
	}
	for _, g := range s.Groups {
		if stored := m.groups[g.Key]; !stored.FlushAt.Equal(g.FlushAt) || stored.Seq != g.Seq {
			m.t.Fatalf("the store has %+v, the dispatcher %+v", stored, g)
		}
	}
}

// found sees that the alerts that fire are found by their labels, and those only.
func (m *model) found() {
	for _, label := range []alert.Label{{Name: "alertname", Value: "a"}, {Name: "category", Value: "cache"}, {Name: "severity", Value: "critical"}} {
		want := 0
		for _, id := range m.active {
			a := m.alerts[id]
			if labels := a.AllLabels(); labels.Get(label.Name) == label.Value {
				want++
			}
		}
		is := alert.Matcher{Name: label.Name, Op: alert.MatchEqual, Value: label.Value}
		if got := m.d.Stances(&alert.StandingQuery{Matchers: alert.Matchers{is}}, m.now); len(got) != want {
			m.t.Fatalf("%d alerts have %s=%s, found %d", want, label.Name, label.Value, len(got))
		}
	}
}

func (m *model) judge(n *alert.Notification) {
	news := false
	var last time.Time
	for i := range n.Alerts {
		a := &n.Alerts[i]
		l := m.ledger(n.Receiver, a.ID)
		news = news || !l.told || l.woken || a.Active() && l.severity < a.Severity || !a.Active() && l.firing
		if l.resolved > 0 {
			m.t.Fatalf("%s is told of %s after its end", n.Receiver, a.ID)
		}
		if a.Active() {
			last = later(last, l.at)
			m.judgeFiring(n.Receiver, a, l)
		}
		l.told, l.woken, l.severity, l.at = true, false, a.Severity, m.now
		if a.Active() {
			l.firing = true
		} else {
			l.resolved++
			if n.Receiver == "quiet" {
				m.t.Fatalf("quiet is told of the end of %s", a.ID)
			}
		}
	}
	if !news && (last.IsZero() || m.now.Sub(last) < repeatEvery) {
		m.t.Fatalf("%s is told nothing new at %s: %q", n.Receiver, m.now.Sub(epoch), n.Reason)
	}
}

func (m *model) judgeFiring(receiver string, a *alert.Alert, l *ledger) {
	if m.active[a.Rule] != a.ID {
		m.t.Fatalf("%s is told that %s fires, which ended", receiver, a.ID)
	}
	if !m.wants[a.ID][receiver] {
		m.t.Fatalf("%s is told that %s fires, and is not on its route", receiver, a.ID)
	}
	if !l.told && (a.Rule == "a" || a.Rule == "c") && m.active["down"] != "" {
		m.t.Fatalf("%s is told of %s, which is inhibited", receiver, a.ID)
	}
	m.judgeHeld(receiver, a, l)
	for id, other := range m.ledgers[receiver] {
		if id != a.ID && m.alerts[id].Rule == a.Rule && other.firing && other.resolved == 0 && receiver != "quiet" {
			m.t.Fatalf("%s is told of %s before the end of %s", receiver, a.ID, id)
		}
	}
}

// judgeHeld sees that nothing is told of what people hold back.
func (m *model) judgeHeld(receiver string, a *alert.Alert, l *ledger) {
	for _, s := range m.silences {
		if s.State(m.now) == alert.SilenceActive && s.Matchers.Matches(a.AllLabels()) {
			m.t.Fatalf("%s is told of %s, which %s silences", receiver, a.ID, s.ID)
		}
	}
	ack, acked := m.acks[a.ID]
	if acked && ack.Snooze() && m.now.Before(ack.Until) {
		m.t.Fatalf("%s is told of %s, which is snoozed", receiver, a.ID)
	}
	if acked && l.told && l.severity >= a.Severity {
		m.t.Fatalf("%s is told of %s again, which is acknowledged", receiver, a.ID)
	}
}

func (m *model) ledger(receiver, id string) *ledger {
	if m.ledgers[receiver] == nil {
		m.ledgers[receiver] = map[string]*ledger{}
	}
	if m.ledgers[receiver][id] == nil {
		m.ledgers[receiver][id] = &ledger{}
	}
	return m.ledgers[receiver][id]
}

// end resolves everything, lets time pass and counts what is left.
func (m *model) end() {
	m.pass(time.Hour) // silences and snoozes end
	for _, name := range slices.Sorted(maps.Keys(m.active)) {
		m.resolve(name)
	}
	m.pass(3 * time.Hour)
	if len(m.acks) != 0 {
		m.t.Fatalf("left behind: acknowledgements %v", m.acks)
	}
	if len(m.d.groups)+len(m.d.alerts)+len(m.d.ended)+len(m.groups)+len(m.members) != 0 {
		m.t.Fatalf("left behind: groups %v, alerts %v, ended %v, stored %v %v", m.d.Groups(), m.d.alerts, m.d.ended, m.groups, m.members)
	}
	for id, receivers := range m.wants {
		for name := range receivers {
			if l := m.ledger(name, id); name != "quiet" && !l.told && !l.echo {
				m.t.Fatalf("%s was never told of %s", name, id)
			}
		}
	}
	for name, alerts := range m.ledgers {
		for id, l := range alerts {
			if want := map[bool]int{true: 0, false: 1}[name == "quiet"]; l.told && l.resolved != want {
				m.t.Fatalf("%s was told %d ends of %s", name, l.resolved, id)
			}
		}
	}
}

func TestNothingIsLostAndNothingIsToldTwice(t *testing.T) {
	all := trees()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			t: t, now: epoch, active: map[string]string{}, alerts: map[string]alert.Alert{}, wants: map[string]map[string]bool{},
			ledgers: map[string]map[string]*ledger{}, groups: map[string]store.Group{}, members: map[store.MemberKey]store.Member{},
			silences: map[string]alert.Silence{}, acks: map[string]alert.Ack{},
		}
		present := rapid.SampledFrom(all).Draw(t, "tree")
		m.start(present)
		names := rapid.SampledFrom([]string{"a", "b", "c", "down"})
		severities := rapid.SampledFrom([]alert.Severity{alert.Info, alert.Warning, alert.Critical})
		t.Repeat(map[string]func(*rapid.T){
			"fire or move": func(t *rapid.T) {
				name, severity := names.Draw(t, "name"), severities.Draw(t, "severity")
				id, fires := m.active[name]
				if !fires {
					m.fire(name, severity)
				} else if a := m.alerts[id]; a.Severity != severity {
					a.Severity = severity
					m.apply(a, alert.EventSeverity)
				}
			},
			"resolve": func(t *rapid.T) {
				if name := names.Draw(t, "name"); m.active[name] != "" {
					m.resolve(name)
				}
			},
			"silence": func(t *rapid.T) {
				m.ids++
				s := alert.Silence{ID: fmt.Sprint("s", m.ids), StartsAt: m.now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "in")) * time.Minute)}
				s.EndsAt = s.StartsAt.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "for")) * time.Minute)
				op := rapid.SampledFrom([]alert.MatchOp{alert.MatchEqual, alert.MatchNotEqual}).Draw(t, "op")
				matcher, err := alert.NewMatcher("alertname", op, names.Draw(t, "name"))
				if err != nil {
					t.Fatal(err)
				}
				s.Matchers = alert.Matchers{matcher}
				m.d.PutSilence(s, m.now)
				m.take(m.d.Take())
			},
			"expire": func(t *rapid.T) {
				for _, id := range slices.Sorted(maps.Keys(m.silences)) {
					if s := m.silences[id]; s.State(m.now) == alert.SilenceActive {
						s.EndsAt = m.now
						m.d.PutSilence(s, m.now)
						m.take(m.d.Take())
						return
					}
				}
			},
			"acknowledge": func(t *rapid.T) {
				id := m.active[names.Draw(t, "name")]
				ack := alert.Ack{By: "ann"}
				if rapid.Bool().Draw(t, "snooze") {
					ack.Until = m.now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "for")) * time.Minute)
				}
				if m.d.Acknowledge(id, ack, m.now) != (id != "") {
					t.Fatalf("acknowledging %q", id)
				}
				m.take(m.d.Take())
			},
			"take back": func(t *rapid.T) {
				m.d.Unacknowledge(m.active[names.Draw(t, "name")], "ann", m.now)
				m.take(m.d.Take())
			},
			"fail": func(t *rapid.T) {
				m.d.SetFailing("ops", rapid.SampledFrom([]string{"", "gone"}).Draw(t, "why"), m.now)
				m.take(m.d.Take())
			},
			"seconds": func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(1, 90).Draw(t, "s")) * time.Second) },
			"hours":   func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(20, 200).Draw(t, "min")) * time.Minute) },
			"restart": func(*rapid.T) { m.restart(present) },
			"edit": func(t *rapid.T) {
				present = rapid.SampledFrom(all).Draw(t, "tree")
				m.restart(present)
			},
		})
		m.end()
	})
}
