package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/store"
)

// ledger is an outbox's rows, and what was asked of it.
type ledger struct {
	rows  []alert.Delivery
	asked store.DeliveryQuery
	did   []string
	test  error
}

func (l *ledger) Deliveries(_ context.Context, q store.DeliveryQuery) (store.DeliveryPage, error) {
	l.asked = q
	if q.Cursor == "bad" {
		return store.DeliveryPage{}, store.ErrBadCursor
	}
	return store.DeliveryPage{Deliveries: l.rows, Next: "more"}, nil
}

func (l *ledger) Delivery(_ context.Context, id string) (alert.Delivery, error) {
	for _, d := range l.rows {
		if d.Notification.ID == id {
			return d, nil
		}
	}
	return alert.Delivery{}, fmt.Errorf("delivery %s: %w", id, store.ErrNotFound)
}

func (l *ledger) Redeliver(ctx context.Context, id string) (alert.Delivery, error) {
	d, err := l.Delivery(ctx, id)
	if d.State == alert.DeliveryPending {
		err = errors.Join(err, store.ErrPending)
	}
	l.did = append(l.did, "redeliver "+id)
	d.State = alert.DeliveryPending
	return d, err
}

func (l *ledger) TestReceiver(_ context.Context, name string) (api.TestResult, error) {
	if name != "ops" {
		return api.TestResult{}, store.ErrNotFound
	}
	result := api.TestResult{Attempt: alert.Attempt{At: tenOClock(), Took: 1234567, Status: 200, Answer: "ok"}, Reference: "ts"}
	if l.test != nil {
		result = api.TestResult{Attempt: alert.Attempt{At: tenOClock(), Took: 2 * time.Second, Answer: l.test.Error()}}
	}
	return result, l.test
}

func (l *ledger) EnableReceiver(_ context.Context, name string) error {
	if name != "ops" {
		return store.ErrNotFound
	}
	l.did = append(l.did, "enable "+name)
	return nil
}

func newLedger() *ledger {
	row := func(id string, state alert.DeliveryState) alert.Delivery {
		return alert.Delivery{
			Notification: alert.Notification{ID: id, Receiver: "ops", GroupKey: `{}:{category="cache"}`, Seq: 3, Reason: "new alert", Alerts: guideAlerts()[:1], Truncated: 2},
			State:        state, Attempts: 2, CreatedAt: tenOClock(), NextAt: tenOClock().Add(time.Minute), LastError: "http://h answered 503",
			Log: []alert.Attempt{{At: tenOClock(), Took: 12 * time.Millisecond, Status: 503, Answer: "busy"}, {At: tenOClock(), Took: time.Second, Answer: "no answer before the deadline"}},
		}
	}
	sent := row("msg_sent", alert.DeliverySent)
	sent.SettledAt, sent.Reference, sent.LastError, sent.Notification.Kind = tenOClock().Add(time.Second), "1705312800.000100", "", alert.KindCanary
	dead := row("msg_dead", alert.DeliveryDead)
	dead.SettledAt, dead.Notification.Digest = tenOClock().Add(72*time.Hour), &alert.Digest{Groups: 40, Alerts: 170}
	gone := row("msg_gone", alert.DeliveryDead)
	gone.Notification.Receiver = "old"
	return &ledger{rows: []alert.Delivery{row("msg_pending", alert.DeliveryPending), sent, dead, gone}}
}

func ledgerHandler(l *ledger) http.Handler {
	w := detailWorld()
	w.receivers = []api.ReceiverStatus{{Name: "ops", Type: "slack"}}
	o := w.options()
	o.Deliveries, o.Sender = l, l
	return api.New(o).Handler()
}

func TestDeliveries(t *testing.T) {
	l := newLedger()
	h := ledgerHandler(l)
	wantBody(t, get(t, h, "/api/v1/deliveries?state=pending,dead&receiver=ops&alert=a1&group=g&since=2024-01-15T09:00:00Z&until=2024-01-15T11:00:00Z&limit=7&cursor=c"), 200,
		`"next_cursor":"more"`, `"next_at":"2024-01-15T10:01:00.000Z","settled_at":null`,
		`"attempts":[{"at":"2024-01-15T10:00:00.000Z","took_ms":12,"status":503,"answer":"busy"},{"at":"2024-01-15T10:00:00.000Z","took_ms":1000,"status":null,`,
		`"alert_count":3`, `"alert_count":170`, `"kind":"canary"`, `"last_error":null,"reference":"1705312800.000100"`)
	want := store.DeliveryQuery{
		States:   []alert.DeliveryState{alert.DeliveryPending, alert.DeliveryDead},
		Receiver: "ops", AlertID: "a1", Group: "g", Limit: 7, Cursor: "c",
		Since: tenOClock().Add(-time.Hour), Until: tenOClock().Add(time.Hour),
	}
	if diff := cmp.Diff(want, l.asked); diff != "" {
		t.Error(diff)
	}
	wantError(t, get(t, h, "/api/v1/deliveries?state=lost&limit=5000&cursr=x"), 400, "bad_request", "state", "limit", `did you mean "cursor"`)
	wantError(t, get(t, h, "/api/v1/deliveries?cursor=bad"), 400, "bad_request", "cursor")
	wantBody(t, get(t, h, "/api/v1/deliveries/msg_dead"), 200, `"state":"dead"`, `"threshold":`)
	wantError(t, get(t, h, "/api/v1/deliveries/none"), 404, "not_found", `there is no delivery "none"; GET /api/v1/deliveries lists them`)
	wantError(t, get(t, api.New(detailWorld().options()).Handler(), "/api/v1/deliveries"), 501, "no_ledger")
}

func TestRedeliver(t *testing.T) {
	l := newLedger()
	h := ledgerHandler(l)
	wantBody(t, do(t, h, "POST", "/api/v1/deliveries/msg_dead/redeliver", http.NoBody), 202, `"id":"msg_dead"`, `"state":"pending"`)
	wantError(t, do(t, h, "POST", "/api/v1/deliveries/none/redeliver", http.NoBody), 404, "not_found", `there is no delivery "none"; GET /api/v1/deliveries lists them`)
	wantError(t, do(t, h, "POST", "/api/v1/deliveries/msg_gone/redeliver", http.NoBody), 409, "no_receiver", "old")
	wantError(t, do(t, h, "POST", "/api/v1/deliveries/msg_pending/redeliver", http.NoBody), 409, "pending")
	if diff := cmp.Diff([]string{"redeliver msg_dead", "redeliver msg_pending"}, l.did); diff != "" {
		t.Error(diff)
	}
}

func TestATestOfAReceiver(t *testing.T) {
	l := newLedger()
	h := ledgerHandler(l)
	w := do(t, h, "POST", "/api/v1/receivers/ops/test", http.NoBody)
	wantBody(t, w, 200, `{"ok":true,"status":200,"took_ms":1.235,"answer":"ok","reference":"ts"}`)
	l.test = errors.New("http://h: connection refused")
	w = do(t, h, "POST", "/api/v1/receivers/ops/test", http.NoBody)
	wantBody(t, w, 502, `"ok":false,"status":null,"took_ms":2000,"answer":"http://h: connection refused"`)
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error.Code != "test_failed" {
		t.Errorf("%v: %s", err, w.Body)
	}
	wantError(t, do(t, h, "POST", "/api/v1/receivers/none/test", http.NoBody), 404, "not_found", "none")
	wantBody(t, do(t, h, "POST", "/api/v1/receivers/ops/enable", http.NoBody), 200, `{"status":"enabled"}`)
	wantError(t, do(t, h, "POST", "/api/v1/receivers/none/enable", http.NoBody), 404, "not_found")
}

func TestReceiversTellHowTheyStand(t *testing.T) {
	w := detailWorld()
	w.receivers = []api.ReceiverStatus{
		{Name: "ops", Type: "slack", Breaker: "open", BreakerSince: tenOClock(), NextProbe: tenOClock(), Rate: "1/s", Concurrency: 4, InFlight: 1, Failing: true},
		{Name: "hooks", Type: "webhook", Disabled: true, DisabledReason: "410", DisabledAt: tenOClock()},
	}
	wantBody(t, get(t, w.handler(), "/api/v1/receivers"), 200,
		`"breaker":"open","breaker_since":"2024-01-15T10:00:00.000Z","next_probe":"2024-01-15T10:00:00.000Z","paused_until":null,"failing":true`,
		`"rate_limit":"1/s","concurrency":4`, `"breaker":"closed"`, `"disabled":true,"disabled_reason":"410","disabled_at":"2024-01-15T10:00:00.000Z"`)
}
