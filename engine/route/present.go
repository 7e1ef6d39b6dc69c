package route

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// present is what the calendar says at one moment. It is worked out once, for a
// storm asks for every alert: the next change of an interval may be years away.
type present struct {
	at      time.Time
	known   bool
	windows []window // of maintenance that are active
	routes  map[*Route]hold
}

// window is maintenance that goes on, as what it does to an alert.
type window struct {
	*Maintenance
	hold hold
}

// at returns the present of a moment.
func (d *Dispatcher) at(now time.Time) *present {
	p := &d.present
	if p.known && p.at.Equal(now) {
		return p
	}
	*p = present{at: now, known: true, routes: map[*Route]hold{}}
	for i := range d.options.Maintenance {
		if m := &d.options.Maintenance[i]; m.Active(now) {
			p.windows = append(p.windows, window{m, hold{kind: alert.EventMuted, reason: "held back: maintenance " + m.Name, until: m.Next(now)}})
		}
	}
	return p
}

// muted is the hold of a route that tells nothing at the moment; nil is no
// route.
func (p *present) muted(r *Route) hold {
	if r == nil || len(r.Mute)+len(r.Active) == 0 {
		return hold{}
	}
	h, known := p.routes[r]
	if !known {
		if reason, muted := r.Muted(p.at); muted {
			h = hold{kind: alert.EventMuted, reason: reason, until: r.NextMute(p.at)}
		}
		p.routes[r] = h
	}
	return h
}
