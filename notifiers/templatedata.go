package notifiers

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// KV are names and values as templates see them: {{ .Labels.team }}, or
// {{ .Labels.Get "a-b" }} for a name that is no identifier.
type KV map[string]string

// Get returns the value of a name; empty for none.
func (kv KV) Get(name string) string { return kv[name] }

// Has says whether there is the name.
func (kv KV) Has(name string) bool { _, ok := kv[name]; return ok }

// Names returns the names in order, Values their values.
func (kv KV) Names() []string { return slices.Sorted(maps.Keys(kv)) }

// Values returns the values in the order of the names.
func (kv KV) Values() []string {
	out := make([]string, 0, len(kv))
	for _, name := range kv.Names() {
		out = append(out, kv[name])
	}
	return out
}

// Without returns the others.
func (kv KV) Without(names ...string) KV {
	out := maps.Clone(kv)
	for _, name := range names {
		delete(out, name)
	}
	return out
}

// Remove returns the others, as Alertmanager's templates call it.
func (kv KV) Remove(names []string) KV { return kv.Without(names...) }

// Pair is one name with its value.
type Pair struct{ Name, Value string }

// Pairs are names with their values. Its methods have the names that
// Alertmanager's templates call.
type Pairs []Pair

// Names returns the names in order, Values their values.
func (ps Pairs) Names() []string {
	out := make([]string, 0, len(ps))
	for _, p := range ps {
		out = append(out, p.Name)
	}
	return out
}

// Values returns the values in the order of the names.
func (ps Pairs) Values() []string {
	out := make([]string, 0, len(ps))
	for _, p := range ps {
		out = append(out, p.Value)
	}
	return out
}

// SortedPairs returns them all in the order of the names.
func (kv KV) SortedPairs() Pairs {
	out := make(Pairs, 0, len(kv))
	for _, name := range kv.Names() {
		out = append(out, Pair{name, kv[name]})
	}
	return out
}

// String writes team=web, zone=a.
func (kv KV) String() string {
	parts := make([]string, 0, len(kv))
	for _, p := range kv.SortedPairs() {
		parts = append(parts, p.Name+"="+p.Value)
	}
	return strings.Join(parts, ", ")
}

// Data is what a receiver's template sees: the notification's fields, and what
// texts are made of.
type Data struct {
	*alert.Notification

	Alerts            DataAlerts
	GroupLabels       KV
	CommonLabels      KV // severity included
	CommonAnnotations KV
	// Title is one line: "CRITICAL: cache-hit-rate". Subject is the same without
	// how it stands.
	Title, Subject string
	// Status is firing while any alert of the group fires, else resolved.
	Status string
	// Severity is the worst that fires: critical, warning, info or none.
	Severity string
	// Left says how many alerts are left out and where to see them; empty for
	// none. ListURL is where all of them are listed.
	Left, ListURL string
}

// NewData makes it.
func NewData(n *alert.Notification) *Data {
	d := &Data{
		Notification: n, GroupLabels: n.GroupLabels.Map(), CommonLabels: n.CommonLabels().Map(), CommonAnnotations: n.CommonAnnotations(),
		Title: Title(n), Subject: Subject(n), Status: string(n.Status), Severity: n.Severity().String(),
		ListURL: ListURL(n),
	}
	if n.Truncated > 0 {
		d.Left = AndMore(n, n.Truncated)
	}
	d.Alerts = make(DataAlerts, len(n.Alerts))
	for i := range n.Alerts {
		d.Alerts[i] = newDataAlert(n, &n.Alerts[i])
	}
	return d
}

// Firing returns the alerts that fire, Resolved the others.
func (d *Data) Firing() DataAlerts { return d.Alerts.Firing() }

// Resolved returns the alerts that do not fire any more.
func (d *Data) Resolved() DataAlerts { return d.Alerts.Resolved() }

// MarshalJSON writes the notification, as the API does.
func (d *Data) MarshalJSON() ([]byte, error) {
	return alert.AppendNotificationJSON(nil, d.Notification), nil
}

// DataAlerts are alerts as templates see them.
type DataAlerts []DataAlert

// Firing returns those that fire.
func (as DataAlerts) Firing() DataAlerts { return as.filter(true) }

// Resolved returns those that do not fire any more.
func (as DataAlerts) Resolved() DataAlerts { return as.filter(false) }

func (as DataAlerts) filter(active bool) DataAlerts {
	return slices.DeleteFunc(slices.Clone(as), func(a DataAlert) bool { return a.Active() != active })
}

// DataAlert is one alert as templates see it.
type DataAlert struct {
	*alert.Alert

	Labels      KV // severity included
	Annotations KV
	// Message is never empty; Measured is the value against the threshold:
	// "62.1% below 70%".
	Message, Measured string
	// Status is firing or resolved; Severity critical, warning or info.
	Status, Severity string
	// ValueText, ThresholdText and PeakText have their unit: 82.3%, 768MB; empty
	// where there is none.
	ValueText, ThresholdText, PeakText string
	// StartsAt is when it began to fire.
	StartsAt time.Time
	// Duration is how long it has fired, or fired.
	Duration time.Duration
	// URL is its page, GeneratorURL what an alert from outside was posted with.
	URL, GeneratorURL string
}

func newDataAlert(n *alert.Notification, a *alert.Alert) DataAlert {
	d := DataAlert{
		Alert: a, Labels: a.AllLabels().Map(), Annotations: a.Annotations, Message: Message(a), Measured: Measured(a), Status: string(alert.Resolved),
		Severity: a.Severity.String(), ValueText: quantity(a.Value, a.Unit), ThresholdText: quantity(a.Threshold, a.Unit), PeakText: Peak(a),
		StartsAt: Began(a), Duration: Lasted(a, n.At), URL: AlertURL(n, a),
	}
	if a.Active() {
		d.Status = string(alert.Firing)
	}
	if a.Outside != nil {
		d.GeneratorURL = a.Outside.GeneratorURL
	}
	return d
}

func quantity(v alert.Number, unit string) string {
	if !v.Known() {
		return ""
	}
	return units.Quantity(float64(v), unit)
}

// MarshalJSON writes the alert, as the API does.
func (d DataAlert) MarshalJSON() ([]byte, error) { return json.Marshal(d.Alert) }
