package sqlite

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// The types as the codec goes over them. The order is the form: a field that
// is added makes a new version, and a test sees that none is forgotten.

func codeChange(c coder, v *store.Change) {
	list(c, &v.DropGroups, coder.text)
	list(c, &v.DropMembers, codeMemberKey)
	list(c, &v.Alerts, codeAlert)
	list(c, &v.Groups, codeGroup)
	list(c, &v.Members, codeMember)
	list(c, &v.Deliveries, codeDelivery)
	list(c, &v.Events, codeEvent)
	list(c, &v.Silences, codeSilence)
	list(c, &v.DropAcks, coder.text)
	list(c, &v.Acks, codeAck)
	list(c, &v.Marks, codeMark)
}

func codeAlert(c coder, a *alert.Alert) {
	c.text(&a.ID)
	c.bits((*uint64)(&a.Fingerprint))
	c.bits((*uint64)(&a.Series))
	c.text(&a.Rule)
	c.text(&a.Category)
	c.text(&a.Metric)
	c.text(&a.Unit)
	codeLabels(c, &a.Labels)
	textOf(c, &a.State)
	c.octet((*uint8)(&a.Severity))
	c.octet((*uint8)(&a.Worst))
	c.number(&a.Value)
	c.number(&a.Threshold)
	c.text(&a.Verb)
	c.number(&a.Peak)
	c.text(&a.Message)
	dictionary(c, &a.Annotations)
	c.text(&a.Reason)
	c.moment(&a.PendingAt)
	c.moment(&a.StartsAt)
	c.moment(&a.EndsAt)
	c.moment(&a.UpdatedAt)
	c.moment(&a.SeverityAt)
	list(c, &a.Samples, codePoint)
	optional(c, &a.Flap, codeFlap)
	for i := range a.Levels {
		codeLevel(c, &a.Levels[i])
	}
	optional(c, &a.Outside, codeOutside)
}

func codeLabels(c coder, ls *alert.Labels) { list(c, (*[]alert.Label)(ls), codeLabel) }

func codeLabel(c coder, l *alert.Label) {
	c.text(&l.Name)
	c.text(&l.Value)
}

func codePoint(c coder, p *alert.Point) {
	c.moment(&p.At)
	c.number(&p.Value)
}

func codeFlap(c coder, f *alert.Flap) {
	list(c, &f.Changes, func(c coder, t *time.Time) { c.moment(t) })
	c.moment(&f.Since)
	textOf(c, &f.State)
	c.octet((*uint8)(&f.Severity))
}

func codeLevel(c coder, l *alert.Level) {
	c.moment(&l.Since)
	c.moment(&l.Lost)
	polls := int64(l.Polls) //nolint:gosec // the same 64 bits
	c.integer(&polls)
	if c.decoding() {
		l.Polls = uint64(polls) //nolint:gosec // the same 64 bits
	}
}

func codeOutside(c coder, o *alert.Outside) {
	c.text(&o.GeneratorURL)
	c.moment(&o.ExpiresAt)
}

// codeEvent leaves Seq out: it is given when the event is written.
func codeEvent(c coder, e *alert.Event) {
	c.text(&e.AlertID)
	c.moment(&e.At)
	textOf(c, &e.Kind)
	c.octet((*uint8)(&e.Severity))
	c.octet((*uint8)(&e.From))
	c.number(&e.Value)
	c.number(&e.Threshold)
	c.text(&e.Receiver)
	c.text(&e.DeliveryID)
	c.text(&e.Reason)
}

func codeGroup(c coder, g *store.Group) {
	c.text(&g.Key)
	c.text(&g.Route)
	codeLabels(c, &g.Labels)
	list(c, &g.Receivers, coder.text)
	c.moment(&g.CreatedAt)
	c.moment(&g.FlushAt)
	c.moment(&g.SentAt)
	c.integer(&g.Seq)
}

func codeMemberKey(c coder, k *store.MemberKey) {
	c.text(&k.Group)
	c.text(&k.Receiver)
	c.text(&k.AlertID)
}

func codeMember(c coder, m *store.Member) {
	codeMemberKey(c, &m.MemberKey)
	textOf(c, &m.Told)
	c.octet((*uint8)(&m.Severity))
	c.moment(&m.At)
}

func codeDelivery(c coder, d *alert.Delivery) {
	codeNotification(c, &d.Notification)
	textOf(c, &d.State)
	intOf(c, &d.Attempts)
	c.moment(&d.CreatedAt)
	c.moment(&d.NextAt)
	c.moment(&d.SettledAt)
	c.text(&d.LastError)
	c.text(&d.Reference)
	list(c, &d.Log, codeAttempt)
}

// codeNotification leaves Reference out, which is not stored.
func codeNotification(c coder, n *alert.Notification) {
	c.text(&n.ID)
	c.text(&n.Receiver)
	c.text(&n.GroupKey)
	codeLabels(c, &n.GroupLabels)
	c.integer(&n.Seq)
	textOf(c, &n.Status)
	c.text(&n.Reason)
	list(c, &n.Alerts, codeAlert)
	intOf(c, &n.StillFiring)
	c.moment(&n.Opened)
	optional(c, &n.Digest, codeDigest)
	textOf(c, &n.Kind)
	list(c, &n.Acks, codeAck)
	flag(c, &n.Quiet)
	intOf(c, &n.Truncated)
	c.text(&n.ExternalURL)
	c.moment(&n.At)
}

func flag(c coder, b *bool) {
	var set uint8
	if *b {
		set = 1
	}
	c.octet(&set)
	*b = set != 0
}

func codeDigest(c coder, d *alert.Digest) {
	intOf(c, &d.Groups)
	intOf(c, &d.Alerts)
}

func codeAttempt(c coder, a *alert.Attempt) {
	c.moment(&a.At)
	c.integer((*int64)(&a.Took))
	intOf(c, &a.Status)
	c.text(&a.Answer)
}

func codeSilence(c coder, s *alert.Silence) {
	c.text(&s.ID)
	list(c, (*[]alert.Matcher)(&s.Matchers), codeMatcher)
	c.moment(&s.StartsAt)
	c.moment(&s.EndsAt)
	c.moment(&s.UpdatedAt)
	c.text(&s.CreatedBy)
	c.text(&s.Comment)
	c.moment(&s.WarnedFor)
}

// codeMatcher leaves a regular expression to be compiled by who uses it: what
// is decoded is only written.
func codeMatcher(c coder, m *alert.Matcher) {
	c.text(&m.Name)
	textOf(c, &m.Op)
	c.text(&m.Value)
}

func codeAck(c coder, a *alert.Ack) {
	c.text(&a.AlertID)
	c.text(&a.By)
	c.text(&a.Comment)
	c.moment(&a.At)
	c.octet((*uint8)(&a.Severity))
	c.moment(&a.Until)
}

func codeMark(c coder, m *store.Mark) {
	c.text(&m.Name)
	c.text(&m.Value)
}

func codeSettlement(c coder, s *store.Settlement) {
	c.text(&s.ID)
	textOf(c, &s.State)
	intOf(c, &s.Attempts)
	c.moment(&s.NextAt)
	c.moment(&s.SettledAt)
	c.text(&s.LastError)
	c.text(&s.Reference)
	codeAttempt(c, &s.Attempt)
	c.text(&s.Group)
	c.moment(&s.Opened)
	c.text(&s.Receiver)
	list(c, &s.Events, codeEvent)
}

func codeRevival(c coder, r *revival) {
	c.text(&r.id)
	c.moment(&r.at)
}
