package amv2

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Encoder writes alerts as GET /api/v2/alerts shows them. It keeps its memory
// from one alert to the next, and is for one goroutine at a time.
type Encoder struct {
	// ExternalURL is where Tocsin's own pages are reached; empty is nowhere.
	ExternalURL string
	// FiringUntil is the end that an alert of our own is shown with: it has
	// none, and clients take what lies behind for resolved.
	FiringUntil time.Time

	notes []alert.Label
}

// Append appends one alert in the order of Alertmanager's fields. As part of a
// group the alert is held back by what mutes the group, and else by silences
// and other alerts only: what mutes it may mute one of its routes and not
// another.
func (e *Encoder) Append(b []byte, s *alert.Standing, group *alert.StandingGroup) []byte {
	a := &s.Alert
	b = append(b, `{"annotations":`...)
	b = e.annotations(a).AppendJSON(b)
	b = append(b, `,"endsAt":`...)
	b = appendTime(b, e.ends(a))
	b = append(b, `,"fingerprint":"`...)
	b = alert.AppendHex(b, uint64(a.Fingerprint))
	b = append(b, `","receivers":[`...)
	for i, name := range s.Receivers {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendReceiver(b, name)
	}
	b = append(b, `],"startsAt":`...)
	b = appendTime(b, a.StartsAt)
	b = append(b, `,"status":`...)
	b = appendStatus(b, s, group)
	b = append(b, `,"updatedAt":`...)
	b = appendTime(b, a.UpdatedAt)
	if link := e.generator(a); link != "" {
		b = append(b, `,"generatorURL":`...)
		b = alert.AppendString(b, link)
	}
	b = append(b, `,"labels":`...)
	return append(a.AllLabels().AppendJSON(b), '}')
}

// AppendGroup appends one group with its alerts.
func (e *Encoder) AppendGroup(b []byte, g *alert.StandingGroup) []byte {
	b = append(b, `{"alerts":[`...)
	for i, s := range g.Alerts {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.Append(b, s, g)
	}
	b = append(b, `],"labels":`...)
	b = g.Labels.AppendJSON(b)
	b = append(b, `,"receiver":`...)
	b = appendReceiver(b, g.Receiver)
	return append(b, `,"routeLabels":{}}`...)
}

// annotations are what was posted, or the rule's, with the message where the
// rule writes neither a summary nor a description. They are valid until the
// next call.
func (e *Encoder) annotations(a *alert.Alert) alert.Labels {
	e.notes = e.notes[:0]
	for name, value := range a.Annotations {
		e.notes = append(e.notes, alert.Label{Name: name, Value: value})
	}
	if a.Outside == nil {
		for _, name := range [...]string{"description", "summary"} {
			if _, has := a.Annotations[name]; !has {
				e.notes = append(e.notes, alert.Label{Name: name, Value: notifiers.Message(a)})
			}
		}
	}
	e.notes = sortSet(e.notes)
	return e.notes
}

func (e *Encoder) ends(a *alert.Alert) time.Time {
	switch {
	case !a.Active():
		return a.EndsAt
	case a.Outside != nil:
		return a.Outside.ExpiresAt
	}
	return e.FiringUntil
}

// generator is the link that leads to where an alert comes from.
func (e *Encoder) generator(a *alert.Alert) string {
	if a.Outside != nil {
		return a.Outside.GeneratorURL
	}
	return notifiers.AlertURL(&alert.Notification{ExternalURL: e.ExternalURL}, a)
}

func appendStatus(b []byte, s *alert.Standing, group *alert.StandingGroup) []byte {
	mutedBy, suppressed := s.MutedBy, s.Suppressed()
	if group != nil {
		mutedBy = group.MutedBy
		suppressed = suppressed || len(mutedBy) > 0
	}
	b = append(b, `{"inhibitedBy":[`...)
	for i, by := range s.InhibitedBy {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(alert.AppendHex(append(b, '"'), uint64(by)), '"')
	}
	b = append(b, `],"mutedBy":[`...)
	b = appendStrings(b, mutedBy)
	b = append(b, `],"silencedBy":[`...)
	b = appendStrings(b, s.SilencedBy)
	if suppressed {
		return append(b, `],"state":"suppressed"}`...)
	}
	return append(b, `],"state":"active"}`...)
}

func appendReceiver(b []byte, name string) []byte {
	return append(alert.AppendString(append(b, `{"name":`...), name), '}')
}

func appendStrings(b []byte, list []string) []byte {
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = alert.AppendString(b, s)
	}
	return b
}

// appendTime writes timeLayout, which AppendFormat would read anew for each of
// three times an alert.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return append(t.AppendFormat(append(b, '"'), timeLayout), '"')
	}
	hour, minute, second := t.Clock()
	b = append(b, '"')
	b = appendDigits(b, year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	b = appendDigits(append(b, '.'), t.Nanosecond()/1e6, 3)
	return append(b, 'Z', '"')
}

// appendDigits writes a number with leading zeros.
func appendDigits(b []byte, n, width int) []byte {
	for scale := [...]int{1, 10, 100, 1000}[width-1]; scale > 0; scale /= 10 {
		b = append(b, byte('0'+n/scale%10))
	}
	return b
}
