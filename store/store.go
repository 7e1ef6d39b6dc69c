// Package store says what Tocsin remembers, in the terms that every driver
// shares. The drivers live in the folders below, storetest judges them all,
// and each consumer declares the few methods that it needs of them. Nothing
// here decides anything.
package store

import (
	"errors"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// ErrNotFound is returned for an id that the store does not know.
var ErrNotFound = errors.New("not found")

// ErrBadCursor is returned for a cursor that no page of this store gave out.
var ErrBadCursor = errors.New("bad cursor")

// ErrPending is returned for a delivery that is to be sent again and is on its
// way already.
var ErrPending = errors.New("the delivery is pending already")

// ErrInvalid is returned for what no driver could ever store, however often it
// is asked: a mistake in this program, or something larger than a row may be.
var ErrInvalid = errors.New("it can never be stored")

// ErrDamaged is returned when what is stored cannot be read any more. A driver
// that can mend it does so when it is opened again.
var ErrDamaged = errors.New("the store is damaged")

// ErrNotStored is returned where a change is in effect, and not on the disk:
// the store refuses for now, and is asked again.
var ErrNotStored = errors.New("not stored yet; it is in effect, and stored as soon as the store takes it")

// KeepSilences is how long a silence is remembered after its end: as long as
// Alertmanager does.
const KeepSilences = 5 * 24 * time.Hour

// Change is everything that was decided at one moment. A driver writes it in
// one transaction, durably, or not at all: when Commit returns nil, no crash
// and no power loss undoes it, and whatever is read after that shows it. The
// drops come first: what is both dropped and written is there afterwards, but a
// member of a group that is only dropped goes with it.
//
// A row that contradicts what is stored, which only a mistake in this program
// can make, is dropped and logged as an error, and the rest of the change is
// written: an event, a member or an acknowledgement of an alert that nobody
// knows, a member of such a group, a delivery whose id is taken. An alert or a
// delivery without an id or in a state that does not exist is refused with the
// whole of its change.
type Change struct {
	Alerts     []alert.Alert // inserted, or replaced by id
	Events     []alert.Event // appended; Seq is given by the store
	Groups     []Group       // inserted, or replaced by key
	DropGroups []string      // with their members
	Members    []Member      // inserted, or replaced by their key
	// DropMembers are the members of a group that it need not tell of any more.
	DropMembers []MemberKey
	Deliveries  []alert.Delivery // new rows of the outbox

	Silences []alert.Silence // inserted, or replaced by id
	Acks     []alert.Ack     // inserted, or replaced by alert
	DropAcks []string        // by the alert's id
	Marks    []Mark          // inserted, or replaced by name; without a Value dropped
}

// Mark is a small fact that outlives a restart: when a heartbeat last came,
// that a receiver is switched off. Its owner alone knows what Value means.
type Mark struct {
	Name  string
	Value string
}

// Reference is what a receiver called its last message of a group.
type Reference struct {
	Group    string    // its key
	Opened   time.Time // which of its lives; see alert.Notification
	Receiver string
	Value    string
}

// Empty says whether there is nothing to write.
func (c *Change) Empty() bool {
	return len(c.Alerts)+len(c.Events)+len(c.Groups)+len(c.DropGroups)+
		len(c.Members)+len(c.DropMembers)+len(c.Deliveries)+
		len(c.Silences)+len(c.Acks)+len(c.DropAcks)+len(c.Marks) == 0
}

// Sum returns one change with the outcome of several in turn. The changes must
// not be used any more.
func Sum(changes []Change) Change {
	if len(changes) == 1 { // nothing need be copied
		return changes[0]
	}
	var alerts, events, members, deliveries int
	for i := range changes {
		alerts += len(changes[i].Alerts)
		events += len(changes[i].Events)
		members += len(changes[i].Members)
		deliveries += len(changes[i].Deliveries)
	}
	sum := Change{
		Alerts: make([]alert.Alert, 0, alerts), Events: make([]alert.Event, 0, events),
		Members: make([]Member, 0, members), Deliveries: make([]alert.Delivery, 0, deliveries),
	}
	for i := range changes {
		sum.add(changes[i])
	}
	return sum
}

// Append adds a later change to this one, so that writing the sum has the
// outcome of writing both in turn: what the later one drops is not written by
// the earlier one.
func (c *Change) Append(later Change) {
	if c.Empty() { // nothing need be copied
		*c = later
		return
	}
	c.add(later)
}

func (c *Change) add(later Change) {
	if len(later.DropMembers) > 0 && len(c.Members) > 0 {
		dropped := make(map[MemberKey]bool, len(later.DropMembers))
		for _, key := range later.DropMembers {
			dropped[key] = true
		}
		c.Members = slices.DeleteFunc(c.Members, func(m Member) bool { return dropped[m.MemberKey] })
	}
	if len(later.DropGroups) > 0 {
		dropped := make(map[string]bool, len(later.DropGroups))
		for _, key := range later.DropGroups {
			dropped[key] = true
		}
		c.Groups = slices.DeleteFunc(c.Groups, func(g Group) bool { return dropped[g.Key] })
		c.Members = slices.DeleteFunc(c.Members, func(m Member) bool { return dropped[m.Group] })
	}
	c.Alerts = append(c.Alerts, later.Alerts...)
	c.Events = append(c.Events, later.Events...)
	c.Groups = append(c.Groups, later.Groups...)
	c.DropGroups = append(c.DropGroups, later.DropGroups...)
	c.Members = append(c.Members, later.Members...)
	c.DropMembers = append(c.DropMembers, later.DropMembers...)
	c.Deliveries = append(c.Deliveries, later.Deliveries...)
	c.Silences = append(c.Silences, later.Silences...)
	if len(later.DropAcks) > 0 {
		c.Acks = slices.DeleteFunc(c.Acks, func(a alert.Ack) bool { return slices.Contains(later.DropAcks, a.AlertID) })
	}
	c.Acks = append(c.Acks, later.Acks...)
	c.DropAcks = append(c.DropAcks, later.DropAcks...)
	c.Marks = append(c.Marks, later.Marks...)
}

// Group is one notification group's memory. Times that have not come are zero.
type Group struct {
	Key       string       `json:"key"`
	Route     string       `json:"route"` // the route's path in the tree
	Labels    alert.Labels `json:"labels"`
	Receivers []string     `json:"receivers"`
	CreatedAt time.Time    `json:"created_at"`
	FlushAt   time.Time    `json:"flush_at"` // when it is next looked at
	SentAt    time.Time    `json:"sent_at"`  // its last notification was queued
	Seq       int64        `json:"seq"`      // notifications so far
}

// MemberKey names a member.
type MemberKey struct{ Group, Receiver, AlertID string }

// Member is one alert in one group, and what one receiver of the group was
// last told of it.
type Member struct {
	MemberKey
	Told alert.State // alert.Firing, ToldFlapping, or "" for nothing yet
	// Severity that it was told with; OK where it was told that the alert fires,
	// and a snooze has ended since that the receiver is not told of yet.
	Severity alert.Severity
	At       time.Time // told at, or joined at
}

// ToldFlapping is what a receiver was told of an alert that fires and changes
// too often.
const ToldFlapping alert.State = "flapping"

// ToldFiring says whether the receiver knows that the alert fires.
func (m *Member) ToldFiring() bool { return m.Told == alert.Firing || m.Told == ToldFlapping }

// Snapshot is what a restart goes on from.
type Snapshot struct {
	// Alerts are the pending and the firing ones, and every alert that is a
	// member of a group.
	Alerts     []alert.Alert
	Groups     []Group
	Members    []Member
	Deliveries []alert.Delivery // the pending ones, oldest first
	// References are the newest of each group's life and receiver, of groups
	// that are there or have a pending delivery.
	References []Reference
	Silences   []alert.Silence // those that have not ended KeepSilences ago
	Acks       []alert.Ack     // of the alerts above
	Marks      []Mark
}

// Settlement is the outcome of one attempt at a delivery.
type Settlement struct {
	ID        string
	State     alert.DeliveryState
	Attempts  int
	NextAt    time.Time // when it stays pending
	SettledAt time.Time // when it does not
	LastError string
	Reference string
	// Attempt is what is noted of it; zero for none.
	Attempt alert.Attempt
	// Group and Opened say to which life of a group Reference belongs.
	Group  string
	Opened time.Time
	// Receiver that was told.
	Receiver string
	// Events are the history entries of the attempt, one for each alert that
	// the notification carried.
	Events []alert.Event
}

// HistoryQuery selects alerts of the history, newest first. Zero fields select
// everything.
type HistoryQuery struct {
	Since, Until time.Time        // alerts that were active in [Since, Until)
	Severities   []alert.Severity // that had one of these at any time
	States       []alert.State
	Category     string
	Rule         string
	Limit        int    // 1 to 1000
	Cursor       string // of the page before
}

// HistoryPage is one page of the history. Next is empty on the last page.
type HistoryPage struct {
	Alerts []alert.Alert
	Next   string
}
