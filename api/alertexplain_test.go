package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
)

// told is what happened to an alert that went to two receivers.
func told(id string) []alert.Event {
	at := tenOClock()
	event := func(after time.Duration, kind alert.EventKind, receiver, delivery, reason string) alert.Event {
		return alert.Event{AlertID: id, At: at.Add(after), Kind: kind, Severity: alert.Critical, From: alert.Warning, Receiver: receiver, DeliveryID: delivery, Reason: reason}
	}
	return []alert.Event{
		event(0, alert.EventPending, "", "", "value < 70 holds"),
		event(time.Minute, alert.EventFiring, "", "", "value < 70 has held for 1m"),
		event(time.Minute, alert.EventGrouped, "ops", "", "group {}:{} is sent at 10:01:10"),
		event(time.Minute, alert.EventSilenced, "pager", "", "silenced until 12:00:00 by ada"),
		event(70*time.Second, alert.EventQueued, "ops", "msg_1", "new alert"),
		event(70*time.Second, alert.EventFailed, "ops", "msg_1", "https://hooks answered 503"),
		event(72*time.Second, alert.EventSent, "ops", "msg_1", "sent at attempt 2, 2s after it was queued"),
		event(80*time.Second, alert.EventQueued, "ops", "msg_gone", ""),
		event(90*time.Second, alert.EventSeverity, "", "", "value < 50 holds"),
	}
}

func explainedHands() (*hands, alert.Alert, api.Options) {
	a := fires("cache-hit-rate", alert.Critical)
	h := newHands(a)
	at := tenOClock().Add(70 * time.Second)
	h.sent["msg_1"] = alert.Delivery{
		Notification: alert.Notification{ID: "msg_1", Receiver: "ops", Reason: "new alert"}, State: alert.DeliverySent, Attempts: 2,
		CreatedAt: at, SettledAt: at.Add(2 * time.Second), NextAt: at.Add(2 * time.Second),
		Log: []alert.Attempt{{At: at, Took: 1500 * time.Microsecond, Status: 503, Answer: "try later"}, {At: at.Add(2 * time.Second), Took: time.Millisecond, Status: 200}},
	}
	o := h.options()
	w := &world{alerts: []alert.Alert{a}, past: []alert.Alert{a}, events: told(a.ID)}
	o.Engine, o.History = w, w
	return h, a, o
}

func TestAnAlertIsExplained(t *testing.T) {
	_, a, o := explainedHands()
	res := get(t, api.New(o).Handler(), "/api/v1/alerts/"+a.ID+"/explain")
	var doc struct {
		Decisions []struct{ Kind, Text string }
		Notes     []string
	}
	if err := json.Unmarshal(res.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, d := range doc.Decisions {
		texts = append(texts, d.Text)
	}
	if diff := cmp.Diff([]string{
		"pending as critical: value < 70 holds",
		"fired as critical: value < 70 has held for 1m",
		"grouped for ops: group {}:{} is sent at 10:01:10",
		"silenced until 12:00:00 by ada",
		"queued for ops: new alert",
		"could not tell ops: https://hooks answered 503",
		"told ops: sent at attempt 2, 2s after it was queued",
		"queued for ops",
		"moved from warning to critical: value < 50 holds",
	}, texts); diff != "" {
		t.Error(diff)
	}
	wantBody(t, res, 200,
		`"deliveries":[{"id":"msg_1","receiver":"ops","state":"sent","reason":"new alert","created_at":"2024-01-15T10:01:10.000Z","next_at":null,"settled_at":"2024-01-15T10:01:12.000Z","attempt_count":2,`+
			`"attempts":[{"at":"2024-01-15T10:01:10.000Z","took_ms":1.5,"status":503,"answer":"try later"},{"at":"2024-01-15T10:01:12.000Z","took_ms":1,"status":200,"answer":""}]}]`,
		`"next":[{"receiver":"ops","group":"{}:{}","state":"told","reason":"told as critical at 10:00:00","at":"2024-01-15T14:00:00.000Z","what":"repeat"},`+
			`{"receiver":"pager","group":"{}:{}","state":"silenced","reason":"silenced by ada","at":null,"what":null}]`)
}

func TestEveryKindOfEventHasWords(t *testing.T) {
	_, a, o := explainedHands()
	w := &world{past: []alert.Alert{a}}
	for _, kind := range []alert.EventKind{
		alert.EventPending, alert.EventInactive, alert.EventFiring, alert.EventSeverity, alert.EventResolved, alert.EventFlapping, alert.EventSettled,
		alert.EventHeld, alert.EventGrouped, alert.EventQueued, alert.EventSent, alert.EventFailed, alert.EventDead, alert.EventUnrouted,
		alert.EventSilenced, alert.EventInhibited, alert.EventMuted, alert.EventReleased, alert.EventAcknowledged, alert.EventSnoozed,
		alert.EventReopened, alert.EventEscalated, alert.EventFellBack,
	} {
		w.events = []alert.Event{{At: tenOClock(), Kind: kind, Receiver: "ops"}}
		o.History = w
		var doc struct {
			Decisions []struct{ Text string }
		}
		res := get(t, api.New(o).Handler(), "/api/v1/alerts/"+a.ID+"/explain")
		if err := json.Unmarshal(res.Body.Bytes(), &doc); err != nil || doc.Decisions[0].Text == "" || doc.Decisions[0].Text == "fell_back" {
			t.Errorf("%s: %s", kind, res.Body)
		}
	}
}

func TestNothingIsDueOfWhatDoesNotFire(t *testing.T) {
	h, a, o := explainedHands()
	h.alerts = nil
	for state, want := range map[alert.State]string{alert.Pending: "it is pending: nobody is told before it fires", alert.Resolved: "it is over"} {
		a.State = state
		o.Engine, o.History = &world{}, &world{past: []alert.Alert{a}}
		wantBody(t, get(t, api.New(o).Handler(), "/api/v1/alerts/"+a.ID+"/explain"), 200, `"next":[]`, `"notes":["`+want)
	}
	wantError(t, get(t, api.New(o).Handler(), "/api/v1/alerts/none/explain"), 404, "not_found", `there is no alert "none"; GET /api/v1/alerts lists them`)
}
