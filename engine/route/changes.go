package route

import (
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// changes gathers what the dispatcher decided and nobody has taken yet. What is
// written and dropped in turn is kept by its last state alone.
type changes struct {
	groups     map[*group]bool // touched
	dropGroups map[string]bool
	members    map[store.MemberKey]store.Member
	drops      map[store.MemberKey]bool
	events     []alert.Event
	deliveries []alert.Delivery
	silences   []alert.Silence
	acks       map[string]alert.Ack
	dropAcks   map[string]bool
}

func newChanges() *changes {
	return &changes{
		groups: map[*group]bool{}, dropGroups: map[string]bool{},
		members: map[store.MemberKey]store.Member{}, drops: map[store.MemberKey]bool{},
		acks: map[string]alert.Ack{}, dropAcks: map[string]bool{},
	}
}

func (c *changes) put(m store.Member) {
	delete(c.drops, m.MemberKey)
	c.members[m.MemberKey] = m
}

func (c *changes) drop(key store.MemberKey) {
	delete(c.members, key)
	c.drops[key] = true
}

// ack and dropAck keep the last word of several people's.
func (c *changes) ack(a alert.Ack) {
	delete(c.dropAcks, a.AlertID)
	c.acks[a.AlertID] = a
}

func (c *changes) dropAck(id string) {
	delete(c.acks, id)
	c.dropAcks[id] = true
}

// dropGroup forgets a group that has no member any more.
func (c *changes) dropGroup(g *group) {
	delete(c.groups, g)
	c.dropGroups[g.record.Key] = true
}

func (c *changes) event(e *entry, kind alert.EventKind, receiver, delivery, reason string, at time.Time) {
	event := alert.Event{
		AlertID: e.id(), At: at, Kind: kind, Severity: e.severity, Receiver: receiver, DeliveryID: delivery, Reason: reason,
		Value: alert.Unknown(), Threshold: alert.Unknown(),
	}
	if a, ok := e.body.(*whole); ok {
		event.Value, event.Threshold = a.a.Value, a.a.Threshold
	}
	c.events = append(c.events, event)
}

// take returns everything as a store wants it, in an order that is always the
// same, and starts anew.
func (c *changes) take() store.Change {
	out := store.Change{
		Events: c.events, Deliveries: c.deliveries, Silences: c.silences, DropAcks: sortedKeys(c.dropAcks),
		DropGroups: sortedKeys(c.dropGroups),
	}
	for _, id := range sortedKeys(c.acks) {
		out.Acks = append(out.Acks, c.acks[id])
	}
	out.Groups = make([]store.Group, 0, len(c.groups))
	for g := range c.groups {
		out.Groups = append(out.Groups, g.record)
	}
	slices.SortFunc(out.Groups, func(a, b store.Group) int { return strings.Compare(a.Key, b.Key) })
	out.Members = make([]store.Member, 0, len(c.members))
	for _, m := range c.members {
		out.Members = append(out.Members, m)
	}
	slices.SortFunc(out.Members, func(a, b store.Member) int { return compareKeys(a.MemberKey, b.MemberKey) })
	out.DropMembers = make([]store.MemberKey, 0, len(c.drops))
	for key := range c.drops {
		out.DropMembers = append(out.DropMembers, key)
	}
	slices.SortFunc(out.DropMembers, compareKeys)
	c.restart()
	return out
}

// restart forgets what was taken. Maps that were used are used again, for they
// grow slowly; one that a storm has made large is left to the collector, as
// emptying it costs by its size.
func (c *changes) restart() {
	*c = changes{
		groups: emptied(c.groups), dropGroups: emptied(c.dropGroups), members: emptied(c.members), drops: emptied(c.drops),
		acks: emptied(c.acks), dropAcks: emptied(c.dropAcks),
	}
}

// emptied returns an empty map, the same one if it was used a fair amount.
func emptied[K comparable, V any](m map[K]V) map[K]V {
	const few, many = 64, 8192
	switch {
	case len(m) == 0:
		return m
	case len(m) < few || len(m) > many:
		return map[K]V{}
	}
	clear(m)
	return m
}

func compareKeys(a, b store.MemberKey) int {
	if c := strings.Compare(a.Group, b.Group); c != 0 {
		return c
	}
	if c := strings.Compare(a.Receiver, b.Receiver); c != 0 {
		return c
	}
	return strings.Compare(a.AlertID, b.AlertID)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
