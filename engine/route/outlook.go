package route

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// Outlook says how the alert with that id or fingerprint stands with each of
// its receivers, and what is due next; false when it does not fire.
func (d *Dispatcher) Outlook(id string, now time.Time) (alert.Outlook, bool) {
	e := d.firing(id)
	if e == nil {
		return alert.Outlook{}, false
	}
	var out alert.Outlook
	for m := range e.members() {
		out.Lines = append(out.Lines, d.outlook(m.group, d.item(m, e), now))
	}
	slices.SortFunc(out.Lines, func(a, b alert.OutlookLine) int {
		return strings.Compare(a.Group+"\xff"+a.Receiver, b.Group+"\xff"+b.Receiver)
	})
	return out, true
}

func (d *Dispatcher) outlook(g *group, i item, now time.Time) alert.OutlookLine {
	line := alert.OutlookLine{Receiver: i.receiver, Group: g.record.Key}
	if i.leaving {
		line.State, line.Reason, line.What = alert.OutlookLeaving, "it takes another way now", "its end is told"
		return line
	}
	if i.toldFiring() {
		line.State, line.Queued, line.As = alert.OutlookQueued, i.toldAt(), i.severity
		line.Next, line.What = d.repeatAt(g, d.byReceiver(g)[i.receiver]), "repeat"
	}
	if h := d.heldBack(i.e, g, now); h.kind != "" {
		line.State, line.Reason = stateOf(h.kind), h.reason
		line.Next, line.What = earlier(h.until, g.record.FlushAt), "it is looked at again"
		return line
	}
	why := d.why(i)
	switch {
	case i.told != toldNothing && why != "":
		line.State, line.Next = alert.OutlookWaiting, g.record.FlushAt
		line.Reason, line.What = why+", which is not sent yet", "the group is sent"
	case i.told != toldNothing && i.e.ack() != nil:
		line.State, line.Reason = alert.OutlookAcknowledged, "acknowledged"+by(i.e.ack().By)+comment(i.e.ack().Comment)
		line.Next, line.What = time.Time{}, ""
	case i.told != toldNothing:
	case i.step > 0 && i.e.ack() != nil:
		line.State, line.Reason = alert.OutlookAcknowledged, fmt.Sprintf("step %d of the escalation is stopped: acknowledged%s", i.step, by(i.e.ack().By))
	case i.step > 0:
		line.State, line.Next = alert.OutlookEscalation, d.stepDue(g, i.member, i.e)
		line.Reason, line.What = fmt.Sprintf("step %d of the escalation", i.step), "told, unless somebody acknowledges it"
	default:
		line.State, line.Next = alert.OutlookWaiting, g.record.FlushAt
		line.Reason, line.What = "grouped, and not sent yet", "the group is sent"
		if g.route != nil && g.record.SentAt.IsZero() {
			line.Reason += fmt.Sprintf(" (group_wait %s)", units.Duration(g.route.GroupWait))
		}
	}
	return line
}

func stateOf(kind alert.EventKind) alert.OutlookState {
	switch kind { //nolint:exhaustive // the kinds of a hold
	case alert.EventSilenced:
		return alert.OutlookSilenced
	case alert.EventInhibited:
		return alert.OutlookInhibited
	case alert.EventMuted:
		return alert.OutlookMuted
	case alert.EventSnoozed:
		return alert.OutlookSnoozed
	}
	return alert.OutlookHeld
}
