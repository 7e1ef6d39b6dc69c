package alert_test

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
)

// anyText is any string of bytes, with those that JSON and HTML care for often
// among them.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 12), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"", "<a href=\"x\">&amp;'", "\u2028\u2029\u2027", "\x00\x1f\x7f\b\f\n\r\t\\", "a\xffb\xc0\xaf", "ä€𝄞\ufffd"}),
	)
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799-86400).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		at = at.In(time.FixedZone("", rapid.IntRange(-1400, 1400).Draw(t, "zone")*60))
		if at.Year() < 0 || at.Year() > 9999 {
			return at.UTC().AddDate(1, 0, 0)
		}
		return at
	})
}

func anyNumber() *rapid.Generator[alert.Number] {
	return rapid.OneOf(
		rapid.Map(rapid.Float64(), func(f float64) alert.Number { return alert.Number(f) }),
		rapid.SampledFrom([]alert.Number{
			alert.Unknown(), alert.Number(math.Inf(-1)), 0, alert.Number(math.Copysign(0, -1)), 1e21, 1e20, 1e-6, 9.9e-7, -1e-7, 1e100, 5e-324,
		}),
	)
}

func anyAlert() *rapid.Generator[alert.Alert] {
	return rapid.Custom(func(t *rapid.T) alert.Alert {
		text := func() string { return anyText().Draw(t, "text") }
		moment := func() time.Time { return anyTime().Draw(t, "time") }
		number := func() alert.Number { return anyNumber().Draw(t, "number") }
		severity := func() alert.Severity { return alert.Severity(rapid.IntRange(0, 3).Draw(t, "severity")) }
		moments := func() []time.Time { return rapid.SliceOfN(anyTime(), 0, 3).Draw(t, "times") }
		a := alert.Alert{
			ID: text(), Fingerprint: alert.Fingerprint(rapid.Uint64().Draw(t, "fp")), Series: alert.Fingerprint(rapid.Uint64Range(0, 3).Draw(t, "series")),
			Rule: text(), Category: text(), Metric: text(), Unit: text(),
			Labels: alert.FromMap(rapid.MapOfN(anyText(), anyText(), 0, 4).Draw(t, "labels")),
			State:  alert.State(text()), Severity: severity(), Worst: severity(),
			Value: number(), Threshold: number(), Verb: text(), Peak: number(), Message: text(),
			Annotations: rapid.MapOfN(anyText(), anyText(), 0, 3).Draw(t, "annotations"), Reason: text(),
			PendingAt: moment(), StartsAt: moment(), EndsAt: moment(), UpdatedAt: moment(), SeverityAt: moment(),
		}
		for range rapid.IntRange(0, 3).Draw(t, "samples") {
			a.Samples = append(a.Samples, alert.Point{At: moment(), Value: number()})
		}
		if rapid.Bool().Draw(t, "flap") {
			a.Flap = &alert.Flap{Changes: moments(), Since: moment(), State: alert.State(text()), Severity: severity()}
			if rapid.Bool().Draw(t, "none") {
				a.Flap.Changes = nil
			}
		}
		for i := range a.Levels {
			a.Levels[i] = alert.Level{Since: moment(), Lost: moment(), Polls: rapid.Uint64().Draw(t, "polls")}
		}
		if rapid.Bool().Draw(t, "outside") {
			a.Outside = &alert.Outside{GeneratorURL: text(), ExpiresAt: moment()}
		}
		if rapid.Bool().Draw(t, "no annotations") {
			a.Annotations = nil
		}
		return a
	})
}

// plain has the fields of an alert and none of its methods.
type plain alert.Alert

func TestTheJSONOfAnAlertIsThatOfTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := anyAlert().Draw(t, "alert")
		want, err := json.Marshal(plain(a))
		if err != nil {
			t.Fatal(err)
		}
		if got := alert.AppendJSON([]byte("x"), &a); !bytes.Equal(got[1:], want) {
			t.Fatalf("got\n%s\nwant\n%s", got[1:], want)
		}
		through, err := json.Marshal(struct{ A alert.Alert }{a})
		if err != nil || !bytes.Equal(through, append(append([]byte(`{"A":`), want...), '}')) {
			t.Fatalf("as a field: %s, %v", through, err)
		}
	})
}

func TestTheJSONOfANotificationIsThatOfTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := alert.Notification{
			ID: anyText().Draw(t, "id"), Receiver: anyText().Draw(t, "receiver"), GroupKey: anyText().Draw(t, "key"),
			GroupLabels: alert.FromMap(rapid.MapOfN(anyText(), anyText(), 0, 4).Draw(t, "labels")),
			Seq:         rapid.Int64().Draw(t, "seq"), Status: alert.State(anyText().Draw(t, "status")), Reason: anyText().Draw(t, "reason"),
			Alerts: rapid.SliceOfN(anyAlert(), 0, 2).Draw(t, "alerts"), StillFiring: rapid.Int().Draw(t, "still"),
			Opened: anyTime().Draw(t, "opened"), Kind: alert.NotificationKind(anyText().Draw(t, "kind")), Reference: "not stored",
			Truncated: rapid.Int().Draw(t, "truncated"), ExternalURL: anyText().Draw(t, "url"), At: anyTime().Draw(t, "at"),
		}
		if rapid.Bool().Draw(t, "digest") {
			n.Digest = &alert.Digest{Groups: rapid.Int().Draw(t, "groups"), Alerts: rapid.Int().Draw(t, "count")}
		}
		if rapid.Bool().Draw(t, "no alerts") {
			n.Alerts = nil
		}
		n.Quiet = rapid.Bool().Draw(t, "quiet")
		if rapid.Bool().Draw(t, "acks") {
			n.Acks = []alert.Ack{{AlertID: n.ID, By: n.Receiver, At: n.At, Severity: alert.Warning}, {Comment: n.Reason, Until: n.Opened}}
		}
		want, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if got := alert.AppendNotificationJSON(nil, &n); !bytes.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

func TestATimeThatJSONCannotHoldIsNull(t *testing.T) {
	a := alert.Alert{StartsAt: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}
	if got := alert.AppendJSON(nil, &a); !bytes.Contains(got, []byte(`"starts_at":null`)) || !json.Valid(got) {
		t.Errorf("%s", got)
	}
}

func BenchmarkJSON(b *testing.B) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123, time.UTC)
	a := alert.Alert{
		ID: "0123456789abcdef-abcdefgh", Rule: "cache-hit-rate", Category: "cache", Metric: "cache.hit_rate", Unit: "%",
		Labels: alert.LabelsOf("alertname", "cache-hit-rate", "category", "cache", "source", "cache", "strategy", "S", "team", "web"),
		State:  alert.Firing, Severity: alert.Warning, Worst: alert.Warning, Value: 68.25, Threshold: 70, Verb: "below",
		Message: "Cache hit rate below 70% for USER_PROFILE strategy", Reason: "value 68.25 < 70 for 1m",
		Annotations: map[string]string{"runbook_url": "https://example.com/runbooks/cache-hit-rate"},
		PendingAt:   at, StartsAt: at, UpdatedAt: at, SeverityAt: at,
	}
	b.Run("append", func(b *testing.B) {
		var buf []byte
		for b.Loop() {
			buf = alert.AppendJSON(buf[:0], &a)
		}
	})
	b.Run("marshal", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(&a); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		for b.Loop() {
			if _, err := json.Marshal(plain(a)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
