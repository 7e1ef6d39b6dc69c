package pagerduty

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// The limits of the Events API v2.
// https://developer.pagerduty.com/docs/send-alert-event
// https://developer.pagerduty.com/docs/events-api-v2-overview#size-limits
const (
	maxKey     = 255
	maxSummary = 1024
	maxBytes   = 512 << 10

	maxLinks = 10  // ours: more are not looked at
	maxText  = 500 // ours, of the fields that have no limit of their own
)

// event is what the API takes, in the common event format.
type event struct {
	RoutingKey string               `json:"routing_key"`
	Action     string               `json:"event_action"` // trigger, acknowledge or resolve
	DedupKey   string               `json:"dedup_key"`
	Client     string               `json:"client,omitempty"`
	ClientURL  string               `json:"client_url,omitempty"`
	Links      []notifiers.NamedURL `json:"links,omitempty"`
	Payload    payload              `json:"payload"`
}

type payload struct {
	Summary   string    `json:"summary"`
	Source    string    `json:"source"`
	Severity  string    `json:"severity"`
	Timestamp time.Time `json:"timestamp"`
	Component string    `json:"component,omitempty"`
	Group     string    `json:"group,omitempty"`
	Class     string    `json:"class,omitempty"`
	Details   details   `json:"custom_details"`
}

// details are what an incident shows of the notification, with the operator's own
// beside them.
type details struct {
	ID       string            `json:"notification_id"`
	Receiver string            `json:"receiver"`
	Reason   string            `json:"reason"`
	Firing   int               `json:"num_firing"`
	Resolved int               `json:"num_resolved"`
	Alerts   []detail          `json:"alerts"`
	LeftOut  string            `json:"left_out,omitempty"`
	Own      map[string]string `json:"-"`
}

type detail struct {
	Status   string            `json:"status"` // critical, warning, info or resolved
	Message  string            `json:"message"`
	Value    string            `json:"value,omitempty"`
	Peak     string            `json:"peak,omitempty"`
	Since    time.Time         `json:"since"`
	Duration string            `json:"duration"`
	Taken    string            `json:"taken_up,omitempty"`
	Labels   map[string]string `json:"labels"`
	Notes    map[string]string `json:"annotations,omitempty"`
	URL      string            `json:"url,omitempty"`
}

// MarshalJSON writes the operator's own details beside the others; where a name is
// taken, the operator's wins.
func (d details) MarshalJSON() ([]byte, error) {
	type plain details
	data, err := json.Marshal(plain(d))
	if err != nil || len(d.Own) == 0 {
		return data, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for name, text := range d.Own {
		if all[name], err = json.Marshal(text); err != nil {
			return nil, err
		}
	}
	return json.Marshal(all)
}

// event makes the event of a notification; nil where there is none for it, and the
// note says why.
func (p *Notifier) event(n *alert.Notification) (e *event, note string) {
	action, note := actionOf(n)
	if action == "" {
		return nil, note
	}
	texts := notifiers.TextsOf(n)
	summary := notifiers.Clip(notifiers.Plain(texts.Text("title", &p.cfg.Title, func() string { return summaryOf(n) })), maxSummary)
	if summary == "" {
		summary = notifiers.Clip(summaryOf(n), maxSummary) // it must not be empty
	}
	e = &event{
		Action: action, DedupKey: KeyOf(n.GroupKey), Client: "Tocsin", ClientURL: n.ExternalURL, Links: notifiers.LinksOf(n, maxLinks),
		Payload: payload{
			Summary: summary, Source: sourceOf(n), Severity: p.severity(n), Timestamp: n.At.UTC(),
			Component: short(n.CommonLabels().Get(alert.LabelCategory)), Group: groupOf(n), Class: short(notifiers.Subject(n)),
			Details: detailsOf(n),
		},
	}
	for _, name := range slices.Sorted(maps.Keys(p.cfg.Details)) {
		if e.Payload.Details.Own == nil {
			e.Payload.Details.Own = map[string]string{}
		}
		t := p.cfg.Details[name]
		e.Payload.Details.Own[name] = texts.Text("details."+name, &t, func() string { return "" })
	}
	return e, texts.Failed()
}

// actionOf says what becomes of the incident; empty for nothing, and the note says
// why. A canary resolves an incident that nobody opened, which PagerDuty takes and
// drops: the way there is tried, and nobody is called. The end of some of a group
// sends nothing: a trigger would open an incident of what is over, where somebody has
// resolved the group's by hand.
func actionOf(n *alert.Notification) (action, note string) {
	switch {
	case n.Kind == alert.KindCanary, n.Status == alert.Resolved:
		return "resolve", ""
	case n.Quiet && notifiers.AllTaken(n):
		return "acknowledge", ""
	case n.Quiet:
		return "", "nothing was sent: PagerDuty knows no event for an acknowledgement of some alerts, a snooze, or one taken back"
	case n.Kind == alert.KindAlerts && !n.Fires():
		return "", "nothing was sent: the incident stays open for what still fires of the group"
	}
	return "trigger", ""
}

// KeyOf is the dedup_key of a group: its own key, or a hash of one that is too
// long.
func KeyOf(group string) string {
	if group != "" && len(group) <= maxKey && notifiers.Plain(group) == group {
		return group
	}
	sum := sha256.Sum256([]byte(group))
	return "tocsin:" + hex.EncodeToString(sum[:])
}

// summaryOf is the incident's title, all that a phone call reads out.
func summaryOf(n *alert.Notification) string { return notifiers.Plain(notifiers.Headline(n)) }

func (p *Notifier) severity(n *alert.Notification) string {
	s := max(n.Severity(), alert.Info)
	if n.Kind != alert.KindAlerts {
		s = alert.Info // no news of an alert
	}
	if to := p.cfg.Severities[s.String()]; to != "" {
		return to
	}
	return s.String()
}

// sourceOf is the system that has the problem, by the labels that name one.
func sourceOf(n *alert.Notification) string {
	common := n.CommonLabels()
	for _, name := range [...]string{"instance", "host", alert.LabelSource, "job"} {
		if value := short(common.Get(name)); value != "" {
			return value
		}
	}
	if n.ExternalURL != "" {
		return short(n.ExternalURL)
	}
	return "tocsin"
}

// groupOf is what the alerts are grouped by; empty for nothing.
func groupOf(n *alert.Notification) string {
	if len(n.GroupLabels) == 0 {
		return ""
	}
	return short(n.GroupLabels.String())
}

func short(s string) string { return notifiers.Clip(notifiers.Plain(s), maxText) }

func detailsOf(n *alert.Notification) details {
	d := details{ID: n.ID, Receiver: n.Receiver, Reason: n.Reason, Firing: len(n.Firing()) + n.StillFiring, Alerts: make([]detail, len(n.Alerts))}
	d.Resolved = len(n.Resolved())
	for i := range n.Alerts {
		a := &n.Alerts[i]
		d.Alerts[i] = detail{
			Status: a.Severity.String(), Message: notifiers.Message(a), Peak: notifiers.Peak(a),
			Since: notifiers.Began(a).UTC(), Duration: notifiers.LastedText(a, n.At), Taken: notifiers.AckOf(n, a),
			Labels: a.AllLabels().Map(), Notes: a.Annotations, URL: notifiers.PageURL(n, a),
		}
		if a.Value.Known() {
			d.Alerts[i].Value = notifiers.Measured(a)
		}
		if !a.Active() {
			d.Alerts[i].Status = string(alert.Resolved)
		}
	}
	if n.Truncated > 0 {
		d.LeftOut = notifiers.AndMore(n, n.Truncated)
	}
	return d
}

// fit encodes an event within the size that the API takes: what does not fit of
// its alerts is counted, and the operator's details go last.
func fit(e *event, key string) ([]byte, error) {
	e.RoutingKey = key
	all, leftOut := e.Payload.Details.Alerts, e.Payload.Details.LeftOut
	for keep := len(all); ; keep /= 2 {
		d := &e.Payload.Details
		d.Alerts = all[:keep]
		if keep < len(all) {
			d.LeftOut = fmt.Sprintf("%s more than fit into an event", notifiers.Counted(len(all)-keep, "alert"))
			if leftOut != "" {
				d.LeftOut += "; " + leftOut
			}
		}
		var out bytes.Buffer
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(e); err != nil {
			return nil, fmt.Errorf("encode the event: %w", err)
		}
		if out.Len() <= maxBytes {
			return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
		}
		if keep == 0 {
			if d.Own == nil {
				return nil, fmt.Errorf("the event has %d bytes, more than PagerDuty takes", out.Len())
			}
			d.Own = nil
			keep = len(all) * 2
		}
	}
}
