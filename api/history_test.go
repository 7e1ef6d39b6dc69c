package api_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func TestHistoryParameters(t *testing.T) {
	hour := tenOClock().Add(-time.Hour)
	for _, tt := range []struct {
		query string
		want  store.HistoryQuery
	}{
		{"", store.HistoryQuery{Limit: 100}},
		{"since=1h", store.HistoryQuery{Since: hour, Limit: 100}},
		{"since=90d&until=1h", store.HistoryQuery{Since: tenOClock().AddDate(0, 0, -90), Until: hour, Limit: 100}},
		{"since=2024-01-15T09:00:00Z", store.HistoryQuery{Since: hour, Limit: 100}},
		{"since=2024-01-15T10:00:00%2B01:00", store.HistoryQuery{Since: hour, Limit: 100}},
		{"since=2024-01-15T10:00:00+01:00", store.HistoryQuery{Since: hour, Limit: 100}},
		{"until=1705309200", store.HistoryQuery{Until: hour, Limit: 100}},
		{"until=1705309200.5", store.HistoryQuery{Until: hour.Add(500 * time.Millisecond), Limit: 100}},
		{"severity=critical,warning&severity=info", store.HistoryQuery{Severities: []alert.Severity{alert.Critical, alert.Warning, alert.Info}, Limit: 100}},
		{"state=firing&state=resolved", store.HistoryQuery{States: []alert.State{alert.Firing, alert.Resolved}, Limit: 100}},
		{"category=cache&rule=cache-hit-rate&limit=1000&cursor=abc", store.HistoryQuery{Category: "cache", Rule: "cache-hit-rate", Limit: 1000, Cursor: "abc"}},
	} {
		t.Run(tt.query, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(tenOClock()))
				w := &world{}
				wantBody(t, get(t, w.handler(), "/api/performance/alerts/history?"+tt.query), 200, `{"alerts":[],"next_cursor":null}`)
				if tt.want.States == nil { // what fired, and not what only waited
					tt.want.States = []alert.State{alert.Firing, alert.Resolved}
				}
				if diff := cmp.Diff(tt.want, w.asked); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestEveryMistakeOfAHistoryQueryIsToldAtOnce(t *testing.T) {
	h := (&world{}).handler()
	wantError(t, get(t, h, "/api/performance/alerts/history?since=yesterday&limit=0&severity=fatal,critical&state=open&sevrity=x&until=-1"), 400, "bad_request",
		`since: "yesterday" is not a time; write for example 2024-01-15T10:00:00Z, 1705312800 or 90d (ago)`,
		`limit: "0" is not a whole number from 1 to 1000`,
		`severity: "fatal" is not one of critical, warning, info`,
		`state: "open" is not one of pending, firing, resolved, inactive`,
		`"sevrity": unknown parameter; did you mean "severity"?`,
		`until: "-1" is not a time`)
	wantError(t, get(t, h, "/api/performance/alerts/history?since=1h&until=2h"), 400, "bad_request", "since: is not before until")
	wantError(t, get(t, h, "/api/performance/alerts/history?limit=1001"), 400, "bad_request", "from 1 to 1000")
	bad := (&world{fail: store.ErrBadCursor}).handler()
	wantError(t, get(t, bad, "/api/performance/alerts/history?cursor=zzz"), 400, "bad_request", "cursor")
}

func TestAHistoryRowHasTheGuidesKeysAndItsOwn(t *testing.T) {
	a := guideAlerts()[2]
	a.State, a.EndsAt, a.Worst, a.Peak = alert.Resolved, tenOClock(), alert.Critical, 61.26
	w := &world{past: []alert.Alert{a}, next: "n1"}
	wantBody(t, get(t, w.handler(), "/api/performance/alerts/history"), 200,
		`{"alerts":[{"type":"warning","category":"cache","message":"Cache hit rate below 85% for USER_RUNS strategy","metric":"hit_rate","value":82.3,"threshold":85,"timestamp":"2024-01-15T09:45:00.000Z","id":"`+a.ID+
			`","fingerprint":"`+a.Fingerprint.String()+`","rule":"cache-hit-rate","state":"resolved","severity":"warning","worst":"critical","labels":{"alertname":"cache-hit-rate","category":"cache","strategy":"USER_RUNS"},`+
			`"starts_at":"2024-01-15T09:45:00.000Z","ends_at":"2024-01-15T10:00:00.000Z","peak":61.3,"reason":"its condition holds"}],"next_cursor":"n1"}`)
}

func FuzzQueries(f *testing.F) {
	for _, seed := range []string{
		"", "since=1h", "since=2024-01-15T10:00:00Z&until=1705312800", "severity=critical,warning", "limit=5&cursor=x",
		"action=cache", "pattern=user:*&details=1", "match=strategy%3D%22A%22", "match=a=~(", "%zz", "a;b", "since=NaN", "since=1e300", "until=+Inf", "since=9e99d",
		"limit=-1", "state=firing&state=", strings.Repeat("x=1&", 50),
	} {
		f.Add(seed)
	}
	w := detailWorld()
	w.alerts = guideAlerts()
	h := w.handler()
	f.Fuzz(func(t *testing.T, query string) {
		query = (&url.URL{RawQuery: query}).RawQuery
		for _, path := range []string{"/api/performance", "/api/performance/alerts/history", "/api/v1/alerts", "/api/performance/cache/keys"} {
			r := mustRequest(t, path, query)
			res := serve(h, r)
			if res.Code != 200 && res.Code != 400 && res.Code != 403 && res.Code != 414 {
				t.Errorf("%s?%q: status %d %s", path, query, res.Code, res.Body)
			}
			if res.Body.Len() > 200_000 {
				t.Errorf("%s?%q: %d bytes", path, query, res.Body.Len())
			}
			if !w.asked.Since.IsZero() && w.asked.Since.Year() > 9999 {
				t.Errorf("since %v", w.asked.Since)
			}
		}
	})
}
