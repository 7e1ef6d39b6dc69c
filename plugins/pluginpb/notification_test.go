package pluginpb

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func TestANotificationComesBackAsItWas(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	full := notifiers.Sample(alert.Firing, 6)
	full.Opened, full.Reference, full.Truncated, full.StillFiring, full.Quiet = at, "ref-1", 7, 3, true
	full.Digest = &alert.Digest{Groups: 2, Alerts: 13}
	full.Acks = []alert.Ack{{AlertID: full.Alerts[0].ID, By: "ann", Comment: "looking", At: at, Until: at.Add(time.Hour), Severity: alert.Critical}}
	full.Alerts[0].Flap = &alert.Flap{Since: at, State: alert.Firing, Severity: full.Alerts[0].Severity}
	full.Alerts[1].Outside = &alert.Outside{GeneratorURL: "http://prometheus/graph", ExpiresAt: at}

	for _, n := range append(notifiers.Samples(), full) {
		wire, err := proto.Marshal(NewNotification(&n))
		if err != nil {
			t.Fatal(err)
		}
		var message Notification
		if err := proto.Unmarshal(wire, &message); err != nil {
			t.Fatal(err)
		}
		got, err := message.AsNotification()
		if err != nil {
			t.Fatal(err)
		}
		// JSON shows an unknown number as null, where cmp would find NaN unlike NaN.
		want, back := alert.AppendNotificationJSON(nil, &n), alert.AppendNotificationJSON(nil, &got)
		if diff := cmp.Diff(string(want), string(back)); diff != "" {
			t.Errorf("%s (-sent +received):\n%s", n.ID, diff)
		}
		if got.Reference != n.Reference {
			t.Errorf("reference %q, want %q", got.Reference, n.Reference)
		}
		if a, b := notifiers.Title(&n), notifiers.Title(&got); a != b || message.Title != a {
			t.Errorf("title %q, received as %q and made anew as %q", a, message.Title, b)
		}
	}
}

func TestHostileTextsTravel(t *testing.T) {
	n := notifiertest.Hostile()
	if _, err := proto.Marshal(NewNotification(&n)); err != nil {
		t.Errorf("not sent: %v", err)
	}
}

func TestAnUnknownNumberIsAbsent(t *testing.T) {
	n := notifiers.Test("ops", "", "id", time.Now())
	a := NewNotification(&n).Alerts[0]
	if a.Value != nil || a.Threshold != nil || a.ValueText != "" {
		t.Errorf("value %v %q, threshold %v; want them absent", a.Value, a.ValueText, a.Threshold)
	}
}
