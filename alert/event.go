package alert

import "time"

// EventKind names what happened to an alert.
type EventKind string

// The kinds of event. What is decided about an alert is always one of these.
const (
	EventPending  EventKind = "pending"  // a condition holds, its `for` has not passed
	EventInactive EventKind = "inactive" // it ended before it fired
	EventFiring   EventKind = "firing"
	EventSeverity EventKind = "severity" // it moved up or down while firing
	EventResolved EventKind = "resolved"
	EventFlapping EventKind = "flapping" // it changes too often: it is kept firing until it settles
	EventSettled  EventKind = "settled"  // it flaps no more, and fires
	EventHeld     EventKind = "held"     // data went missing or cannot be judged: the state is kept
	EventGrouped  EventKind = "grouped"  // routed to a group, to be sent at a time
	EventQueued   EventKind = "queued"   // a notification was written to the outbox
	EventSent     EventKind = "sent"
	EventFailed   EventKind = "failed" // an attempt failed, another follows
	EventDead     EventKind = "dead"   // given up
	EventUnrouted EventKind = "unrouted"
)

// Event is one entry of an alert's history. Reason says why, in words.
type Event struct {
	// Seq is given by the store and rises with every event.
	Seq     int64     `json:"seq"`
	AlertID string    `json:"alert_id"`
	At      time.Time `json:"at"`
	Kind    EventKind `json:"kind"`

	Severity  Severity `json:"severity"`
	From      Severity `json:"from"` // the severity before, for EventSeverity
	Value     Number   `json:"value"`
	Threshold Number   `json:"threshold"`

	Receiver   string `json:"receiver,omitempty"`
	DeliveryID string `json:"delivery_id,omitempty"`
	Reason     string `json:"reason"`
}

// Notification is what one receiver is told about one group at one moment. It
// is frozen when it is written to the outbox: every retry sends the same one.
type Notification struct {
	// ID is the delivery's id, the same over every retry; receivers
	// deduplicate by it.
	ID       string `json:"id"`
	Receiver string `json:"receiver"`
	// GroupKey names the group for ever: route and group labels.
	GroupKey    string `json:"group_key"`
	GroupLabels Labels `json:"group_labels"`
	// Seq counts the group's notifications to this receiver from 1.
	Seq int64 `json:"seq"`
	// Status is Firing while any alert of the group fires, listed or not, else
	// Resolved.
	Status State `json:"status"`
	// Reason says why it is sent now: "new alert", "severity raised", …
	Reason string `json:"reason"`
	// Alerts are those that the receiver has news of, or on a repeat all that
	// fire: worst first, resolved ones last. At least one.
	Alerts []Alert `json:"alerts"`
	// StillFiring counts the group's firing alerts that are not listed, because
	// the receiver knows of them.
	StillFiring int `json:"still_firing"`
	// Truncated counts the alerts that were left out of Alerts.
	Truncated int `json:"truncated"`
	// ExternalURL is where Tocsin's own pages are reached, without a slash at
	// its end.
	ExternalURL string    `json:"external_url"`
	At          time.Time `json:"at"`
}

// Severity returns the worst severity among the alerts that fire, or among
// all when none does.
func (n *Notification) Severity() Severity {
	worst, worstFiring := OK, OK
	for i := range n.Alerts {
		worst = max(worst, n.Alerts[i].Severity)
		if n.Alerts[i].Active() {
			worstFiring = max(worstFiring, n.Alerts[i].Severity)
		}
	}
	if worstFiring != OK {
		return worstFiring
	}
	return worst
}

// Fires says whether any of the listed alerts fires.
func (n *Notification) Fires() bool {
	for i := range n.Alerts {
		if n.Alerts[i].Active() {
			return true
		}
	}
	return false
}

// Firing returns the alerts that fire, Resolved the others.
func (n *Notification) Firing() []Alert { return n.filter(true) }

// Resolved returns the alerts that do not fire any more.
func (n *Notification) Resolved() []Alert { return n.filter(false) }

func (n *Notification) filter(active bool) []Alert {
	var out []Alert
	for i := range n.Alerts {
		if n.Alerts[i].Active() == active {
			out = append(out, n.Alerts[i])
		}
	}
	return out
}

// CommonLabels returns the labels, severity included, that all alerts share.
func (n *Notification) CommonLabels() Labels {
	if len(n.Alerts) == 0 {
		return nil
	}
	common := n.Alerts[0].AllLabels()
	for i := range n.Alerts[1:] {
		common = common.Common(n.Alerts[i+1].AllLabels())
	}
	return common
}

// CommonAnnotations returns the annotations that all alerts share.
func (n *Notification) CommonAnnotations() map[string]string {
	common := map[string]string{}
	for i := range n.Alerts {
		if i == 0 {
			for k, v := range n.Alerts[0].Annotations {
				common[k] = v
			}
			continue
		}
		for k, v := range common {
			if n.Alerts[i].Annotations[k] != v {
				delete(common, k)
			}
		}
	}
	return common
}

// DeliveryState is where a delivery stands.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending DeliveryState = "pending"
	DeliverySent    DeliveryState = "sent"
	DeliveryDead    DeliveryState = "dead" // refused for good, or given up by age
)

// Delivery is one row of the outbox: one notification on its way.
type Delivery struct {
	Notification Notification  `json:"notification"`
	State        DeliveryState `json:"state"`
	Attempts     int           `json:"attempts"`
	CreatedAt    time.Time     `json:"created_at"`
	NextAt       time.Time     `json:"next_at"`    // when it may be tried (again)
	SettledAt    time.Time     `json:"settled_at"` // sent or dead since
	LastError    string        `json:"last_error,omitempty"`
	Reference    string        `json:"reference,omitempty"` // what the receiver calls it
}
