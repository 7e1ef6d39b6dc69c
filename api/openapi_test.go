package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/source"
)

func loadOpenAPI(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, router
}

func TestTheOpenAPIDocumentHasEveryRouteAndNoOther(t *testing.T) {
	doc, _ := loadOpenAPI(t)
	var documented, routed []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	router, ok := detailWorld().handler().(*mux.Router)
	if !ok {
		t.Fatal("the handler is not a mux.Router any more")
	}
	if err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		for _, method := range methods {
			if method != http.MethodHead { // answered for every GET
				routed = append(routed, method+" "+strings.ReplaceAll(path, ":.+", ""))
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(documented)
	slices.Sort(routed)
	if got, want := strings.Join(documented, "\n"), strings.Join(routed, "\n"); got != want {
		t.Errorf("documented:\n%s\n\nrouted:\n%s", got, want)
	}
}

// fullWorld has something of everything that an answer can show.
func fullWorld() api.Options {
	w := detailWorld()
	broken := source.Status{Name: "queue", Type: "redis", Health: source.Unhealthy, Error: "refused", LastPoll: tenOClock(), Problems: []source.Problem{{Query: "INFO", Err: http.ErrServerClosed}}}
	w.sources = append(w.sources, broken, source.Status{Name: "new", Type: "json", Health: source.Unknown})
	w.alerts = guideAlerts()
	w.alerts[0].Annotations = map[string]string{"runbook_url": "https://example.com"}
	w.past, w.next = guideAlerts(), "next"
	w.past[1].State = alert.Inactive
	w.events = []alert.Event{{Seq: 1, At: tenOClock(), Kind: alert.EventSeverity, Severity: alert.Critical, From: alert.Warning, Value: alert.Unknown(), Receiver: "ops"}}
	w.rules = []api.RuleStatus{{ID: "a", Conditions: map[alert.Severity]api.RuleCondition{alert.Info: {Expr: "value > 1"}}}}
	w.receivers = []api.ReceiverStatus{{Name: "ops", Type: "slack"}, {Name: "b", Type: "webhook", LastError: "429", LastErrorAt: tenOClock()}}
	o := w.options()
	o.Keys = map[string]api.KeyScanner{"cache": &keyList{}}
	o.Ingester, o.Reloader = accept{}, accept{}
	l := newLedger()
	o.Deliveries, o.Sender = l, l
	o.RuleFiles, o.LastReload = newEditor(), func() api.ReloadStatus {
		return api.ReloadStatus{At: tenOClock(), Mistakes: []api.Mistake{{File: "rules.yaml", Line: 1, Column: 2, Message: "wrong"}}}
	}
	reg := prometheus.NewRegistry()
	o.Registerer, o.Gatherer = reg, reg
	return o
}

func TestEveryAnswerIsWhatTheOpenAPIDocumentSays(t *testing.T) {
	_, router := loadOpenAPI(t)
	full := fullWorld()
	full.Explainer = newJudging(t)
	full.Plugins = func() []api.PluginStatus {
		return []api.PluginStatus{
			{Name: "pager", Path: "/opt/pager", Version: "1.2", Described: "pager", Kinds: []string{"notifier", "source"}, State: "running", Since: time.Now(), PID: 7, SHA256: "ab", Restarts: 1, LastError: "x", LastErrorAt: time.Now()},
			{Name: "broken", Path: "/opt/broken", State: "failing", Since: time.Now(), FailingSince: time.Now(), LastError: "there is no file /opt/broken"},
		}
	}
	empty := (&world{}).options()
	fallback := (&world{sources: []source.Status{
		up("cache", "redis", source.Facts{Cache: guideRedis()}),
		up("db", "postgres", source.Facts{Database: &source.Database{Status: "exhausted", Query: source.QueryStats{SlowestMs: ptr(1.0), SlowestLifetime: true, Total: ptr(uint64(1)), Transactions: true}, Tables: []source.Table{{Name: "t"}}}}),
	}}).options()
	id := guideAlerts()[0].ID
	paths := []string{
		"GET /", "GET /api/performance", "GET /api/performance?action=cache", "GET /api/performance?action=database",
		"GET /api/performance?action=nothing", "GET /api/performance/alerts", "GET /api/performance/alerts/history",
		"GET /api/performance/alerts/history?limit=5&state=firing,resolved&severity=critical&since=1h",
		"GET /api/performance/cache/keys?pattern=user:*", "GET /api/performance/cache/keys?details=1", "GET /api/health",
		"GET /api/v1/alerts", "GET /api/v1/alerts?match=a%3Db", "GET /api/v1/alerts/" + id, "GET /api/v1/alerts/none",
		"GET /api/v1/rules", "GET /api/v1/explain?rule=a", "GET /api/v1/explain?rule=b&match=strategy%3DA", "GET /api/v1/explain?rule=a&match=strategy%3DC", "GET /api/v1/explain", "GET /api/v1/sources", "GET /api/v1/series?metric=x&match=a%3Db&limit=5", "GET /api/v1/series", "GET /api/v1/receivers", "GET /api/v1/plugins",
		"GET /api/v1/deliveries", "GET /api/v1/deliveries?state=dead&limit=2&since=1h", "GET /api/v1/deliveries?limit=0", "GET /api/v1/deliveries/msg_sent", "GET /api/v1/deliveries/none",
		"POST /api/v1/deliveries/msg_sent/redeliver", "POST /api/v1/deliveries/msg_pending/redeliver", "POST /api/v1/deliveries/none/redeliver",
		"POST /api/v1/receivers/ops/test", "POST /api/v1/receivers/none/test", "POST /api/v1/receivers/ops/enable", "POST /api/v1/receivers/none/enable", "POST /api/v1/ingest", "GET /api/v1/rulefiles",
		"GET /api/v1/rules/a.yaml", "GET /api/v1/rules/none.yaml", "PUT /api/v1/rules/a.yaml", "POST /api/v1/rules/check",
		"POST /api/v1/rules/check?file=none.yaml", "GET /api/openapi.yaml",
		"GET /metrics", "GET /-/healthy", "GET /-/ready", "POST /-/reload",
	}
	for name, o := range map[string]api.Options{"full": full, "empty": empty, "fallback": fallback} {
		h := api.New(o).Handler()
		for _, path := range paths {
			t.Run(name+" "+path, func(t *testing.T) { conforms(t, router, h, path) })
		}
	}
}

func TestAlertmanagersAnswersAreWhatTheOpenAPIDocumentSays(t *testing.T) {
	_, router := loadOpenAPI(t)
	f := newRouter()
	h := api.New(f.options()).Handler()
	known := "/api/v2/silence/" + create(t, h, silenceBody(`"x"`, `"silent"`))
	own := guideAlerts()[0]
	f.alerts[own.Fingerprint] = own
	for _, tt := range [...]struct{ request, body string }{
		{"POST /api/v2/alerts", `[{"labels":{"a":"silent"}},{"labels":{"a":"b"},"annotations":{"x":"y"},"generatorURL":"http://x"}]`},
		{"POST /api/v2/alerts", `{}`},
		{"POST /api/v2/alerts", `[{"labels":{"a":1}}]`},
		{"GET /api/v2/alerts", ""},
		{"GET /api/v2/alerts?filter=a&active=false", ""},
		{"GET /api/v2/alerts?active=false&receiver=ops", ""},
		{"GET /api/v2/alerts/groups?muted=false", ""},
		{"GET /api/v2/receivers", ""},
		{"GET /api/v2/status", ""},
		{"POST /api/v2/silences", silenceBody()},
		{"POST /api/v2/silences", silenceBody(`{"m`, `{"id":"6f2b5a1e-0000-4000-8000-000000000000","m`)},
		{"GET /api/v2/silences?expired=false", ""},
		{"GET " + known, ""},
		{"GET " + known + "0", ""},
		{"DELETE " + known, ""},
		{"DELETE /api/v2/silence/6f2b5a1e-0000-4000-8000-000000000000", ""},
	} {
		t.Run(tt.request, func(t *testing.T) { _, _ = answers(t, router, h, tt.request, tt.body) })
	}
}

func TestOperatorsAnswersAreWhatTheOpenAPIDocumentSays(t *testing.T) {
	_, router := loadOpenAPI(t)
	f, a, o := explainedHands()
	outside := posted(alert.Warning, "x", "y")
	f.alerts[outside.Fingerprint] = outside
	h := api.New(o).Handler()
	const silence = `{"matchers":["alertname=cache-hit-rate"],"duration":"2h","comment":"x"}`
	made := answered(t, do(t, h, "POST", "/api/v1/silences", strings.NewReader(silence)), 201)
	id, _ := made["id"].(string)
	for _, tt := range [...]struct{ request, body string }{
		{"GET /api/v1/alerts", ""},
		{"GET /api/v1/alerts/" + a.ID, ""},
		{"GET /api/v1/alerts/" + outside.ID, ""},
		{"GET /api/v1/alerts/" + a.ID + "/explain", ""},
		{"GET /api/v1/alerts/none/explain", ""},
		{"POST /api/v1/alerts/" + a.ID + "/ack", `{"comment":"x"}`},
		{"GET /api/v1/alerts", ""},
		{"POST /api/v1/alerts/" + a.ID + "/ack", `{"wrong":"x"}`},
		{"POST /api/v1/alerts/none/ack", ""},
		{"POST /api/v1/alerts/" + a.ID + "/snooze", `{"duration":"1h"}`},
		{"DELETE /api/v1/alerts/" + a.ID + "/ack?by=ada", ""},
		{"POST /api/v1/acks", `{"matchers":["x=y"]}`},
		{"POST /api/v1/acks", `{}`},
		{"GET /api/v1/silences", ""},
		{"GET /api/v1/silences?state=active&match=a%3Db", ""},
		{"GET /api/v1/silences/" + id, ""},
		{"GET /api/v1/silences/none", ""},
		{"POST /api/v1/silences", silence},
		{"POST /api/v1/silences", `{}`},
		{"POST /api/v1/silences/preview", `{"matchers":["x=y"]}`},
		{"PUT /api/v1/silences/" + id, silence},
		{"PUT /api/v1/silences/" + id, strings.Replace(silence, "hit", "miss", 1)},
		{"POST /api/v1/silences/" + id + "/extend", `{"duration":"1h"}`},
		{"DELETE /api/v1/silences/" + id, ""},
		{"GET /api/v1/heartbeats", ""},
		{"POST /api/v1/heartbeats/backup", ""},
		{"POST /api/v1/heartbeats/none", ""},
	} {
		t.Run(tt.request, func(t *testing.T) { _, _ = answers(t, router, h, tt.request, tt.body) })
	}
}

// conforms asks and holds question and answer against the document.
func conforms(t *testing.T, router routers.Router, h http.Handler, request string) {
	t.Helper()
	if status, refused := answers(t, router, h, request, "{}"); (refused != nil) != (status == 400) {
		t.Errorf("the document says of the request: %v; the answer is %d", refused, status)
	}
}

// answers asks and holds the answer against the document, which may refuse the
// question.
func answers(t *testing.T, router routers.Router, h http.Handler, request, body string) (status int, refused error) {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	res := do(t, h, method, path, strings.NewReader(body), "Content-Type", "application/json")
	r, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	route, vars, err := router.FindRoute(r)
	if err != nil {
		t.Fatal(err)
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: vars, Route: route,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	refused = openapi3filter.ValidateRequest(t.Context(), input)
	answer := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: res.Code, Header: res.Header(), Options: input.Options}
	answer.SetBodyBytes(res.Body.Bytes())
	if err := openapi3filter.ValidateResponse(t.Context(), answer); err != nil {
		t.Errorf("status %d: %v\n%s", res.Code, err, res.Body)
	}
	return res.Code, refused
}
