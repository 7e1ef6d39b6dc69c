package api_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/source"
)

func TestAlertFilters(t *testing.T) {
	w := &world{alerts: guideAlerts()}
	h := w.handler()
	ids := func(body string) (found []string) {
		for _, rule := range []string{"cache-hit-rate", "query-time-rise", "slow-queries"} {
			if strings.Contains(body, `"rule":"`+rule+`"`) {
				found = append(found, rule)
			}
		}
		return found
	}
	for _, tt := range []struct{ query, want string }{
		{"", "[cache-hit-rate query-time-rise slow-queries]"},
		{"state=firing", "[cache-hit-rate query-time-rise]"},
		{"state=pending", "[slow-queries]"},
		{"severity=warning", "[cache-hit-rate slow-queries]"},
		{"severity=warning,info&state=firing", "[cache-hit-rate query-time-rise]"},
		{"category=database", "[query-time-rise slow-queries]"},
		{"rule=cache-hit-rate&rule=slow-queries", "[cache-hit-rate slow-queries]"},
		{"match=" + url.QueryEscape(`strategy="USER_RUNS"`), "[cache-hit-rate]"},
		{"match=" + url.QueryEscape(`strategy=~"USER_.*"`) + "&match=severity!=warning", "[]"},
		{"match=" + url.QueryEscape(`alertname!~"slow.*"`), "[cache-hit-rate query-time-rise]"},
	} {
		t.Run(tt.query, func(t *testing.T) {
			res := get(t, h, "/api/v1/alerts?"+tt.query)
			if got := fmt.Sprint(ids(res.Body.String())); res.Code != 200 || got != tt.want {
				t.Errorf("status %d, %s, want %s", res.Code, got, tt.want)
			}
		})
	}
	wantError(t, get(t, h, "/api/v1/alerts?match=strategy&state=resolved&match="+url.QueryEscape("a=~(")), 400, "bad_request",
		"no operator", `state: "resolved" is not one of pending, firing`, "missing closing )")
}

func TestOneAlertWithItsEvents(t *testing.T) {
	now := guideAlerts()
	then := fired("old", "cache", "cache.hit_rate", "%", alert.Info, tenOClock().Add(-time.Hour))
	then.State, then.EndsAt = alert.Resolved, tenOClock()
	w := &world{alerts: now, past: []alert.Alert{then}, events: []alert.Event{
		{Seq: 4, AlertID: now[2].ID, At: tenOClock(), Kind: alert.EventFiring, Severity: alert.Warning, Value: 82.3, Threshold: 85, Reason: "held for 1m"},
		{Seq: 9, AlertID: now[2].ID, At: tenOClock(), Kind: alert.EventSent, Severity: alert.Warning, Value: alert.Unknown(), Threshold: 85, Receiver: "ops", DeliveryID: "d1"},
	}}
	h := w.handler()
	wantBody(t, get(t, h, "/api/v1/alerts/"+now[2].ID), 200, `{"id":"`+now[2].ID+`"`, `"unit":"%","state":"firing"`, `"ends_at":null`,
		`"events":[{"seq":4,"at":"2024-01-15T10:00:00.000Z","kind":"firing","severity":"warning","from":"ok","value":82.3,"threshold":85,"reason":"held for 1m"}`,
		`"value":null,"threshold":85,"receiver":"ops","delivery_id":"d1","reason":""}]}`)
	wantBody(t, get(t, h, "/api/v1/alerts/"+then.ID), 200, `"state":"resolved"`, `"ends_at":"2024-01-15T10:00:00.000Z"`)
	wantError(t, get(t, h, "/api/v1/alerts/none"), 404, "not_found", `there is no alert "none"; GET /api/v1/alerts lists them`)
}

func TestRulesSourcesAndReceivers(t *testing.T) {
	broken := up("database", "postgres", source.Facts{})
	broken.Up, broken.Health, broken.Error = false, source.Unhealthy, "connect: refused"
	broken.Problems = []source.Problem{{Query: "tables", Err: errors.New("permission denied")}}
	w := &world{
		sources: []source.Status{broken, {Name: "new", Type: "push", Health: source.Unknown}},
		rules: []api.RuleStatus{{
			ID: "cache-hit-rate", Category: "cache", Metric: "cache.hit_rate", Unit: "%", Match: []string{`strategy!="X"`},
			Conditions: map[alert.Severity]api.RuleCondition{alert.Warning: {Expr: "value < 85", For: time.Minute}, alert.Critical: {Expr: "value < 70"}},
			Clear:      "value >= 87", File: "rules.yaml", Line: 12, State: alert.Warning, Series: 4, LastEval: tenOClock(),
		}},
		receivers: []api.ReceiverStatus{{Name: "ops", Type: "slack", Pending: 2, LastSuccess: tenOClock(), LastError: "429", LastErrorAt: tenOClock(), ConsecutiveFailures: 1}, {Name: "hooks", Type: "webhook"}},
	}
	h := w.handler()
	wantBody(t, get(t, h, "/api/v1/rules"), 200,
		`"conditions":{"critical":{"expr":"value < 70","for":"0s"},"warning":{"expr":"value < 85","for":"1m"}},"clear":"value >= 87","no_data":"keep"`,
		`"labels":{},"annotations":{},"file":"rules.yaml","line":12,"state":"warning","series":4,"last_eval":"2024-01-15T10:00:00.000Z"`)
	wantBody(t, get(t, h, "/api/v1/sources"), 200,
		`{"name":"database","type":"postgres","service":"database","interval":"5s","up":false,"blind":false,"health":"unhealthy","error":"connect: refused","problems":[{"query":"tables","error":"permission denied"}]`,
		`"poll_time_ms":1.2`, `{"name":"new","type":"push","service":null,"interval":null,"up":false,"blind":false,"health":"unknown","error":null,"problems":[],"last_poll":null,"last_ok":null,"poll_time_ms":null`)
	wantBody(t, get(t, h, "/api/v1/receivers"), 200,
		`{"name":"ops","type":"slack","pending":2,"last_success":"2024-01-15T10:00:00.000Z","last_error":"429","last_error_at":"2024-01-15T10:00:00.000Z","consecutive_failures":1,`,
		`{"name":"hooks","type":"webhook","pending":0,"last_success":null,"last_error":null,"last_error_at":null,"consecutive_failures":0,`)
}

func TestSeries(t *testing.T) {
	w := &world{series: []api.SeriesStatus{
		{Labels: alert.LabelsOf("strategy", "A"), Value: 82.34, At: tenOClock()},
		{Labels: alert.LabelsOf("strategy", "B"), Value: 1, At: tenOClock()},
	}}
	h := w.handler()
	wantBody(t, get(t, h, "/api/v1/series?metric=cache.hit_rate&limit=1"), 200,
		`{"series":[{"metric":"cache.hit_rate","labels":{"strategy":"A"},"value":82.34,"at":"2024-01-15T10:00:00.000Z"}],"total":2}`)
	wantBody(t, get(t, h, "/api/v1/series?metric=cache.hit_rate&match=strategy%3DC"), 200, `{"series":[],"total":0}`)
	wantError(t, get(t, h, "/api/v1/series?limit=0&match=x&metrics=y"), 400, "bad_request",
		"metric: missing", "from 1 to 10000", "no operator", `"metrics": unknown parameter; did you mean "metric"?`)
}

func TestKeys(t *testing.T) {
	w := overviewWorld()
	serve := func(keys map[string]api.KeyScanner) api.Options {
		o := w.options()
		o.Keys = keys
		return o
	}
	list := &keyList{}
	h := api.New(serve(map[string]api.KeyScanner{"cache": list})).Handler()
	const path = "/api/performance/cache/keys"
	wantBody(t, get(t, h, path+"?pattern=user:*&limit=2&cursor=9"), 200,
		`{"keys":["user:1","user:2"],"total":40,"filtered":2,"pattern":"user:*","cursor":"17","complete":false}`)
	if want := (source.KeyQuery{Pattern: "user:*", Limit: 2, Cursor: "9"}); list.asked != want {
		t.Errorf("asked %+v, want %+v", list.asked, want)
	}
	wantBody(t, get(t, h, path+"?details=1"), 200, `"pattern":"*"`, `"items":[{"key":"user:1","type":"string","ttl":900,"bytes":72},{"key":"user:2","type":null,"ttl":null,"bytes":null}]`)
	wantError(t, get(t, h, path+"?limit=5000&details=yes&x=1"), 400, "bad_request", "from 1 to 1000", `details: "yes"`, `"x": unknown`)
	wantError(t, get(t, h, path+"?source=queue"), 404, "not_found", "those that do are cache")

	two := api.New(serve(map[string]api.KeyScanner{"queue": list, "cache": list})).Handler()
	wantError(t, get(t, two, path), 400, "bad_request", "name one of cache, queue")
	wantBody(t, get(t, two, path+"?source=queue"), 200)

	wantError(t, get(t, w.handler(), path), 403, "keys_disabled", "keys: {enabled: true}")
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{source.ErrScanBusy, 429, "scan_busy"},
		{source.ErrKeysDisabled, 403, "keys_disabled"},
		{fmt.Errorf("%w: a bracket is open", source.ErrBadPattern), 400, "bad_request"},
		{source.ErrBadCursor, 400, "bad_request"},
		{errors.New("dial: refused"), 500, "internal"},
	} {
		h := api.New(serve(map[string]api.KeyScanner{"cache": &keyList{err: tt.err}})).Handler()
		res := get(t, h, path)
		wantError(t, res, tt.status, tt.code)
		if (tt.status == 429) != (res.Header().Get("Retry-After") != "") {
			t.Errorf("%v: Retry-After %q", tt.err, res.Header().Get("Retry-After"))
		}
	}
}
