package slack

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

// taken tells that somebody has taken the alerts up.
func taken(reference string, seq int64, n alert.Notification, by string) alert.Notification {
	n = following(reference, seq, n)
	n.Quiet, n.Reason = true, "1 acknowledged"
	for i := range n.Alerts {
		n.Acks = append(n.Acks, alert.Ack{AlertID: n.Alerts[i].ID, By: by, Comment: "on <it>", At: n.At})
	}
	return n
}

func TestWhoTookAnAlertUpIsShown(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	first := tell(t, s, fresh(notifiertest.Sample(alert.Firing, 1)))
	ack := taken(first, 2, notifiertest.Sample(alert.Firing, 1), "ann")
	if got := tell(t, s, ack); got != first {
		t.Errorf("reference %q, want %q", got, first)
	}
	const line = "👤 acknowledged by ann: on &lt;it&gt;"
	m := fake.Messages("#ops")[0]
	if m.Edits != 1 || !strings.Contains(plainOf(m.Raw), line) || labels(&m) != "Silence 1h Runbook Open" {
		t.Errorf("%d edits, buttons %s, %s", m.Edits, labels(&m), m.Raw)
	}
	if len(m.Thread) != 1 || !strings.Contains(plainOf(m.Thread[0].Raw), line) || !strings.Contains(plainOf(m.Thread[0].Raw), "1 acknowledged") || m.Thread[0].Broadcast {
		t.Errorf("thread %+v", m.Thread)
	}
	// It is shown on, beside what is new, and no more when it was given back.
	news := following(first, 3, notifiertest.Sample(alert.Firing, 2))
	news.Alerts, news.StillFiring, news.Acks = news.Alerts[1:], 1, ack.Acks
	tell(t, s, news)
	if m = fake.Messages("#ops")[0]; !strings.Contains(plainOf(m.Raw), line) || !strings.Contains(labels(&m), "Acknowledge") {
		t.Errorf("buttons %s, %s", labels(&m), m.Raw)
	}
	back := taken(first, 4, notifiertest.Sample(alert.Firing, 1), "ann")
	back.Acks, back.StillFiring, back.Reason = nil, 1, "1 acknowledgement taken back"
	tell(t, s, back)
	if m = fake.Messages("#ops")[0]; strings.Contains(plainOf(m.Raw), "acknowledged by") {
		t.Errorf("%s", m.Raw)
	}
}

func TestASnoozeIsShownWithItsEnd(t *testing.T) {
	n := taken("", 2, notifiertest.Sample(alert.Firing, 1), "ann")
	n.Acks[0].Until = n.At.Add(time.Hour)
	if got := ackLine(&n, &n.Alerts[0]); !strings.HasPrefix(got, "💤 snoozed until <!date^") || !strings.HasSuffix(got, " by ann: on &lt;it&gt;") {
		t.Error(got)
	}
	if allTaken(&n) {
		t.Error("a snooze is no acknowledgement")
	}
}

func TestWithoutAMessageNobodyIsToldOfAnAcknowledgement(t *testing.T) {
	fake := startSlack(t)
	s := newBot(t, botConfig(fake))
	tell(t, s, taken("", 2, notifiertest.Sample(alert.Firing, 1), "ann"))
	tell(t, s, taken(fake.ID("#ops")+":1700000000.000100", 3, notifiertest.Sample(alert.Firing, 1), "ann"))
	if all := fake.Messages("#ops"); len(all) != 0 {
		t.Errorf("%d messages", len(all))
	}
}

// plainOf undoes what JSON escapes.
func plainOf(raw []byte) string {
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(raw))
}
