package api_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/store"
)

func TestAnAlertIsTakenUpSnoozedAndLetGo(t *testing.T) {
	atMidnight(t, func(t *testing.T) {
		a := fires("cache-hit-rate", alert.Critical)
		h := newHands(a)
		handler := api.New(h.options()).Handler()
		at := "/api/v1/alerts/" + a.ID
		wantBody(t, do(t, handler, "POST", at+"/ack", strings.NewReader(`{"comment":"on it","by":"ada"}`)), 200,
			`"id":"`+a.ID, `"ack":{"by":"ada","comment":"on it","at":"2000-01-01T00:00:00.000Z","severity":"critical","until":null}`)
		wantBody(t, do(t, handler, "POST", at+"/snooze", strings.NewReader(`{"duration":"1h"}`)), 200, `"by":"anonymous"`, `"until":"2000-01-01T01:00:00.000Z"`)
		wantBody(t, get(t, handler, at), 200, `"until":"2000-01-01T01:00:00.000Z"`, `"receivers":["pager"]`, `"events":[]`)
		wantBody(t, do(t, handler, "DELETE", at+"/ack?by=ada", nil), 200, `"ack":null`)
		if h.by != "ada" {
			t.Errorf("taken back by %q", h.by)
		}
		// The fingerprint names it too.
		wantBody(t, do(t, handler, "POST", "/api/v1/alerts/"+a.Fingerprint.String()+"/ack", nil), 200, `"id":"`+a.ID)
	})
}

func TestWhatCannotBeTakenUp(t *testing.T) {
	h := newHands(fires("a", alert.Critical))
	over := fires("b", alert.Warning)
	over.State = alert.Resolved
	o := h.options()
	w := &world{past: []alert.Alert{over}}
	o.History = w
	handler := api.New(o).Handler()
	post := func(path, body string, status int, code, want string) {
		t.Helper()
		wantError(t, do(t, handler, "POST", path, strings.NewReader(body)), status, code, want)
	}
	id := fires("a", alert.Critical).ID
	post("/api/v1/alerts/none/ack", ``, 404, "not_found", `there is no alert "none"`)
	post("/api/v1/alerts/"+over.ID+"/ack", ``, 409, "alert_not_firing", "does not fire: it is resolved")
	post("/api/v1/alerts/"+id+"/ack", `{"duration":"1h"}`, 400, "bad_request", `"duration": unknown field`)
	post("/api/v1/alerts/"+id+"/snooze", `{"comment":"x"}`, 400, "bad_request", "duration or until: missing")
	post("/api/v1/alerts/"+id+"/snooze", `{"until":"1999-01-01T00:00:00Z"}`, 400, "bad_request", "is in the past")
	post("/api/v1/acks", `{"comment":"x"}`, 400, "bad_request", "alerts or matchers: missing")
	post("/api/v1/acks", `{"alerts":["a"],"matchers":["a=b"]}`, 400, "bad_request", "alerts and matchers: give one of them")
	post("/api/v1/acks", `{"matchers":["a=~.*"]}`, 400, "bad_request", "hold for every alert")
	post("/api/v1/acks", `{"alerts":["`+id+`","none"]}`, 404, "not_found", `there is no alert "none"`)
	wantError(t, do(t, handler, "DELETE", "/api/v1/alerts/none/ack", nil), 404, "not_found", `there is no alert "none"`)
	if len(h.acks) != 0 {
		t.Errorf("taken up all the same: %v", h.acks)
	}
}

func TestManyAlertsAreTakenUpAtOnce(t *testing.T) {
	one, two := fires("a", alert.Critical, "category", "cache"), fires("b", alert.Warning, "category", "cache")
	h := newHands(one, two, fires("c", alert.Critical))
	handler := api.New(h.options()).Handler()
	wantBody(t, do(t, handler, "POST", "/api/v1/acks", strings.NewReader(`{"alerts":["`+one.ID+`"],"comment":"mine"}`)), 200, `"count":1`, `"comment":"mine"`)
	h.flaky = 2 // what is looked up ends before it is taken up
	wantBody(t, do(t, handler, "POST", "/api/v1/acks", strings.NewReader(`{"matchers":["category=cache"],"duration":"30m"}`)), 200, `"count":2`)
	if h.flaky != 0 || !h.acks[one.ID].Snooze() || !h.acks[two.ID].Snooze() || len(h.acks) != 2 {
		t.Errorf("acks %v", h.acks)
	}
	wantBody(t, do(t, handler, "POST", "/api/v1/acks", strings.NewReader(`{"matchers":["category=none"]}`)), 200, `{"count":0,"more":false,"alerts":[]}`)
}

// crowd is many alerts that fire, with an engine that takes up only so many.
type crowd struct {
	*hands
	alerts []alert.Alert
	takes  int
}

func (c *crowd) Standings(_ alert.StandingQuery, yield func(*alert.Standing) bool) {
	for i := range c.alerts {
		if !yield(&alert.Standing{Alert: c.alerts[i]}) {
			return
		}
	}
}

func (c *crowd) Acknowledge(_ context.Context, ids []string, _ alert.Ack) ([]alert.Standing, error) {
	if c.takes -= len(ids); c.takes < 0 {
		return nil, store.ErrNotStored
	}
	return make([]alert.Standing, len(ids)), nil
}

func TestAllThatMatchesIsTakenUpHoweverMuch(t *testing.T) {
	const many = 10_500
	c := &crowd{newHands(), make([]alert.Alert, many), many}
	o := c.options()
	o.Router, o.Operator = c, c
	handler := api.New(o).Handler()
	var doc struct {
		Count  int
		More   bool
		Alerts []struct{ ID string }
	}
	post := func() *httptest.ResponseRecorder {
		return do(t, handler, "POST", "/api/v1/acks", strings.NewReader(`{"matchers":["category=cache"]}`))
	}
	if err := json.Unmarshal(post().Body.Bytes(), &doc); err != nil || doc.Count != many || !doc.More || len(doc.Alerts) != 10_000 || c.takes != 0 {
		t.Errorf("%d alerts, more %t, %d listed, %d left: %v", doc.Count, doc.More, len(doc.Alerts), c.takes, err)
	}
	c.takes = 5000 // a disk that fills up
	wantError(t, post(), 503, "not_stored", "; 4000 of 10500 alerts were taken up before: ask again for the others")
}

func TestTheListHasOurOwnAlertsAndThoseFromOutside(t *testing.T) {
	own, waiting := fires("cache-hit-rate", alert.Warning), fires("waits", alert.Critical)
	waiting.State = alert.Pending
	outside := posted(alert.Critical, "team", "web")
	h := newHands(own, outside)
	h.acks[own.ID] = &alert.Ack{By: "ada", At: tenOClock(), Severity: alert.Info, Until: tenOClock().Add(time.Hour)}
	o := h.options()
	w := &world{alerts: []alert.Alert{own, waiting}, past: []alert.Alert{own}}
	o.Engine, o.History = w, w
	handler := api.New(o).Handler()
	var doc struct {
		Alerts []struct {
			ID        string
			Receivers []string
			Status    *struct{}
			Ack       *struct{ By string }
			Outside   *struct{}
		}
	}
	first := get(t, handler, "/api/v1/alerts")
	if err := json.Unmarshal(first.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Alerts) != 3 || doc.Alerts[2].ID != own.ID || doc.Alerts[2].Ack.By != "ada" || doc.Alerts[2].Outside != nil {
		t.Fatalf("alerts %+v", doc.Alerts)
	}
	for _, a := range doc.Alerts {
		if pending := a.ID == waiting.ID; pending != (a.Status == nil) || (a.ID == outside.ID) != (a.Outside != nil) {
			t.Errorf("%+v", a)
		}
	}
	wantBody(t, get(t, handler, "/api/v1/alerts?match=team%3Dweb"), 200, outside.ID, `"generator_url":"http://prometheus/graph"`)
	wantBody(t, get(t, handler, "/api/v1/alerts/"+outside.ID), 200, `"expires_at":"2024-01-15T10:05:00.000Z"`, `"receivers":["pager"]`)
	tag := first.Header().Get("ETag")
	if got := get(t, handler, "/api/v1/alerts", "If-None-Match", tag); got.Code != 304 {
		t.Errorf("status %d", got.Code)
	}
	delete(h.acks, own.ID) // no alert changes, and the answer does
	if got := get(t, handler, "/api/v1/alerts", "If-None-Match", tag); got.Code != 200 {
		t.Errorf("status %d after an acknowledgement was taken back", got.Code)
	}
}
