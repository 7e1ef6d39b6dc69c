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
	"github.com/tocsin-dev/tocsin/internal/problem"
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
	failing  map[string]bool
	edited   bool // between two starts
	windows  []Maintenance
	first    map[string]time.Time // when anybody was first told of an alert
}

// setting is a configuration that an operator may switch to.
type setting struct {
	Spec
	maintenance bool // every day, 13:00 to 13:20, of what is called b
	capped      bool // two notifications in four minutes
	without     string
}

const repeatEvery = time.Hour

func settings() []setting {
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
	ladder := simple()
	ladder.Fallback = []string{"spare"}
	ladder.Escalate = []StepSpec{{After: 20 * time.Minute, Receivers: []string{"boss"}}, {After: 90 * time.Minute, Receivers: []string{"hooks"}}}
	ladder.Routes = []Spec{
		{Match: []string{"alertname = a"}, Continue: true, GroupBy: []string{"..."}},
		{Match: []string{`alertname =~ "a|b"`}, Receivers: []string{"hooks"}, Escalate: []StepSpec{{After: 5 * time.Minute, Receivers: []string{"boss", "ops"}}}},
	}
	muted := simple()
	muted.Routes = []Spec{
		{Match: []string{"alertname = a"}, Receivers: []string{"ops", "boss"}, MuteTimeIntervals: []string{"break"}},
		{Match: []string{"alertname = b"}, Receivers: []string{"hooks"}, ActiveTimeIntervals: []string{"shift"}, Fallback: []string{"spare"}},
	}
	named := simple()
	named.GroupBy = []string{"alertname", "severity"}
	named.Receivers = []string{"ops", "boss"}
	return []setting{
		{Spec: simple()},
		{Spec: deep},
		{Spec: quiet},
		{Spec: severity},
		{Spec: split},
		{Spec: ladder},
		{Spec: muted},
		{Spec: named},
		{Spec: deep, capped: true},
		{Spec: named, capped: true, without: "hooks"},
		{Spec: ladder, maintenance: true, capped: true},
		{Spec: simple(), maintenance: true, without: "hooks"},
		{Spec: named, without: "spare"},
	}
}

func (m *model) options(s *setting) Options {
	intervals, problems := CompileIntervals([]IntervalSpec{
		{Name: "break", TimeIntervals: []SpanSpec{{Times: times("12:00-12:30", "15:00-15:30")}}},
		{Name: "shift", TimeIntervals: []SpanSpec{{Times: times("10:30-14:00", "14:20-18:00", "20:00-24:00", "00:00-09:00")}}},
	})
	tree, wrong := Compile(s.Spec, []string{"ops", "hooks", "quiet", "boss", "spare"}, intervals...)
	inhibitions, more := CompileInhibitions([]InhibitSpec{{Source: []string{"alertname = down"}, Target: []string{`alertname =~ "a|c"`}}})
	problems = slices.Concat(problems, wrong, more)
	m.windows = nil
	if s.maintenance {
		m.windows, more = CompileMaintenance([]MaintenanceSpec{{
			Name: "work", Match: []string{"alertname = b"}, TimeIntervals: []WindowSpec{{SpanSpec: SpanSpec{Times: times("13:00-13:20")}}},
		}}, nil)
		problems = append(problems, more...)
	}
	for i := range problems {
		if problems[i].Code != problem.NoEffect {
			m.t.Fatal(problems[i])
		}
	}
	o := Options{Root: tree, Inhibitions: inhibitions, Maintenance: m.windows, NewID: func() string { m.ids++; return fmt.Sprint("msg_", m.ids) }}
	for _, name := range []string{"ops", "hooks", "quiet", "boss", "spare"} {
		r := Receiver{Name: name, SkipResolved: name == "quiet"}
		if s.capped {
			r.Cap, r.CapPer = 2, 4*time.Minute
		}
		if name != s.without {
			o.Receivers = append(o.Receivers, r)
		}
	}
	m.tree = tree
	delete(m.ledgers, s.without) // it is forgotten, and told anew when it comes back
	for _, receivers := range m.wants {
		delete(receivers, s.without)
	}
	return o
}

// restart makes a new dispatcher of what the store has.
func (m *model) restart(to *setting) {
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
	m.d, m.failing = New(m.options(to)), map[string]bool{}
	m.d.Restore(snapshot, nil, m.now)
	m.take(m.d.Take())
	for _, id := range m.active {
		m.route(id)
	}
}

// exchange goes on by another setting without a restart.
func (m *model) exchange(to *setting) {
	m.d.Exchange(m.options(to), m.now)
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
		stored := m.groups[g.Key]
		passed := !stored.FlushAt.IsZero() && !stored.FlushAt.After(m.now) && stored.FlushAt.Before(g.FlushAt)
		if !stored.FlushAt.Equal(g.FlushAt) && !passed || !stored.SentAt.Equal(g.SentAt) || stored.Seq != g.Seq {
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
			m.judgeFiring(n, a, l)
			if m.first[a.ID].IsZero() {
				m.first[a.ID] = m.now
			}
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

func (m *model) judgeFiring(n *alert.Notification, a *alert.Alert, l *ledger) {
	receiver := n.Receiver
	if m.active[a.Rule] != a.ID {
		m.t.Fatalf("%s is told that %s fires, which ended", receiver, a.ID)
	}
	if !m.wants[a.ID][receiver] {
		m.judgeOther(receiver, a, l)
	}
	if g, ok := m.groups[n.GroupKey]; ok {
		routes := map[string]*Route{}
		m.tree.byPath(routes)
		if why, muted := routes[g.Route].Muted(m.now); muted {
			m.t.Fatalf("%s is told of %s, which is %s", receiver, a.ID, why)
		}
	}
	for i := range m.windows {
		if m.windows[i].Active(m.now) && m.windows[i].Match.Matches(a.AllLabels()) {
			m.t.Fatalf("%s is told of %s, which maintenance excuses", receiver, a.ID)
		}
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

// judgeOther sees that a receiver that is not the route's own is one of its
// fallback or of a step that is due.
func (m *model) judgeOther(receiver string, a *alert.Alert, l *ledger) {
	for _, r := range m.tree.Take(a.AllLabels()) {
		failing := !slices.ContainsFunc(r.Receivers, func(name string) bool { return !m.failing[name] })
		if failing && slices.Contains(r.Fallback, receiver) {
			return
		}
		for _, step := range r.Escalate {
			if !slices.Contains(step.Receivers, receiver) {
				continue
			}
			_, acked := m.acks[a.ID]
			from := m.first[a.ID]
			if m.edited { // a start takes an untold receiver that became a step's for one that counts already
				from = a.StartsAt
			}
			if due := from.Add(step.After); l.told || !acked && !m.first[a.ID].IsZero() && !m.now.Before(due) {
				return
			}
		}
	}
	m.t.Fatalf("%s is told that %s fires, and is not to be", receiver, a.ID)
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
	m.pass(4 * time.Hour)
	m.allTold()
	for _, name := range slices.Sorted(maps.Keys(m.active)) {
		m.resolve(name)
	}
	m.pass(3 * time.Hour)
	if len(m.acks) != 0 {
		m.t.Fatalf("left behind: acknowledgements %v", m.acks)
	}
	if len(m.d.groups)+len(m.d.alerts)+len(m.d.named)+m.d.endings+len(m.groups)+len(m.members) != 0 {
		m.t.Fatalf("left behind: groups %v, alerts %v, ended %v, stored %v %v", m.d.Groups(), m.d.alerts, m.d.endings, m.groups, m.members)
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

// allTold sees that everybody knows of what fires and nothing holds back.
func (m *model) allTold() {
	for m.calendarHolds() {
		m.pass(time.Minute)
	}
	m.pass(5 * time.Minute) // a group_interval, or until the next digest
	if m.calendarHolds() {
		return
	}
	for _, id := range m.active {
		a := m.alerts[id]
		if (a.Rule == "a" || a.Rule == "c") && m.active["down"] != "" {
			continue
		}
		for name := range m.wants[id] {
			if !m.ledger(name, id).firing {
				m.t.Fatalf("%s does not know of %s, which fires", name, id)
			}
		}
		if _, acked := m.acks[id]; acked {
			continue
		}
		for _, r := range m.tree.Take(a.AllLabels()) {
			for _, step := range r.Escalate {
				for _, name := range step.Receivers {
					if m.now.Sub(m.first[id]) > 4*time.Hour && m.d.receivers[name] != nil && !m.ledger(name, id).firing {
						m.t.Fatalf("%s, a step of the escalation, does not know of %s", name, id)
					}
				}
			}
		}
	}
}

// calendarHolds says whether an interval or maintenance holds anything back.
func (m *model) calendarHolds() bool {
	routes := map[string]*Route{}
	m.tree.byPath(routes)
	for _, r := range routes {
		if _, muted := r.Muted(m.now); muted {
			return true
		}
	}
	return slices.ContainsFunc(m.windows, func(w Maintenance) bool { return w.Active(m.now) })
}

func TestNothingIsLostAndNothingIsToldTwice(t *testing.T) {
	all := settings()
	rapid.Check(t, func(t *rapid.T) {
		m := &model{
			t: t, now: epoch, active: map[string]string{}, alerts: map[string]alert.Alert{}, wants: map[string]map[string]bool{},
			ledgers: map[string]map[string]*ledger{}, groups: map[string]store.Group{}, members: map[store.MemberKey]store.Member{},
			silences: map[string]alert.Silence{}, acks: map[string]alert.Ack{}, failing: map[string]bool{}, first: map[string]time.Time{},
		}
		pick := func() *setting { return &all[rapid.IntRange(0, len(all)-1).Draw(t, "setting")] }
		present := pick()
		m.d = New(m.options(present))
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
				name, why := rapid.SampledFrom([]string{"ops", "hooks"}).Draw(t, "receiver"), rapid.SampledFrom([]string{"", "gone"}).Draw(t, "why")
				m.failing[name] = why != ""
				m.d.SetFailing(name, why, m.now)
				m.take(m.d.Take())
			},
			"seconds": func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(1, 90).Draw(t, "s")) * time.Second) },
			"hours":   func(t *rapid.T) { m.pass(time.Duration(rapid.IntRange(20, 200).Draw(t, "min")) * time.Minute) },
			"restart": func(*rapid.T) { m.restart(present) },
			"edit": func(t *rapid.T) {
				present, m.edited = pick(), true
				m.restart(present)
			},
			"reload": func(t *rapid.T) {
				present = pick()
				m.exchange(present)
			},
		})
		m.end()
	})
}
