package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	keptSilence = `{"id":"s1","state":"active","matchers":["category=\"cache\""],"starts_at":"2024-01-15T10:00:00.000Z","ends_at":"2124-01-15T12:00:00.000Z","updated_at":"2024-01-15T10:00:00.000Z","created_by":"ada","comment":"filling it","catches":1,"warnings":["it lasts long"]}`
	oneAlert    = `{"id":"a1","rule":"cache-hit-rate","severity":"critical","labels":{"alertname":"cache-hit-rate","category":"cache","strategy":"USER_RUNS"},"receivers":["ops","pager"],"silenced_by":["s0"],"ack":{"by":"ada","comment":"","until":null}}`
	listed      = `{"id":"a1","rule":"cache-hit-rate","severity":"critical","labels":{"alertname":"cache-hit-rate","strategy":"USER_RUNS"},"state":"firing","starts_at":"2024-01-15T10:00:00.000Z","status":{"silenced_by":["s0"],"inhibited_by":[],"muted_by":["nights"]},"ack":{"by":"ada","comment":"","until":null}}`
)

func TestWhatPeopleDoToAlerts(t *testing.T) {
	refused := `{"error":{"code":"bad_request","message":"matchers: {a=~\".*\"} hold for every alert there is"}}`
	for _, tt := range []struct {
		name    string
		args    []string
		request string // and its body
		status  int
		answer  string
		code    int
		want    []string
	}{
		{
			"a silence",
			[]string{"silence", "add", "category=cache", "--for", "2h", "--comment", "filling it", "--author", "ada"},
			`POST /api/v1/silences {"comment":"filling it","created_by":"ada","duration":"2h","matchers":["category=cache"]}`, 201, keptSilence, 0,
			[]string{"silenced until 2124-01-15 12:00Z (", `): {category="cache"}`, "\n  id       s1\n", "\n  catches  1 of the alerts that fire now\n", "\n  warning  it lasts long\n"},
		},
		{
			"a silence to come",
			[]string{"silence", "add", "a=b", "--start", "2124-01-15T10:00:00Z", "--until", "2124-01-15T12:00:00Z", "--comment", "x", "--author", "ada"},
			`POST /api/v1/silences {"comment":"x","created_by":"ada","ends_at":"2124-01-15T12:00:00Z","matchers":["a=b"],"starts_at":"2124-01-15T10:00:00Z"}`, 201,
			strings.Replace(keptSilence, "2024-01-15T10:00:00.000Z", "2124-01-15T10:00:00.000Z", 1), 0,
			[]string{"silenced from 2124-01-15 10:00Z until 2124-01-15 12:00Z (2h): "},
		},
		{"for programs", []string{"silence", "add", "a=b", "--comment", "x", "--author", "ada", "-o", "json"}, `POST /api/v1/silences {"comment":"x","created_by":"ada","duration":"1h","matchers":["a=b"]}`, 201, keptSilence, 0, []string{`"catches":1`}},
		{"one that is refused", []string{"silence", "add", "a=~.*", "--comment", "x", "--author", "ada"}, `POST /api/v1/silences {"comment":"x","created_by":"ada","duration":"1h","matchers":["a=~.*"]}`, 400, refused, 1, []string{"hold for every alert"}},
		{"no comment", []string{"silence", "add", "a=b"}, "", 0, "", 2, []string{`say why, as in --comment "filling the cache"`}},
		{"no labels", []string{"silence", "add", "--comment", "x"}, "", 0, "", 2, []string{"name labels, as in tocsin silence add category=cache"}},
		{"a slip in a label", []string{"silence", "add", "category", "--comment", "x"}, "", 0, "", 2, []string{"write for example category=cache"}},
		{"no duration", []string{"silence", "add", "a=b", "--comment", "x", "--for", "soon"}, "", 0, "", 2, []string{`--for "soon" is not a duration such as 30m`}},
		{"two ends", []string{"silence", "add", "a=b", "--comment", "x", "--for", "1h", "--until", "2124-01-15T12:00:00Z"}, "", 0, "", 2, []string{"give --for or --until, not both"}},
		{"a bad end", []string{"silence", "add", "a=b", "--comment", "x", "--until", "tomorrow"}, "", 0, "", 2, []string{`--until "tomorrow" is not a time`}},
		{"a bad beginning", []string{"silence", "add", "a=b", "--comment", "x", "--start", "now"}, "", 0, "", 2, []string{`--start "now" is not a time`}},
		{"a list", []string{"silence", "list", "team=web"}, "GET /api/v1/silences?match=team%3Dweb", 200, `{"silences":[` + keptSilence + `]}`, 0, []string{"STATE   ENDS", "active  2124-01-15 12:00Z (in ", `{category="cache"}  ada  filling it  s1`}},
		{"with those that ended", []string{"silence", "list", "--expired"}, "GET /api/v1/silences?state=pending%2Cactive%2Cexpired", 200, `{"silences":[]}`, 0, []string{"no silences"}},
		{"until a time in UTC", []string{"silence", "add", "a=b", "--until", "2124-01-15 12:00", "--comment", "x", "--author", "ada"}, `POST /api/v1/silences {"comment":"x","created_by":"ada","ends_at":"2124-01-15T12:00:00Z","matchers":["a=b"]}`, 201, keptSilence, 0, []string{"silenced until 2124-01-15 12:00Z"}},
		{"a rule in the place of an id", []string{"ack", "cache-hit-rate", "--author", "ada"}, `POST /api/v1/acks {"alerts":["cache-hit-rate"],"by":"ada","comment":""}`, 404, `{"error":{"code":"not_found","message":"there is no alert \"cache-hit-rate\"; GET /api/v1/alerts lists them"}}`, 1, []string{"tocsin alerts lists those that fire; by its name it is alertname=cache-hit-rate"}},
		{"what fires", []string{"alerts", "category=cache"}, "GET /api/v1/alerts?match=category%3Dcache", 200, `{"alerts":[` + listed + `]}`, 0, []string{"STATE   SEVERITY  ALERT", "firing  critical  cache-hit-rate  {strategy=\"USER_RUNS\"}", "silenced, muted in nights, acknowledged by ada  a1"}},
		{"nothing fires", []string{"alerts"}, "GET /api/v1/alerts", 200, `{"alerts":[]}`, 0, []string{"no alerts"}},
		{"a preview", []string{"silence", "preview", "category=cache"}, `POST /api/v1/silences/preview {"matchers":["category=cache"]}`, 200, `{"count":3,"alerts":[` + oneAlert + `]}`, 0, []string{"3 alerts fire that this would hold back\n\n", `  critical  cache-hit-rate  {strategy="USER_RUNS"}  to ops, pager  (silenced already)`, "and 2 more"}},
		{"a preview of nothing", []string{"silence", "preview", "a=b"}, `POST /api/v1/silences/preview {"matchers":["a=b"]}`, 200, `{"count":0,"alerts":[]}`, 0, []string{"no alert fires"}},
		{"longer", []string{"silence", "extend", "s1", "--for", "30m"}, `POST /api/v1/silences/s1/extend {"duration":"30m"}`, 200, keptSilence, 0, []string{"silenced until 2124-01-15 12:00Z"}},
		{"longer than it lived", []string{"silence", "extend", "s1"}, `POST /api/v1/silences/s1/extend {"duration":"1h"}`, 409, `{"error":{"code":"silence_expired","message":"the silence ended at 9"}}`, 1, []string{"the silence ended at 9"}},
		{"an end", []string{"silence", "expire", "s1", "--author", "bob"}, "DELETE /api/v1/silences/s1?by=bob", 200, keptSilence, 0, []string{`silence s1 has ended: {category="cache"}`}},
		{"no such silence", []string{"silence", "expire", "s/9", "--author", "bob"}, "DELETE /api/v1/silences/s%2F9?by=bob", 404, `{"error":{"code":"not_found","message":"there is no silence \"s/9\""}}`, 1, []string{"there is no silence"}},
		{"a misspelt command", []string{"silence", "expired", "s1"}, "", 0, "", 2, []string{`did you mean "expire"?`}},
		{"what there is", []string{"silence"}, "", 0, "", 0, []string{"preview"}},
		{"taken up", []string{"ack", "a1", "--comment", "on it", "--author", "ada"}, `POST /api/v1/acks {"alerts":["a1"],"by":"ada","comment":"on it"}`, 200, `{"count":1,"alerts":[` + oneAlert + `]}`, 0, []string{`acknowledged  critical  cache-hit-rate  {strategy="USER_RUNS"}`}},
		{"taken up by labels", []string{"ack", "category=cache", "team!=web", "--author", "ada"}, `POST /api/v1/acks {"by":"ada","comment":"","matchers":["category=cache","team!=web"]}`, 200, `{"count":0,"alerts":[]}`, 1, []string{"no alert fires that has these labels"}},
		{"by both", []string{"ack", "a1", "category=cache"}, "", 0, "", 2, []string{"not by both"}},
		{"by nothing", []string{"ack"}, "", 0, "", 2, []string{"name alerts by their id"}},
		{"very many", []string{"ack", "category=cache", "--author", "ada"}, `POST /api/v1/acks {"by":"ada","comment":"","matchers":["category=cache"]}`, 200, `{"count":10500,"more":true,"alerts":[` + oneAlert + `]}`, 0, []string{"acknowledged  critical  cache-hit-rate", "and 10499 more\n"}},
		{"over", []string{"ack", "a1", "--author", "ada"}, `POST /api/v1/acks {"alerts":["a1"],"by":"ada","comment":""}`, 409, `{"error":{"code":"alert_not_firing","message":"the alert does not fire: it is resolved"}}`, 1, []string{"it is resolved"}},
		{"snoozed", []string{"snooze", "a1", "--for", "2h", "--author", "ada"}, `POST /api/v1/acks {"alerts":["a1"],"by":"ada","comment":"","duration":"2h"}`, 200, `{"count":1,"alerts":[` + strings.Replace(oneAlert, `"until":null`, `"until":"2124-01-15T12:00:00.000Z"`, 1) + `]}`, 0, []string{"snoozed until 2124-01-15 12:00Z  critical  cache-hit-rate"}},
		{"an hour", []string{"snooze", "a1", "--author", "ada"}, `POST /api/v1/acks {"alerts":["a1"],"by":"ada","comment":"","duration":"1h"}`, 403, `{"error":{"code":"forbidden","message":"this needs a token of scope operate"}}`, 2, []string{"scope operate"}},
		{"taken back", []string{"unack", "a1", "--author", "ada"}, "DELETE /api/v1/alerts/a1/ack?by=ada", 200, oneAlert, 0, []string{"taken back  critical  cache-hit-rate"}},
		{"over meanwhile", []string{"unack", "a1", "--author", "ada"}, "DELETE /api/v1/alerts/a1/ack?by=ada", 204, "", 0, []string{""}},
		{"explained to programs", []string{"explain-alert", "a1", "-o", "json"}, "GET /api/v1/alerts/a1/explain", 200, `{"x":1}`, 0, []string{`{"x":1}`}},
		{"labels in the place of an id", []string{"explain-alert", "alertname=X"}, "", 0, "", 2, []string{"tocsin explain-alert takes ids, not labels; tocsin alerts 'alertname=X' lists them"}},
		{"labels to take back", []string{"unack", "a1", "team=web"}, "", 0, "", 2, []string{"tocsin unack takes ids, not labels; tocsin alerts 'team=web' lists them"}},
		{"a number", []string{"deliveries", "--limit", "many"}, "", 0, "", 2, []string{`--limit "many" is not a whole number`}},
		{"yes or no", []string{"silence", "list", "--expired=maybe"}, "", 0, "", 2, []string{`--expired "maybe" is not true or false`}},
		{"no such alert", []string{"explain-alert", "a1"}, "GET /api/v1/alerts/a1/explain", 404, `{"error":{"code":"not_found","message":"no such alert"}}`, 1, []string{"no such alert"}},
		{"no id", []string{"explain-alert"}, "", 0, "", 2, []string{"name an alert by its id"}},
		{"a format that is none", []string{"explain-alert", "a1", "-o", "yaml"}, "", 0, "", 2, []string{`--output "yaml" is not one of text, json`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				asked = strings.TrimSuffix(strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)), "?")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.answer))
			}))
			defer server.Close()
			args := tt.args
			if tt.request != "" {
				args = append(args, "--url", server.URL)
			}
			code, out := runs(t, args...)
			for _, want := range tt.want {
				if code != tt.code || !strings.Contains(out, want) {
					t.Errorf("exit %d, want %d with %q:\n%s", code, tt.code, want, out)
				}
			}
			if asked != tt.request {
				t.Errorf("asked for %s\nwant      %s", asked, tt.request)
			}
		})
	}
}

// The examples of the help that ask a daemon lack nothing but a daemon.
func TestTheHelpsExamplesCanBeTyped(t *testing.T) {
	_, help := runs(t, "--help")
	ran := 0
	for line := range strings.Lines(help) {
		example, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		words := strings.Fields(example)
		if len(words) < 2 || words[0] != "tocsin" || !slices.Contains([]string{"alerts", "explain", "explain-alert", "silence"}, words[1]) {
			continue
		}
		ran++
		if _, out := runs(t, append(words[1:], "--url", "http://127.0.0.1:1")...); !strings.Contains(out, "no daemon answers") {
			t.Errorf("%s: %s", example, out)
		}
	}
	if ran != 4 {
		t.Errorf("%d examples were found", ran)
	}
}

// TestExplainAlertText compares with testdata/explainalert/*.txt, made of the
// .json beside them; UPDATE=1 rewrites them.
func TestExplainAlertText(t *testing.T) {
	inputs, err := filepath.Glob("testdata/explainalert/*.json")
	if err != nil || len(inputs) < 3 {
		t.Fatalf("%v, %v", inputs, err)
	}
	for _, input := range inputs {
		t.Run(filepath.Base(input), func(t *testing.T) {
			data, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			var doc alertExplained
			if err := json.Unmarshal(data, &doc); err != nil {
				t.Fatal(err)
			}
			got, path := doc.text(false), strings.TrimSuffix(input, ".json")+".txt"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
			coloured := doc.text(true)
			if plain := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(coloured, ""); plain != got || coloured == got {
				t.Error("colours change what is said, or there are none")
			}
		})
	}
}
