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
		`"next":[{"receiver":"ops","group":"{}:{}","state":"told","reason":"told as critical at 2024-01-15 10:01:12 UTC","at":"2024-01-15T14:00:00.000Z","what":"repeat"},`+
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

func TestTheOutlookSaysWhetherANotificationHasArrived(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	queued := now.Add(-2 * time.Minute)
	earlier := now.Add(-49 * time.Hour)
	day := func(at time.Time) string {
		if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
			return at.Format("15:04:05 UTC")
		}
		return at.Format("2006-01-02 15:04:05 UTC")
	}
	type event = alert.Event
	was := event{At: earlier, Kind: alert.EventSent, Receiver: "ops", DeliveryID: "msg_0"}
	now1 := event{At: queued, Kind: alert.EventQueued, Receiver: "ops", DeliveryID: "msg_1"}
	of := func(state alert.DeliveryState, attempts int, at time.Time) *alert.Delivery {
		return &alert.Delivery{
			Notification: alert.Notification{ID: "msg_1", Receiver: "ops", GroupKey: "g"}, State: state, Attempts: attempts,
			CreatedAt: queued, NextAt: at, SettledAt: at, LastError: "https://hooks answered 503",
		}
	}
	far, since := now.Add(time.Hour), "queued since "+day(queued)+" as warning, "
	for _, tt := range []struct {
		name         string
		events       []event
		delivery     *alert.Delivery
		receiver     api.ReceiverStatus
		line         alert.OutlookLine // what is not usual of it
		state        alert.OutlookState
		reason, what string
		at           time.Time
		others       []alert.Delivery
	}{
		{name: "arrived", events: []event{now1}, delivery: of(alert.DeliverySent, 1, queued.Add(time.Second)), state: "told", reason: "told as warning at " + day(queued.Add(time.Second)), what: "repeat", at: far},
		{name: "not tried yet", events: []event{now1}, delivery: of(alert.DeliveryPending, 0, queued), state: "queued", reason: since + "not delivered yet", what: "the next attempt is due"},
		{name: "failed", events: []event{now1}, delivery: of(alert.DeliveryPending, 2, far.Add(-time.Minute)), state: "queued", reason: since + "2 attempts failed", what: "next attempt", at: far.Add(-time.Minute)},
		{name: "failed once, told before", events: []event{was, now1}, delivery: of(alert.DeliveryPending, 1, queued), state: "queued", reason: since + "1 attempt failed; told before at " + day(earlier), what: "the next attempt is due"},
		{name: "an open breaker", events: []event{now1}, delivery: of(alert.DeliveryPending, 5, queued), receiver: api.ReceiverStatus{Name: "ops", Breaker: "open", NextProbe: far}, state: "queued", reason: since + "5 attempts failed", what: "next attempt", at: far},
		{name: "a receiver that is disabled", events: []event{now1}, delivery: of(alert.DeliveryPending, 1, queued), receiver: api.ReceiverStatus{Name: "ops", Disabled: true}, state: "queued", reason: since + "1 attempt failed", what: "tried again once the receiver, which is disabled, is enabled"},
		{name: "another receiver's breaker", events: []event{now1}, delivery: of(alert.DeliveryPending, 1, queued), receiver: api.ReceiverStatus{Name: "pager", NextProbe: far}, state: "queued", reason: since + "1 attempt failed", what: "the next attempt is due"},
		{name: "given up", events: []event{was, now1}, delivery: of(alert.DeliveryDead, 12, now), state: "undelivered", reason: "given up at " + day(now) + " after 12 attempts: https://hooks answered 503; told before at " + day(earlier), what: "repeat", at: far},
		{name: "not stored yet", state: "queued", reason: "queued at " + day(queued) + " as warning; the ledger does not have it", what: "repeat", at: far},
		{name: "not stored yet, told before", events: []event{was}, state: "queued", reason: "queued at " + day(queued) + " as warning; the ledger does not have it; told before at " + day(earlier), what: "repeat", at: far},
		{name: "not kept any more", events: []event{now1, {At: now, Kind: alert.EventSent, Receiver: "ops", DeliveryID: "msg_1"}}, state: "told", reason: "told as warning at " + day(now), what: "repeat", at: far},
		{name: "given up, and not kept", events: []event{now1, {At: now, Kind: alert.EventDead, Receiver: "ops", DeliveryID: "msg_1", Reason: "given up: gone"}}, state: "undelivered", reason: "given up: gone", what: "repeat", at: far},
		{name: "acknowledged before it arrived", events: []event{now1}, delivery: of(alert.DeliveryPending, 2, far), line: alert.OutlookLine{State: alert.OutlookAcknowledged, Reason: "acknowledged by ada"}, state: "acknowledged", reason: since + "2 attempts failed; acknowledged by ada", what: "repeat", at: far},
		{
			name: "another group at the same moment", events: []event{now1, {At: queued, Kind: alert.EventQueued, Receiver: "ops", DeliveryID: "msg_2"}}, delivery: of(alert.DeliveryPending, 1, queued),
			others: []alert.Delivery{{Notification: alert.Notification{ID: "msg_2", Receiver: "ops", GroupKey: "h"}, State: alert.DeliverySent, SettledAt: now}},
			state:  "queued", reason: since + "1 attempt failed", what: "the next attempt is due",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, a, o := explainedHands()
			line := tt.line
			line.Receiver, line.Group, line.Queued, line.As, line.Next, line.What = "ops", "g", queued, alert.Warning, far, "repeat"
			if line.State == "" {
				line.State = alert.OutlookQueued
			}
			h.lines = []alert.OutlookLine{line}
			h.sent = map[string]alert.Delivery{}
			if tt.delivery != nil {
				h.sent["msg_1"] = *tt.delivery
			}
			for _, d := range tt.others {
				h.sent[d.Notification.ID] = d
			}
			w := &world{alerts: []alert.Alert{a}, past: []alert.Alert{a}, events: tt.events, receivers: []api.ReceiverStatus{tt.receiver}}
			o.Engine, o.History = w, w
			res := get(t, api.New(o).Handler(), "/api/v1/alerts/"+a.ID+"/explain")
			var doc struct {
				Next []struct {
					State        alert.OutlookState
					Reason, What string
					At           time.Time
				}
			}
			if err := json.Unmarshal(res.Body.Bytes(), &doc); err != nil || len(doc.Next) != 1 {
				t.Fatal(err, res.Body)
			}
			got := doc.Next[0]
			if got.State != tt.state || got.Reason != tt.reason || got.What != tt.what || !got.At.Equal(tt.at) {
				t.Errorf("%+v\nwant %s: %s; %s at %s", got, tt.state, tt.reason, tt.what, tt.at)
			}
		})
	}
}
