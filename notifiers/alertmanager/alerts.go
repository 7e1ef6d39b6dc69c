package alertmanager

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// posted is one alert as the API takes it. Its labels are its identity.
type posted struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     *time.Time        `json:"startsAt,omitempty"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// pathAnnotation lists the Tocsins that handed an alert on, so that two that hand on
// to each other stop: an alert does not pass one a second time, nor more than
// maxHops, for those on loopback have one name.
const (
	pathAnnotation = "tocsin_path"
	maxHops        = 5
)

// testLife is how long the alert of a test fires there.
const testLife = 5 * time.Minute

// alerts are what is posted of a notification, and a note of what is not.
func (a *Notifier) alerts(n *alert.Notification) (out []posted, note string) {
	if n.Kind == alert.KindWarning {
		// Its alerts are silenced here and must not fire there.
		return nil, "nothing was sent: Alertmanager knows no warnings"
	}
	looped := 0
	for i := range n.Alerts {
		one := &n.Alerts[i]
		path := pathOf(one)
		if goesRound(path, n.ExternalURL) {
			looped++
			continue
		}
		out = append(out, a.post(n, one, one.Severity, path))
		for _, s := range left(one) {
			p := a.post(n, one, s, path)
			p.EndsAt = notBefore(one.SeverityAt.UTC(), p.StartsAt)
			out = append(out, p)
		}
	}
	var notes []string
	if looped > 0 {
		notes = append(notes, notifiers.Counted(looped, "alert")+" came from here and did not go back")
	}
	if n.Truncated > 0 {
		notes = append(notes, notifiers.Counted(n.Truncated, "alert")+" of the group did not fit into the notification; group_by: ['...'] hands on all")
	}
	return out, strings.Join(notes, "; ")
}

// left are the severities that an alert had and has no more. There they are alerts
// of their own, for severity is a label, and would fire on.
func left(a *alert.Alert) []alert.Severity {
	if a.Outside != nil || !a.SeverityAt.After(notifiers.Began(a)) {
		return nil
	}
	var out []alert.Severity
	for _, s := range alert.Severities() {
		if s != a.Severity && s <= max(a.Worst, a.Severity) {
			out = append(out, s)
		}
	}
	return out
}

func (a *Notifier) post(n *alert.Notification, one *alert.Alert, severity alert.Severity, path []string) posted {
	labels := one.Labels
	if one.Outside == nil {
		labels = labels.With(alert.LabelSeverity, severity.String())
	}
	p := posted{Labels: map[string]string{}, Annotations: annotations(one), GeneratorURL: notifiers.WebURL(notifiers.AlertURL(n, one))}
	for name, value := range a.cfg.Labels {
		p.Labels[name] = value
	}
	for _, l := range labels {
		if l.Value != "" { // as none, there
			p.Labels[labelName(l.Name)] = strings.ToValidUTF8(l.Value, "\ufffd")
		}
	}
	p.Annotations[pathAnnotation] = strings.Join(append(slices.Clone(path), name(n.ExternalURL)), " ")
	if one.Outside != nil {
		p.GeneratorURL = notifiers.WebURL(one.Outside.GeneratorURL)
	}
	if began := notifiers.Began(one).UTC(); !began.IsZero() {
		p.StartsAt = &began
	}
	p.EndsAt = notBefore(a.end(n, one), p.StartsAt)
	return p
}

// end is when the alert ends there: of one that fires far enough ahead to last until
// more is said of it. It goes by the notification's time, so that a retry says the
// same.
func (a *Notifier) end(n *alert.Notification, one *alert.Alert) time.Time {
	at := n.At.UTC()
	switch {
	case n.Kind == alert.KindCanary:
		return at // over as it begins: the way there is tried, and nobody is called
	case n.Kind == alert.KindTest:
		return at.Add(testLife)
	case one.Active():
		return at.Add(a.cfg.expiry())
	case one.EndsAt.IsZero():
		return at
	}
	return one.EndsAt.UTC()
}

// notBefore is the end that Alertmanager takes: one before the start is a mistake to
// it.
func notBefore(end time.Time, start *time.Time) time.Time {
	if start != nil && end.Before(*start) {
		return *start
	}
	return end
}

// annotations are the alert's, and what its message and values say; what it has
// itself is left as it is.
func annotations(a *alert.Alert) map[string]string {
	out := map[string]string{}
	for name, value := range a.Annotations {
		out[labelName(name)] = strings.ToValidUTF8(value, "\ufffd")
	}
	if a.Outside != nil {
		return out
	}
	own := maps.Clone(out)
	out["summary"], out["description"] = notifiers.Message(a), notifiers.Message(a)
	if a.Value.Known() {
		out["value"] = units.Quantity(float64(a.Value), a.Unit)
	}
	if a.Threshold.Known() {
		out["threshold"] = units.Quantity(float64(a.Threshold), a.Unit)
	}
	maps.Copy(out, own)
	return out
}

// labelName makes a name that every version takes: letters, digits and underscores.
// https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
func labelName(name string) string {
	out := strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		return "_" + out
	}
	return out
}

func pathOf(a *alert.Alert) []string { return strings.Fields(a.Annotations[pathAnnotation]) }

// name is how a Tocsin is called in the path.
func name(externalURL string) string {
	if externalURL == "" || strings.ContainsAny(externalURL, " \t\r\n") {
		return "tocsin"
	}
	return externalURL
}

// goesRound says whether an alert was here before.
func goesRound(path []string, externalURL string) bool {
	return len(path) >= maxHops || isName(externalURL) && slices.Contains(path, externalURL)
}

// isName tells a URL that no other Tocsin has from one of any machine's own.
func isName(externalURL string) bool {
	u, err := url.Parse(externalURL)
	if err != nil || u.Hostname() == "" || u.Hostname() == "localhost" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err != nil || !addr.IsLoopback() && !addr.IsUnspecified()
}
