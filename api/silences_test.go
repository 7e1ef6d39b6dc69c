package api_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/internal/secret"
)

// answered is what a request of JSON was answered with.
func answered(t *testing.T, w *httptest.ResponseRecorder, status int) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	return doc
}

// atMidnight plays where the clock stands still, at the beginning of 2000.
func atMidnight(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestLifeOfASilence(t *testing.T) {
	atMidnight(t, func(t *testing.T) {
		h := newHands(fires("cache-hit-rate", alert.Critical, "category", "cache"), fires("query-time", alert.Warning))
		handler := api.New(h.options()).Handler()
		ask := func(method, path, body string) *httptest.ResponseRecorder {
			return do(t, handler, method, path, strings.NewReader(body))
		}
		made := answered(t, ask("POST", "/api/v1/silences", `{"matchers":["category=cache"],"duration":"2h","created_by":"ada","comment":"filling it"}`), 201)
		id, _ := made["id"].(string)
		if made["state"] != "active" || made["starts_at"] != "2000-01-01T00:00:00.000Z" || made["ends_at"] != "2000-01-01T02:00:00.000Z" ||
			made["created_by"] != "ada" || made["catches"] != 1.0 || len(made["warnings"].([]any)) != 0 {
			t.Errorf("made %v", made)
		}
		wantBody(t, ask("GET", "/api/v1/silences", ""), 200, id, `"matchers":["category=\"cache\""]`)
		wantBody(t, ask("GET", "/api/v1/alerts", ""), 200, `"status":{"silenced_by":["`+id+`"],"inhibited_by":[],"muted_by":[]},"receivers":["pager"],"ack":null`)
		wantBody(t, ask("POST", "/api/v1/silences/"+id+"/extend", `{"duration":"1h"}`), 200, `"ends_at":"2000-01-01T03:00:00.000Z"`, `"id":"`+id)
		wantBody(t, ask("POST", "/api/v1/silences/"+id+"/extend", `{"ends_at":"2000-01-01T06:00:00+02:00"}`), 200, `"ends_at":"2000-01-01T04:00:00.000Z"`)
		changed := ask("PUT", "/api/v1/silences/"+id, `{"matchers":["category=cache"],"duration":"30m","comment":"nearly done"}`)
		wantBody(t, changed, 200, `"id":"`+id, `"comment":"nearly done"`, `"created_by":"ada"`, `"ends_at":"2000-01-01T00:30:00.000Z"`)
		other := ask("PUT", "/api/v1/silences/"+id, `{"matchers":["category=database"],"duration":"30m","comment":"another"}`)
		wantBody(t, other, 201, `"catches":0`)
		if got := other.Header().Get("Location"); got == "" || strings.HasSuffix(got, id) {
			t.Errorf("Location %q", got)
		}
		next := strings.TrimPrefix(other.Header().Get("Location"), "/api/v1/silences/")
		wantBody(t, ask("GET", "/api/v1/silences?state=expired", ""), 200, `"id":"`+id)
		wantBody(t, ask("DELETE", "/api/v1/silences/"+next+"?by=bob", ""), 200, `"state":"expired"`)
		if h.by != "bob" {
			t.Errorf("ended by %q", h.by)
		}
		wantBody(t, ask("GET", "/api/v1/silences", ""), 200, `{"silences":[]}`)
		wantError(t, ask("POST", "/api/v1/silences/"+next+"/extend", `{"duration":"1h"}`), 409, "silence_expired", "ended at 2000-01-01T00:00:00Z")
	})
}

func TestSilencesThatCannotBeMeantAreRefused(t *testing.T) {
	atMidnight(t, func(t *testing.T) {
		h := api.New(newHands().options()).Handler()
		for _, tt := range []struct{ name, body, want string }{
			{"nothing", ``, `matchers: missing; name labels, as in ["alertname=cache-hit-rate"]; comment: missing; say why; ends_at or duration: missing`},
			{"everything", `{"matchers":["team=~\".*\""],"duration":"1h","comment":"x"}`, `{team=~".*"} hold for every alert there is`},
			{"no label has that", `{"matchers":["team=\"\""],"duration":"1h","comment":"x"}`, `hold for every alert there is`},
			{"the past", `{"matchers":["a=b"],"ends_at":"1999-12-31T23:00:00Z","comment":"x"}`, "ends_at: 1999-12-31T23:00:00Z is in the past"},
			{"backwards", `{"matchers":["a=b"],"starts_at":"2000-01-02T00:00:00Z","ends_at":"2000-01-01T10:00:00Z","comment":"x"}`, "ends_at: is not after starts_at"},
			{"two ends", `{"matchers":["a=b"],"ends_at":"2000-01-02T00:00:00Z","duration":"1h","comment":"x"}`, "ends_at and duration: give one of them"},
			{"no duration", `{"matchers":["a=b"],"duration":"soon","comment":"x"}`, `duration: "soon" is not a duration`},
			{"a negative one", `{"matchers":["a=b"],"duration":"-1h","comment":"x"}`, `is not a duration`},
			{"no comment", `{"matchers":["a=b"],"duration":"1h","comment":" "}`, "comment: missing; say why"},
			{"a bad matcher", `{"matchers":["a=b","team"],"duration":"1h","comment":"x"}`, `matchers[1]: matcher "team": no operator`},
			{"a misspelt field", `{"matchers":["a=b"],"duraton":"1h","comment":"x"}`, `"duraton": unknown field; did you mean "duration"?`},
			{"not a list", `{"matchers":"a=b","duration":"1h","comment":"x"}`, "matchers: want a list of strings"},
			{"not JSON", `{"matchers"`, "the body is not a JSON object"},
			{"what its keeper refuses", `{"matchers":["a=b"],"duration":"1h","comment":"refuse"}`, "the comment says so"},
		} {
			t.Log(tt.name)
			wantError(t, do(t, h, "POST", "/api/v1/silences", strings.NewReader(tt.body)), 400, "bad_request", tt.want)
		}
	})
}

func TestALongSilenceIsWarnedOf(t *testing.T) {
	h := api.New(newHands().options()).Handler()
	made := do(t, h, "POST", "/api/v1/silences", strings.NewReader(`{"matchers":["a=b"],"duration":"400d","comment":"x"}`))
	wantBody(t, made, 201, `"warnings":["it lasts 400d, more than a year`, `"created_by":"anonymous"`)
}

func TestSilencesAreFound(t *testing.T) {
	h := newHands()
	now := time.Now()
	put := func(id string, from, to time.Duration, matchers ...string) {
		s := alert.Silence{ID: id, StartsAt: now.Add(from), EndsAt: now.Add(to)}
		for _, text := range matchers {
			m, err := alert.ParseMatcher(text)
			if err != nil {
				t.Fatal(err)
			}
			s.Matchers = append(s.Matchers, m)
		}
		h.silences[id] = s
	}
	put("over", -2*time.Hour, -time.Hour, "team=web")
	put("now", -time.Hour, time.Hour, "team=web", "category=cache")
	put("soon", time.Hour, 2*time.Hour, "team=api")
	handler := api.New(h.options()).Handler()
	for query, want := range map[string]string{
		"":                                 "now soon",
		"?state=active":                    "now",
		"?state=pending,expired":           "over soon",
		"?match=team%3Dweb":                "now",
		"?match=team%3D~a.*&state=pending": "soon",
		"?match=team%3Dweb&match=category%3Ddatabase": "",
		"?match=strategy%3Dx":                         "",
	} {
		var doc struct {
			Silences []struct{ ID string }
		}
		if err := json.Unmarshal(get(t, handler, "/api/v1/silences"+query).Body.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, s := range doc.Silences {
			ids = append(ids, s.ID)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	wantBody(t, get(t, handler, "/api/v1/silences/over"), 200, `"state":"expired"`)
	wantError(t, get(t, handler, "/api/v1/silences/none"), 404, "not_found", `there is no silence "none"; GET /api/v1/silences lists them`)
	wantError(t, get(t, handler, "/api/v1/silences?status=active"), 400, "bad_request", `did you mean "state"?`)
	for _, request := range []string{"PUT /api/v1/silences/none", "DELETE /api/v1/silences/none", "POST /api/v1/silences/none/extend"} {
		method, path, _ := strings.Cut(request, " ")
		wantError(t, do(t, handler, method, path, strings.NewReader("{}")), 404, "not_found", `there is no silence "none"`)
	}
}

func TestAPreviewShowsWhatASilenceWouldCatch(t *testing.T) {
	h := newHands(fires("cache-hit-rate", alert.Warning, "category", "cache"), fires("redis-down", alert.Critical, "category", "cache"), posted(alert.Critical, "category", "cache"), fires("query-time", alert.Critical))
	handler := api.New(h.options()).Handler()
	doc := answered(t, do(t, handler, "POST", "/api/v1/silences/preview", strings.NewReader(`{"matchers":["category=cache"]}`)), 200)
	caught, _ := doc["alerts"].([]any)
	if doc["count"] != 3.0 || len(caught) != 3 {
		t.Fatalf("caught %v", doc)
	}
	last, _ := caught[2].(map[string]any)
	if labels, _ := last["labels"].(map[string]any); last["rule"] != "cache-hit-rate" || labels["severity"] != "warning" || last["receivers"].([]any)[0] != "ops" {
		t.Errorf("the mildest is %v", last)
	}
	wantBody(t, do(t, handler, "POST", "/api/v1/silences/preview", strings.NewReader(`{"matchers":["category=none"]}`)), 200, `{"count":0,"alerts":[]}`)
	wantError(t, do(t, handler, "POST", "/api/v1/silences/preview", strings.NewReader(`{"matchers":["category=~.*"]}`)), 400, "bad_request", "hold for every alert")
	if len(h.silences) != 0 {
		t.Error("a preview has made a silence")
	}
}

func TestWhoSilencesIsTheToken(t *testing.T) {
	h := newHands(fires("a", alert.Critical))
	o := h.options()
	o.Tokens = []api.Token{
		{Name: "looker", Token: secret.New("read-0123456789abcdef"), Scope: api.Read},
		{Name: "ops", Token: secret.New("operate-0123456789abcdef"), Scope: api.Operate},
	}
	handler := api.New(o).Handler()
	as := func(token, method, path, body string) *httptest.ResponseRecorder {
		return do(t, handler, method, path, strings.NewReader(body), "Authorization", "Bearer "+token)
	}
	const reader, operator = "read-0123456789abcdef", "operate-0123456789abcdef"
	silence := `{"matchers":["alertname=a"],"duration":"1h","comment":"x"}`
	wantError(t, as(reader, "POST", "/api/v1/silences", silence), 403, "forbidden", "operate")
	wantError(t, as(reader, "POST", "/api/v1/acks", `{}`), 403, "forbidden")
	wantError(t, as(reader, "POST", "/api/v1/heartbeats/backup", ``), 403, "forbidden")
	wantBody(t, as(reader, "POST", "/api/v1/silences/preview", `{"matchers":["alertname=a"]}`), 200, `"count":1`)
	wantBody(t, as(operator, "POST", "/api/v1/silences", silence), 201, `"created_by":"ops"`)
	id := fires("a", alert.Critical).ID
	wantBody(t, as(operator, "POST", "/api/v1/alerts/"+id+"/ack", ``), 200, `"by":"ops"`)
	wantBody(t, as(operator, "POST", "/api/v1/alerts/"+id+"/ack", `{"by":"ada"}`), 200, `"by":"ada (ops)"`)
}

func TestWithoutAKeeperThereAreNoSilences(t *testing.T) {
	h := api.New((&world{}).options()).Handler()
	for _, request := range []string{
		"POST /api/v1/silences", "POST /api/v1/silences/preview", "GET /api/v1/silences/a", "DELETE /api/v1/silences/a",
		"POST /api/v1/alerts/a/ack", "DELETE /api/v1/alerts/a/ack", "POST /api/v1/acks",
	} {
		method, path, _ := strings.Cut(request, " ")
		wantError(t, do(t, h, method, path, strings.NewReader(`{"matchers":["a=b"]}`)), 404, "not_found", "this daemon keeps no silences")
	}
}
