package api_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/store"
)

// hands are a router whose alerts can be taken up, one heartbeat and an outbox.
type hands struct {
	*router
	acks  map[string]*alert.Ack
	by    string // who last asked
	flaky int    // how often Acknowledge does not find what it is given
	beats []string
	sent  map[string]alert.Delivery
	lines []alert.OutlookLine // nil for the usual ones
}

func newHands(alerts ...alert.Alert) *hands {
	h := &hands{router: newRouter(), acks: map[string]*alert.Ack{}, sent: map[string]alert.Delivery{}}
	for _, a := range alerts {
		h.alerts[a.Fingerprint] = a
	}
	return h
}

func (h *hands) options() api.Options {
	o := h.router.options()
	o.Router, o.Operator, o.AlertExplainer, o.Deliveries, o.Heart = h, h, h, h, h
	return o
}

func (h *hands) Standings(q alert.StandingQuery, yield func(*alert.Standing) bool) {
	h.router.Standings(q, func(s *alert.Standing) bool {
		s.Ack = h.acks[s.Alert.ID]
		return yield(s)
	})
}

func (h *hands) Standing(id string) (found alert.Standing, ok bool) {
	h.Standings(alert.StandingQuery{}, func(s *alert.Standing) bool {
		if s.Alert.ID == id || s.Alert.Fingerprint.String() == id {
			found, ok = *s, true
		}
		return !ok
	})
	return found, ok
}

func (h *hands) change(ids []string, do func(a *alert.Alert)) ([]alert.Standing, error) {
	for _, id := range ids {
		if _, ok := h.Standing(id); !ok {
			return nil, fmt.Errorf("alert %q does not fire: %w", id, store.ErrNotFound)
		}
	}
	var out []alert.Standing
	for _, id := range ids {
		s, _ := h.Standing(id)
		do(&s.Alert)
		s, _ = h.Standing(id)
		out = append(out, s)
	}
	return out, nil
}

func (h *hands) Acknowledge(_ context.Context, ids []string, ack alert.Ack) ([]alert.Standing, error) {
	if h.flaky > 0 {
		h.flaky--
		return nil, store.ErrNotFound
	}
	h.by = ack.By
	return h.change(ids, func(a *alert.Alert) {
		one := ack
		one.AlertID, one.Severity = a.ID, a.Severity
		h.acks[a.ID] = &one
	})
}

func (h *hands) Unacknowledge(_ context.Context, ids []string, by string) ([]alert.Standing, error) {
	h.by = by
	return h.change(ids, func(a *alert.Alert) { delete(h.acks, a.ID) })
}

func (h *hands) ExpireSilence(ctx context.Context, id, by string) (alert.Silence, error) {
	h.by = by
	return h.router.ExpireSilence(ctx, id, by)
}

func (h *hands) ExplainAlert(id string) (alert.Outlook, bool) {
	if _, ok := h.Standing(id); !ok {
		return alert.Outlook{}, false
	}
	if h.lines != nil {
		return alert.Outlook{Lines: slices.Clone(h.lines)}, true
	}
	return alert.Outlook{Lines: []alert.OutlookLine{
		{Receiver: "ops", Group: "{}:{}", State: alert.OutlookQueued, Queued: tenOClock().Add(70 * time.Second), As: alert.Critical, Next: tenOClock().Add(4 * time.Hour), What: "repeat"},
		{Receiver: "pager", Group: "{}:{}", State: alert.OutlookSilenced, Reason: "silenced by ada"},
	}}, true
}

func (h *hands) Delivery(_ context.Context, id string) (alert.Delivery, error) {
	d, ok := h.sent[id]
	if !ok {
		return d, store.ErrNotFound
	}
	return d, nil
}

func (h *hands) Deliveries(context.Context, store.DeliveryQuery) (store.DeliveryPage, error) {
	return store.DeliveryPage{}, nil
}

func (h *hands) Beat(_ context.Context, name string) error {
	if name != "backup" {
		return fmt.Errorf("heartbeat %q: %w", name, store.ErrNotFound)
	}
	h.beats = append(h.beats, name)
	return nil
}

func (h *hands) Heartbeats() []api.HeartbeatStatus {
	at := tenOClock()
	return []api.HeartbeatStatus{
		{Name: "backup", Every: time.Hour, Grace: time.Minute, Severity: alert.Critical, LastBeat: at, LateAt: at.Add(61 * time.Minute)},
		{Name: "nightly-report", Every: 24 * time.Hour, Severity: alert.Warning, LateAt: at},
		{Name: "lost", Every: time.Minute, Severity: alert.Warning, LastBeat: at, LateAt: at.Add(time.Minute), Late: true},
	}
}

// fires is an alert of a rule that fires since ten o'clock.
func fires(rule string, severity alert.Severity, labels ...string) alert.Alert {
	ls := alert.LabelsOf(append([]string{alert.LabelName, rule}, labels...)...)
	a := alert.Alert{
		Fingerprint: ls.Fingerprint(), Rule: rule, Category: ls.Get("category"), Labels: ls, State: alert.Firing, Severity: severity, Worst: severity,
		Value: 62.1, Threshold: 70, Peak: 58, Message: rule + " is wrong", PendingAt: tenOClock(), StartsAt: tenOClock(), SeverityAt: tenOClock(), UpdatedAt: tenOClock(),
	}
	a.ID = alert.NewID(a.Fingerprint, a.PendingAt)
	return a
}

// posted is an alert from outside.
func posted(severity alert.Severity, labels ...string) alert.Alert {
	a := fires("Outside", severity, append(labels, alert.LabelSeverity, severity.String())...)
	a.Value, a.Threshold, a.Peak = alert.Unknown(), alert.Unknown(), alert.Unknown()
	a.Outside = &alert.Outside{GeneratorURL: "http://prometheus/graph", ExpiresAt: tenOClock().Add(5 * time.Minute)}
	return a
}
