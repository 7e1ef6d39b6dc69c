package storetest

import (
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// Generators of everything that the engine may put into a change. Times are in
// any zone, and as fine as a nanosecond.

func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z]{0,8}`),
		rapid.StringN(0, 20, -1).Filter(func(s string) bool { return !containsNUL(s) }),
		rapid.SampledFrom([]string{"it's", `"`, "ä€𝄞", "a\nb", "<&>", "%s", "--", "\u2028"}),
	)
}

// A NUL is what PostgreSQL does not take, and no source gives.
func containsNUL(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return true
		}
	}
	return false
}

func genTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		// The years 1970 to 2255.
		moment := time.Unix(0, rapid.Int64Range(1, 9e18).Draw(t, "ns"))
		return moment.In(time.FixedZone("", 60*rapid.IntRange(-720, 720).Draw(t, "zone")))
	})
}

func genNumber() *rapid.Generator[alert.Number] {
	return rapid.Custom(func(t *rapid.T) alert.Number {
		if rapid.IntRange(0, 4).Draw(t, "unknown") == 0 {
			return alert.Unknown()
		}
		return alert.Number(rapid.Float64().Draw(t, "number"))
	})
}

func genLabels() *rapid.Generator[alert.Labels] {
	return rapid.Custom(func(t *rapid.T) alert.Labels {
		return alert.FromMap(rapid.MapOfN(genText(), genText(), 0, 5).Draw(t, "labels"))
	})
}

func genSeverity() *rapid.Generator[alert.Severity] {
	return rapid.SampledFrom([]alert.Severity{alert.OK, alert.Info, alert.Warning, alert.Critical})
}

func genState() *rapid.Generator[alert.State] {
	return rapid.SampledFrom([]alert.State{alert.Inactive, alert.Pending, alert.Firing, alert.Resolved})
}

func genAlert(id string) *rapid.Generator[alert.Alert] {
	return rapid.Custom(func(t *rapid.T) alert.Alert {
		text := func(name string) string { return genText().Draw(t, name) }
		moment := func(name string) time.Time { return genTime().Draw(t, name) }
		labels := genLabels().Draw(t, "labels")
		a := alert.Alert{
			ID: id, Fingerprint: labels.Fingerprint(), Labels: labels,
			Rule: text("rule"), Category: text("category"), Metric: text("metric"), Unit: text("unit"),
			State: genState().Draw(t, "state"), Severity: genSeverity().Draw(t, "severity"),
			Worst: genSeverity().Draw(t, "worst"), Value: genNumber().Draw(t, "value"),
			Threshold: genNumber().Draw(t, "threshold"), Verb: text("verb"), Peak: genNumber().Draw(t, "peak"),
			Message: text("message"), Annotations: rapid.MapOfN(genText(), genText(), 0, 3).Draw(t, "annotations"),
			Reason: text("reason"), PendingAt: moment("pending_at"), StartsAt: moment("starts_at"),
			EndsAt: moment("ends_at"), UpdatedAt: moment("updated_at"), SeverityAt: moment("severity_at"),
		}
		for i := range a.Levels {
			a.Levels[i] = alert.Level{Since: moment("since"), Lost: moment("lost"), Polls: rapid.Uint64().Draw(t, "polls")}
		}
		a.Series = alert.Fingerprint(rapid.Uint64().Draw(t, "series"))
		for range rapid.IntRange(0, 2).Draw(t, "samples") {
			a.Samples = append(a.Samples, alert.Point{At: moment("at"), Value: genNumber().Draw(t, "value")})
		}
		if rapid.Bool().Draw(t, "flap") {
			a.Flap = &alert.Flap{
				Changes: rapid.SliceOfN(genTime(), 0, 3).Draw(t, "changes"), Since: moment("since"),
				State: genState().Draw(t, "kept"), Severity: genSeverity().Draw(t, "kept"),
			}
		}
		if rapid.Bool().Draw(t, "outside") {
			a.Outside = &alert.Outside{GeneratorURL: text("url"), ExpiresAt: moment("expires_at")}
		}
		return a
	})
}

func genEvent(alertID string) *rapid.Generator[alert.Event] {
	return rapid.Custom(func(t *rapid.T) alert.Event {
		return alert.Event{
			AlertID: alertID, At: genTime().Draw(t, "at"),
			Kind: rapid.SampledFrom([]alert.EventKind{
				alert.EventPending, alert.EventInactive, alert.EventFiring, alert.EventSeverity,
				alert.EventResolved, alert.EventHeld, alert.EventGrouped, alert.EventQueued,
				alert.EventSent, alert.EventFailed, alert.EventDead, alert.EventUnrouted,
			}).Draw(t, "kind"),
			Severity: genSeverity().Draw(t, "severity"), From: genSeverity().Draw(t, "from"),
			Value: genNumber().Draw(t, "value"), Threshold: genNumber().Draw(t, "threshold"),
			Receiver: genText().Draw(t, "receiver"), DeliveryID: genText().Draw(t, "delivery"),
			Reason: genText().Draw(t, "reason"),
		}
	})
}

func genDelivery(id string, about []alert.Alert) *rapid.Generator[alert.Delivery] {
	return rapid.Custom(func(t *rapid.T) alert.Delivery {
		d := alert.Delivery{
			Notification: alert.Notification{
				ID: id, Receiver: genText().Draw(t, "receiver"), GroupKey: genText().Draw(t, "group_key"),
				GroupLabels: genLabels().Draw(t, "group_labels"), Seq: rapid.Int64().Draw(t, "seq"),
				Status: genState().Draw(t, "status"), Reason: genText().Draw(t, "reason"), Alerts: about,
				Truncated: rapid.IntRange(0, 100).Draw(t, "truncated"), ExternalURL: genText().Draw(t, "url"),
				At: genTime().Draw(t, "at"), StillFiring: rapid.IntRange(0, 9).Draw(t, "still_firing"),
				Opened: genTime().Draw(t, "opened"),
				Kind:   rapid.SampledFrom([]alert.NotificationKind{alert.KindAlerts, alert.KindTest, alert.KindWarning}).Draw(t, "kind"),
			},
			State: rapid.SampledFrom([]alert.DeliveryState{
				alert.DeliveryPending, alert.DeliverySent, alert.DeliveryDead,
			}).Draw(t, "state"),
			Attempts: rapid.IntRange(0, 1000).Draw(t, "attempts"), CreatedAt: genTime().Draw(t, "created_at"),
			NextAt: genTime().Draw(t, "next_at"), SettledAt: genTime().Draw(t, "settled_at"),
			LastError: genText().Draw(t, "last_error"), Reference: genText().Draw(t, "reference"),
			Log: rapid.SliceOfN(genAttempt(), 0, 3).Draw(t, "log"),
		}
		d.Notification.Quiet = rapid.Bool().Draw(t, "quiet")
		if rapid.Bool().Draw(t, "acks") {
			d.Notification.Acks = []alert.Ack{{AlertID: id, By: genText().Draw(t, "by"), Comment: genText().Draw(t, "comment"), At: genTime().Draw(t, "acked"), Until: genTime().Draw(t, "until")}}
		}
		if rapid.Bool().Draw(t, "digest") {
			d.Notification.Digest = &alert.Digest{Groups: rapid.Int().Draw(t, "groups"), Alerts: rapid.Int().Draw(t, "alerts")}
		}
		return d
	})
}

func genAttempt() *rapid.Generator[alert.Attempt] {
	return rapid.Custom(func(t *rapid.T) alert.Attempt {
		return alert.Attempt{
			At: genTime().Draw(t, "at"), Took: time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "took")),
			Status: rapid.IntRange(0, 599).Draw(t, "status"), Answer: genText().Draw(t, "answer"),
		}
	})
}

func genSilence(id string) *rapid.Generator[alert.Silence] {
	return rapid.Custom(func(t *rapid.T) alert.Silence {
		s := alert.Silence{
			ID: id, StartsAt: genTime().Draw(t, "starts_at"), EndsAt: genTime().Draw(t, "ends_at"),
			UpdatedAt: genTime().Draw(t, "updated_at"), CreatedBy: genText().Draw(t, "created_by"),
			Comment: genText().Draw(t, "comment"), WarnedFor: genTime().Draw(t, "warned_for"),
		}
		for range rapid.IntRange(1, 3).Draw(t, "matchers") {
			op := rapid.SampledFrom([]alert.MatchOp{alert.MatchEqual, alert.MatchNotEqual, alert.MatchRegexp, alert.MatchNotRegexp}).Draw(t, "op")
			value := genText().Draw(t, "value")
			if op == alert.MatchRegexp || op == alert.MatchNotRegexp {
				value = rapid.SampledFrom([]string{"a|b", "web-.*", "", "[a-z]+"}).Draw(t, "expression")
			}
			m, err := alert.NewMatcher(rapid.StringMatching(`[a-z_]{1,8}`).Draw(t, "name"), op, value)
			if err != nil {
				t.Fatalf("%v", err)
			}
			s.Matchers = append(s.Matchers, m)
		}
		return s
	})
}

// Settlements makes outcomes of deliveries, of the ids given.
func Settlements(ids ...string) *rapid.Generator[store.Settlement] {
	return rapid.Custom(func(t *rapid.T) store.Settlement {
		return store.Settlement{
			ID: rapid.SampledFrom(ids).Draw(t, "id"),
			State: rapid.SampledFrom([]alert.DeliveryState{
				alert.DeliveryPending, alert.DeliverySent, alert.DeliveryDead,
			}).Draw(t, "state"),
			Attempts: rapid.IntRange(0, 100).Draw(t, "attempts"), NextAt: genTime().Draw(t, "next_at"),
			SettledAt: genTime().Draw(t, "settled_at"), LastError: genText().Draw(t, "last_error"),
			Reference: genText().Draw(t, "reference"), Attempt: genAttempt().Draw(t, "attempt"),
			Group: genText().Draw(t, "group"), Opened: genTime().Draw(t, "opened"), Receiver: genText().Draw(t, "receiver"),
			Events: rapid.SliceOfN(genEvent("a"), 0, 3).Draw(t, "events"),
		}
	})
}

// Changes makes changes in which everything refers to what is in it. The ids
// begin with prefix.
func Changes(prefix string) *rapid.Generator[store.Change] {
	return rapid.Custom(func(t *rapid.T) store.Change {
		var c store.Change
		for i := range rapid.IntRange(1, 4).Draw(t, "alerts") {
			id := prefix + "-a" + strconv.Itoa(i)
			c.Alerts = append(c.Alerts, genAlert(id).Draw(t, "alert"))
			c.Events = append(c.Events, rapid.SliceOfN(genEvent(id), 0, 3).Draw(t, "events")...)
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "groups") {
			key := prefix + "-g" + strconv.Itoa(i)
			c.Groups = append(c.Groups, store.Group{
				Key: key, Route: genText().Draw(t, "route"), Labels: genLabels().Draw(t, "labels"),
				Receivers: rapid.SliceOfN(genText(), 0, 3).Draw(t, "receivers"),
				CreatedAt: genTime().Draw(t, "created_at"), FlushAt: genTime().Draw(t, "flush_at"),
				SentAt: genTime().Draw(t, "sent_at"), Seq: rapid.Int64().Draw(t, "seq"),
			})
			for j := range c.Alerts {
				c.Members = append(c.Members, store.Member{
					MemberKey: store.MemberKey{Group: key, Receiver: genText().Draw(t, "receiver"), AlertID: c.Alerts[j].ID},
					Told:      rapid.SampledFrom([]alert.State{"", alert.Firing, alert.Resolved}).Draw(t, "told"),
					Severity:  genSeverity().Draw(t, "severity"), At: genTime().Draw(t, "at"),
				})
			}
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "deliveries") {
			c.Deliveries = append(c.Deliveries, genDelivery(prefix+"-d"+strconv.Itoa(i), c.Alerts).Draw(t, "delivery"))
		}
		for i := range rapid.IntRange(0, 2).Draw(t, "silences") {
			c.Silences = append(c.Silences, genSilence(prefix+"-s"+strconv.Itoa(i)).Draw(t, "silence"))
			c.Marks = append(c.Marks, store.Mark{Name: prefix + "-m" + strconv.Itoa(i), Value: genText().Draw(t, "mark")})
		}
		if rapid.Bool().Draw(t, "acknowledged") {
			c.Acks = []alert.Ack{{
				AlertID: c.Alerts[0].ID, By: genText().Draw(t, "by"), Comment: genText().Draw(t, "comment"),
				At: genTime().Draw(t, "at"), Severity: genSeverity().Draw(t, "severity"), Until: genTime().Draw(t, "until"),
			}}
		}
		return c
	})
}
