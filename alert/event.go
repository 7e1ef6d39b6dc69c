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

	EventSilenced     EventKind = "silenced"     // a silence holds back what is told
	EventInhibited    EventKind = "inhibited"    // another alert does
	EventMuted        EventKind = "muted"        // the route's time intervals or a maintenance window do
	EventReleased     EventKind = "released"     // nothing holds it back any more
	EventAcknowledged EventKind = "acknowledged" // repeats and escalation stop
	EventSnoozed      EventKind = "snoozed"      // nothing is told for a while
	EventReopened     EventKind = "reopened"     // the acknowledgement or the snooze is over
	EventEscalated    EventKind = "escalated"    // a step's receivers are told
	EventFellBack     EventKind = "fell_back"    // the fallback is told, for the receivers fail
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
	// Opened is when its group came to be: a group that ended and begins anew
	// has the same key and another Opened.
	Opened time.Time `json:"opened,omitzero"`
	// Digest is set when many groups are told of in one notification, because
	// the receiver's cap was reached.
	Digest *Digest `json:"digest,omitempty"`
	// Kind is empty for a notification of alerts.
	Kind NotificationKind `json:"kind,omitempty"`
	// Acks are those of the alerts that the receiver knows to fire, listed or not,
	// by their alerts' ids.
	Acks []Ack `json:"acks,omitempty"`
	// Quiet says that nothing became of the alerts: somebody took them up, or gave
	// them back.
	Quiet bool `json:"quiet,omitempty"`
	// Reference is what the receiver called its last message of the group, for
	// those that update it; empty for none. It is given at each attempt and not
	// stored.
	Reference string `json:"-"`
	// Attempt counts the attempts at it from 1, this one included; 0 when not known.
	// It is given at each attempt and not stored.
	Attempt int `json:"-"`
	// Truncated counts the alerts that were left out of Alerts.
	Truncated int `json:"truncated"`
	// ExternalURL is where Tocsin's own pages are reached, without a slash at
	// its end.
	ExternalURL string    `json:"external_url"`
	At          time.Time `json:"at"`
}

// Digest is what is told of many groups at once.
type Digest struct {
	Groups int `json:"groups"` // whose news it holds
	Alerts int `json:"alerts"` // that it tells of, listed or not
}

// NotificationKind tells a notification of alerts from others, which receivers
// show as what they are.
type NotificationKind string

// The kinds of notification.
const (
	KindAlerts  NotificationKind = ""
	KindTest    NotificationKind = "test"    // somebody asked whether the receiver works
	KindCanary  NotificationKind = "canary"  // the schedule asks
	KindWarning NotificationKind = "warning" // of something that is about to happen, as the end of a silence
)

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
	// Log has its first and its last attempts, oldest first, MaxAttempts at most.
	Log []Attempt `json:"log,omitempty"`
}

// MaxAttempts is how many attempts a delivery remembers.
const MaxAttempts = 20

// Attempt is one try at a delivery.
type Attempt struct {
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took"` // nanoseconds in JSON
	// Status is the answer's HTTP status; 0 where none came or HTTP is not
	// spoken.
	Status int `json:"status,omitempty"`
	// Answer is the beginning of what was answered, or the error, without
	// secrets; may be empty.
	Answer string `json:"answer,omitempty"`
}
