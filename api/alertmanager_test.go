package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
)

func postJSON(t testing.TB, h http.Handler, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	return do(t, h, http.MethodPost, path, strings.NewReader(body), "Content-Type", "application/json")
}

// What Alertmanager 0.34.2 answers to the same requests.
func TestPostingAlertsIsAnsweredAsAlertmanagerDoes(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	for _, tt := range []struct {
		body   string
		status int
		answer string
	}{
		{`[]`, 200, ``},
		{`null`, 200, ``},
		{``, 422, `{"code":602,"message":"alerts in body is required"}`},
		{`{}`, 400, `{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal object into alerts, which is an array"}`},
		{`[1]`, 400, `{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal number *`},
		{`[{"labels":{"alertname":"Y"}},]`, 400, `{"code":400,"message":"parsing alerts body from \"\" failed, because invalid character ']' looking for beginning of value"}`},
		{`[{}]`, 422, `{"code":602,"message":"0.labels in body is required"}`},
		{`[{"labels":{"a":"b"}},{"labels":null}]`, 422, `{"code":602,"message":"1.labels in body is required"}`},
		{`[{"labels":{}}]`, 400, `"at least one label pair required"`},
		{`[{"labels":{"a":""}}]`, 400, `"at least one label pair required"`},
		{`[{"labels":{"a":null}}]`, 400, `"at least one label pair required"`},
		{`[{"labels":{"a":1}}]`, 400, `{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal number into labels, which is a string"}`},
		{`[{"labels":["a"]}]`, 400, `{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal array into labels, which is an object"}`},
		{`[{"labels":{"":"x"}}]`, 400, `"invalid label set: invalid name \"\""`},
		{`[{"labels":{"a":"x"},"annotations":{"":"x"}}]`, 400, `"invalid annotations: invalid name \"\""`},
		{`[{"labels":{"alertname":"One","a b":"x","é":"y"}}]`, 200, ``},
		{`[{"labels":{"a":"x"},"generatorURL":"not a url"}]`, 422, `{"code":601,"message":"0.generatorURL in body must be of type uri: \"not a url\""}`},
		{`[{"labels":{"a":"x"},"generatorURL":null,"startsAt":null,"endsAt":null,"annotations":null}]`, 200, ``},
		{`[{"labels":{"a":"x"},"startsAt":123}]`, 400, `{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal number *`},
		{`[{"labels":{"a":"x"},"startsAt":"garbage"}]`, 400, `{"code":400,"message":"parsing alerts body from \"\" failed, because parsing time \"garbage\" as \"2006-01-02\": cannot parse \"garbage\" as \"2006\""}`},
		{`[{"labels":{"a":"x"},"startsAt":"2030-11-23T10:00:00Z","endsAt":"2029-11-23T10:00:00Z"},{"labels":{"alertname":"Valid"}},{"labels":{"a":""}}]`, 400, `"start time must be before end time\nat least one label pair required"`},
		{`[{"labels":{"a":"x"},"startsAt":"2930-11-23T10:00:00Z"}]`, 400, `"start time must be before end time"`},
		{`[{"labels":{"alertname":"X"}}] trailing`, 200, ``},
	} {
		t.Run(tt.body, func(t *testing.T) { wantAnswer(t, postJSON(t, h, "/api/v2/alerts", tt.body), tt.status, tt.answer) })
	}
	if got := names(t, h, "/api/v2/alerts"); !slices.Contains(got, "Valid") {
		t.Errorf("the valid alert of a batch with others was not taken: %v", got)
	}
}

// wantAnswer compares a whole answer; a star at its end stands for the rest.
func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, answer string) {
	t.Helper()
	got := strings.TrimSuffix(w.Body.String(), "\n")
	prefix, open := strings.CutSuffix(answer, "*")
	if w.Code != status || got != answer && (!open || !strings.HasPrefix(got, prefix)) {
		t.Errorf("status %d %s\nwant   %d %s", w.Code, got, status, answer)
	}
	wanted := "application/json"
	if answer == "" {
		wanted = ""
	}
	if got := w.Header().Get("Content-Type"); got != wanted {
		t.Errorf("content type %q, want %q", got, wanted)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

// names lists the alerts' names in the order of an answer.
func names(t testing.TB, h http.Handler, path string) []string {
	t.Helper()
	w := get(t, h, path)
	var list []struct{ Labels map[string]string }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != 200 {
		t.Fatalf("%s: %d %v %s", path, w.Code, err, w.Body)
	}
	out := []string{}
	for _, a := range list {
		out = append(out, a.Labels["alertname"])
	}
	return out
}

func TestAnAlertWithoutAnEndEndsAfterTheResolveTimeout(t *testing.T) {
	o := newRouter().options()
	o.ResolveTimeout = time.Hour
	h := api.New(o).Handler()
	for ahead, answer := range map[time.Duration]string{59 * time.Minute: ``, 61 * time.Minute: `"start time must be before end time"`} {
		w := postJSON(t, h, "/api/v2/alerts", `[{"labels":{"a":"x"},"startsAt":"`+time.Now().Add(ahead).Format(time.RFC3339)+`"}]`)
		if got := strings.TrimSpace(w.Body.String()); got != answer {
			t.Errorf("it begins in %s: %s, want %s", ahead, got, answer)
		}
	}
}

func TestPostsAtTheSameTimeShareNothing(t *testing.T) {
	f := newRouter()
	h := api.New(f.options()).Handler()
	var clients sync.WaitGroup
	for client := range 4 {
		clients.Go(func() {
			for n := range 50 {
				body := fmt.Sprintf(`[{"labels":{"alertname":"\u0041-%d-%d"},"annotations":{"x":"line\n%d-%d"}}]`, client, n, client, n)
				if w := postJSON(t, h, "/api/v2/alerts", body); w.Code != 200 {
					t.Error(w.Code, w.Body)
				}
			}
		})
	}
	clients.Wait()
	if len(f.alerts) != 200 {
		t.Errorf("%d alerts", len(f.alerts))
	}
	for _, a := range f.alerts {
		if name := a.Labels.Get("alertname"); "line\n"+strings.TrimPrefix(name, "A-") != a.Annotations["x"] {
			t.Errorf("%s has %q", name, a.Annotations["x"])
		}
	}
}

func TestABodyMustSayThatItIsJSON(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	for contentType, answer := range map[string]string{
		"application/json; charset=utf-8": ``,
		"text/plain":                      `{"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"}`,
		"":                                `{"code":415,"message":"unsupported media type \"application/octet-stream\", only [application/json] are allowed"}`,
	} {
		w := do(t, h, http.MethodPost, "/api/v2/alerts", strings.NewReader(`[{"labels":{"a":"b"}}]`), "Content-Type", contentType)
		status := 415
		if answer == "" {
			status = 200
		}
		wantAnswer(t, w, status, answer)
	}
}

// The bytes are Alertmanager 0.34.2's, but for the times of the request.
func TestAlertsAreShownAsAlertmanagerShowsThem(t *testing.T) {
	f := newRouter()
	h := api.New(f.options()).Handler()
	wantAnswer(t, get(t, h, "/api/v2/alerts"), 200, `[]`)
	wantAnswer(t, postJSON(t, h, "/api/v2/alerts", `[
		{"labels":{"alertname":"crit","severity":"critical","instance":"i"}},
		{"labels":{"alertname":"warn","severity":"warning","instance":"i"}},
		{"labels":{"alertname":"Esc\u0041<>&\u2028\"\\"},"annotations":{"e":"","x":"1"},"generatorURL":"http://x/y?a=b&c=<d>","startsAt":"2026-11-23T10:00:00.123456789+02:00"}]`), 200, ``)
	const now = `"NOW"`
	want := `[{"annotations":{},"endsAt":` + now + `,"fingerprint":"409a68f88db4b0c9","receivers":[{"name":"ops"}],"startsAt":` + now + `,"status":{"inhibitedBy":["d2b14331daadc9aa"],"mutedBy":[],"silencedBy":[],"state":"suppressed"},"updatedAt":` + now + `,"labels":{"alertname":"warn","instance":"i","severity":"warning"}},` +
		`{"annotations":{},"endsAt":` + now + `,"fingerprint":"d2b14331daadc9aa","receivers":[{"name":"pager"}],"startsAt":` + now + `,"status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},"updatedAt":` + now + `,"labels":{"alertname":"crit","instance":"i","severity":"critical"}},` +
		`{"annotations":{"e":"","x":"1"},"endsAt":` + now + `,"fingerprint":"fd2e838d1ac62070","receivers":[{"name":"ops"}],"startsAt":"2026-11-23T08:00:00.123Z","status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},"updatedAt":` + now + `,"generatorURL":"http://x/y?a=b\u0026c=\u003cd\u003e","labels":{"alertname":"EscA\u003c\u003e\u0026\u2028\"\\"}}]`
	w := get(t, h, "/api/v2/alerts")
	year := time.Now().UTC().Format("2006-01-02")
	got := regexp.MustCompile(`"`+year+`T[0-9:.]{12}Z"`).ReplaceAllString(w.Body.String(), now)
	if got != want+"\n" && !strings.Contains(want, year) {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestFiltersOfAlerts(t *testing.T) {
	f := newRouter()
	h := api.New(f.options()).Handler()
	postJSON(t, h, "/api/v2/alerts", `[
		{"labels":{"alertname":"crit","severity":"critical","instance":"i"}},
		{"labels":{"alertname":"warn","severity":"warning","instance":"i"}},
		{"labels":{"alertname":"calm","a b":"x"}},
		{"labels":{"alertname":"quiet"}}]`)
	postJSON(t, h, "/api/v2/silences", `{"matchers":[{"name":"alertname","value":"quiet","isRegex":false}],"startsAt":"2026-01-01T00:00:00Z","endsAt":"2999-01-01T00:00:00Z","createdBy":"me","comment":""}`)
	for query, want := range map[string]string{
		"":                           "calm crit quiet warn",
		"filter=severity%3Dcritical": "crit",
		"filter=severity!%3D":        "crit warn",
		"filter=severity%3D&filter=alertname%3D~%22c.*%22": "calm",
		"filter=%22a%20b%22%3Dx":                           "calm",
		"filter=alertname%3D~%22c.*%7Cw.*%22":              "calm crit warn",
		"active=false":                                     "quiet warn",
		"active=maybe":                                     "quiet warn",
		"active=":                                          "calm crit quiet warn",
		"silenced=false":                                   "calm crit warn",
		"inhibited=0":                                      "calm crit quiet",
		"silenced=false&inhibited=false":                   "calm crit",
		"unprocessed=false":                                "calm crit quiet warn",
		"receiver=pag.*":                                   "crit",
		"receiver=pag":                                     "",
		"receiver=":                                        "calm crit quiet warn",
		"receiver_matchers=name%3Dpager":                   "crit",
		"receiver_matchers=name%3Dpager&receiver=ops":      "",
		"nosuch=1":                                         "calm crit quiet warn",
	} {
		got := names(t, h, "/api/v2/alerts?"+query)
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
	for query, answer := range map[string]string{
		"filter=foo":                `"bad matcher format: foo"`,
		"filter=%7Bfoo%3Dbar%7D":    `"unexpected open or close brace: {foo=bar}"`,
		"filter=a%3D%22x":           `"matcher value contains unescaped double quote: \"x"`,
		"filter=a%3D~(":             "\"error parsing regexp: missing closing ): `^(?:()$`\"",
		"receiver=(":                "\"failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`\"",
		"receiver_matchers=nothing": `"failed to parse receiver_matchers param: bad matcher format: nothing"`,
	} {
		wantAnswer(t, get(t, h, "/api/v2/alerts?"+query), 400, answer)
		wantAnswer(t, get(t, h, "/api/v2/alerts/groups?"+query), 400, answer)
	}
}

func TestGroupsAreShownAsAlertmanagerShowsThem(t *testing.T) {
	f := newRouter()
	h := api.New(f.options()).Handler()
	wantAnswer(t, get(t, h, "/api/v2/alerts/groups"), 200, `[]`)
	postJSON(t, h, "/api/v2/alerts", `[
		{"labels":{"alertname":"b","instance":"2"}}, {"labels":{"alertname":"b","instance":"1"}}, {"labels":{"alertname":"b"}},
		{"labels":{"alertname":"a","severity":"critical"}}, {"labels":{"alertname":"a"}}]`)
	f.mutes = map[string][]string{"pager": {"night"}}
	read := func(query string) (groups []struct {
		Labels, RouteLabels map[string]string
		Receiver            struct{ Name string }
		Alerts              []struct {
			Labels map[string]string
			Status struct {
				State   string
				MutedBy []string
			}
		}
	},
	) {
		if err := json.Unmarshal(get(t, h, "/api/v2/alerts/groups"+query).Body.Bytes(), &groups); err != nil {
			t.Fatal(err)
		}
		return groups
	}
	var got []string
	for _, g := range read("") {
		line := g.Receiver.Name + " " + g.Labels["alertname"] + ":"
		if g.RouteLabels == nil {
			t.Error("no routeLabels")
		}
		for _, a := range g.Alerts {
			line += " " + a.Labels["instance"] + a.Status.State + strings.Join(a.Status.MutedBy, "")
		}
		got = append(got, line)
	}
	want := []string{"ops a: active", "pager a: suppressednight", "ops b: 1active 2active active"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if n := len(read("?muted=false")); n != 2 {
		t.Errorf("%d groups are not muted", n)
	}
	if groups := read("?receiver=pager"); len(groups) != 1 || groups[0].Receiver.Name != "pager" {
		t.Errorf("of the pager: %+v", groups)
	}
}

func TestAnAlertOfOurOwnIsShownWithALinkAndTheEndAhead(t *testing.T) {
	f := newRouter()
	own := fired("cache-hit-rate", "cache", "cache.hit_rate", "%", alert.Warning, tenOClock(), "strategy", "USER")
	own.Message, own.Annotations = "Cache hit rate below 85%", map[string]string{"summary": "mine"}
	f.alerts[own.Fingerprint] = own
	h := api.New(f.options()).Handler()
	var list []struct {
		Annotations, Labels       map[string]string
		EndsAt, StartsAt          time.Time
		Fingerprint, GeneratorURL string
	}
	if err := json.Unmarshal(get(t, h, "/api/v2/alerts").Body.Bytes(), &list); err != nil || len(list) != 1 {
		t.Fatal(err, list)
	}
	got := list[0]
	if got.Annotations["summary"] != "mine" || got.Annotations["description"] != own.Message ||
		got.Labels["severity"] != "warning" || got.Fingerprint != own.Fingerprint.String() ||
		got.GeneratorURL != "http://tocsin.example.com/api/v1/alerts/"+own.ID || !got.StartsAt.Equal(own.StartsAt) {
		t.Errorf("%+v", got)
	}
	if ahead := time.Until(got.EndsAt); ahead < 4*time.Minute || ahead > 6*time.Minute {
		t.Errorf("it ends in %s", ahead)
	}
}

func TestReceiversAndStatus(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	wantAnswer(t, get(t, h, "/api/v2/receivers"), 200, `[{"labels":{"name":"ops"},"name":"ops"},{"labels":{"name":"pager"},"name":"pager"}]`)
	wantAnswer(t, get(t, h, "/api/v2/receivers?receiver_matchers=name%3Dops"), 200, `[{"labels":{"name":"ops"},"name":"ops"}]`)
	wantAnswer(t, get(t, h, "/api/v2/status"), 200, `{"cluster":{"peers":[],"status":"disabled"},"config":{"original":"# Tocsin stands in*`)
	wantBody(t, get(t, h, "/api/v2/status"), 200, `route:\n`, `receiver: ops\n`, `- name: pager\n`, `"revision":"1.2.3","version":"0.34.0"`, `"uptime":"20`)
}

func TestHEADIsNotOfAlertmanagersAPI(t *testing.T) {
	h := api.New(newRouter().options()).Handler()
	for _, path := range []string{"/api/v2/alerts", "/api/v2/status", "/api/v2/silences"} {
		if w := do(t, h, http.MethodHead, path, nil); w.Code != 405 || !strings.Contains(w.Header().Get("Allow"), "GET") {
			t.Errorf("HEAD %s: %d, Allow %s", path, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestWhatTheEngineRefusesIsNotTaken(t *testing.T) {
	f := newRouter()
	h := api.New(f.options()).Handler()
	f.postErr = errors.New("disk: secret")
	w := postJSON(t, h, "/api/v2/alerts", `[{"labels":{"a":"b"}}]`)
	wantError(t, w, 500, "internal")
	f.postErr = refusal("too many alerts")
	wantAnswer(t, postJSON(t, h, "/api/v2/alerts", `[{"labels":{"a":"b"}}]`), 400, `"too many alerts"`)
	o := f.options()
	o.Limits.MaxAlertsBytes = 10
	wantError(t, postJSON(t, api.New(o).Handler(), "/api/v2/alerts", `[{"labels":{"a":"b"}}]`), 413, "body_too_large")
	wantError(t, postJSON(t, (&world{}).handler(), "/api/v2/alerts", `[]`), 404, "not_found")
	wantAnswer(t, get(t, (&world{}).handler(), "/api/v2/alerts"), 200, `[]`)
}
