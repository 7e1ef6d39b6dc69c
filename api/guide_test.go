package api_test

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/source"
)

func readGuide(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../testdata/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// example returns the guide's example of a path, compacted: its keys keep
// their order and its numbers their digits.
func example(t *testing.T, path string) string {
	t.Helper()
	_, after, ok := strings.Cut(readGuide(t), "```http\nGET "+path+"\n```")
	_, after, ok2 := strings.Cut(after, "```json\n")
	body, _, ok3 := strings.Cut(after, "```")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("the guide has no example of %s", path)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDocumentsEqualTheGuidesExamples(t *testing.T) {
	alerts := detailWorld()
	alerts.alerts = guideAlerts()
	for _, tt := range []struct {
		path  string
		world *world
	}{
		{"/api/performance", overviewWorld()},
		{"/api/performance?action=cache", detailWorld()},
		{"/api/performance?action=database", detailWorld()},
		{"/api/performance/alerts", alerts},
		{"/api/health", detailWorld()},
	} {
		t.Run(tt.path, func(t *testing.T) {
			want := example(t, tt.path)
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(tenOClock()))
				w := get(t, tt.world.handler(), tt.path)
				got := strings.TrimSpace(w.Body.String())
				if tt.path == "/api/performance" {
					// The guide's commands ask .database.performance of the
					// overview, whose example lacks it.
					got = regexp.MustCompile(`,"performance":\{[^}]*\}`).ReplaceAllString(got, "")
				}
				if w.Code != 200 || got != want {
					t.Errorf("status %d\n got %s\nwant %s", w.Code, got, want)
				}
			})
		})
	}
}

// commands returns the guide's curl lines, without watch.
func commands(t *testing.T) []string {
	t.Helper()
	var all []string
	watch := regexp.MustCompile(`^watch -n \d+ '(.*)'$`)
	for line := range strings.Lines(readGuide(t)) {
		line = strings.TrimSpace(line)
		if m := watch.FindStringSubmatch(line); m != nil {
			line = m[1]
		}
		if strings.HasPrefix(line, "curl ") {
			all = append(all, line)
		}
	}
	return all
}

func TestEveryCommandOfTheGuideWorks(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("SERVICE MISSING: %s", tool)
			}
			t.Skipf("SERVICE MISSING: %s", tool)
		}
	}
	w := detailWorld()
	memory := fired("memory-usage", "memory", "app.memory_usage", "%", alert.Critical, tenOClock())
	w.alerts = append(guideAlerts(), memory)
	o := w.options()
	o.Keys = map[string]api.KeyScanner{"cache": &keyList{}}
	server := httptest.NewServer(api.New(o).Handler())
	defer server.Close()

	warning := `{"type":"warning","category":"cache","message":"Cache hit rate below 85% for USER_RUNS strategy","metric":"hit_rate","value":82.3,"threshold":85,"timestamp":"2024-01-15T09:45:00.000Z"}`
	critical := `{"type":"critical","category":"memory","message":"memory-usage fires","metric":"memory_usage","value":1,"threshold":2,"timestamp":"2024-01-15T10:00:00.000Z"}`
	memoryDoc := `{"used":"45.2 MB","total":"512 MB","percentage":8.8}`
	performance := part(t, "/api/performance?action=database", "database", "performance")
	stats := part(t, "/api/performance?action=cache", "cache", "stats")
	overviewStats := `{"hits":2847,"misses":356,"total":3203,"hitRate":88.9,"errors":0}`
	want := []string{ // in the guide's order
		memoryDoc + performance + overviewStats,
		stats,
		performance,
		critical + warning,
		`["user:1","user:2"]`,
		part(t, "/api/performance?action=cache", "cache", "cacheStrategies"),
		`"2.1M"`,
		part(t, "/api/performance?action=database", "database", "recentSlowQueries"),
		part(t, "/api/performance?action=database", "database", "pool"),
		memoryDoc,
		critical,
	}
	lines := commands(t)
	if len(lines) != len(want) {
		t.Fatalf("the guide has %d curl lines, this test knows %d:\n%s", len(lines), len(want), strings.Join(lines, "\n"))
	}
	for i, line := range lines {
		t.Run(line, func(t *testing.T) {
			line := strings.ReplaceAll(line, "http://localhost:3000", server.URL)
			out, err := exec.CommandContext(t.Context(), "bash", "-c", "set -o pipefail; "+line).Output()
			if err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
			if got := values(t, out); !reflect.DeepEqual(got, values(t, []byte(want[i]))) {
				t.Errorf("%s\n got %s\nwant %s", line, out, want[i])
			}
		})
	}
}

// part returns a member of the guide's example.
func part(t *testing.T, path string, names ...string) string {
	t.Helper()
	text := json.RawMessage(example(t, path))
	for _, name := range names {
		var o map[string]json.RawMessage
		if err := json.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		text = o[name]
	}
	return string(text)
}

// values decodes a stream of JSON values.
func values(t *testing.T, stream []byte) []any {
	t.Helper()
	var all []any
	for dec := json.NewDecoder(bytes.NewReader(stream)); dec.More(); {
		var v any
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%v in %s", err, stream)
		}
		all = append(all, v)
	}
	return all
}

func TestWhatIsNotKnownIsNullAndNeverZero(t *testing.T) {
	h := (&world{}).handler()
	const nothing = `"averageQueryTime":null,"slowestQuery":null,"totalQueries":null,"queriesPerSecond":null`
	wantBody(t, get(t, h, "/api/performance"), 200,
		`"status":"healthy"`, `"uptime":null`, `"memory":{"used":null,"total":null,"percentage":null}`,
		`"database":{"healthy":null,"connectionPool":{"active":null,"idle":null,"total":null},"averageQueryTime":null,"performance":{`+nothing+`}}`,
		`"cache":{"enabled":false,"healthy":null,"stats":{"hits":null,"misses":null,"total":null,"hitRate":null,"errors":null}}`)
	wantBody(t, get(t, h, "/api/performance?action=cache"), 200, `"connectionStatus":"unknown"`,
		`"operations":{"get":null,"set":null,"delete":null,"invalidate":null}}}}`)
	wantBody(t, get(t, h, "/api/performance?action=database"), 200, `"connectionStatus":"unknown"`,
		`"pool":{"active":null,"idle":null,"total":null,"waiting":null}`, nothing, `"tableStats":{},"recentSlowQueries":[]`)
	wantBody(t, get(t, h, "/api/performance/alerts"), 200, `{"alerts":[],"summary":{"critical":0,"warning":0,"info":0,"total":0}}`)
	wantBody(t, get(t, h, "/api/health"), 200, `"services":{"database":"unknown","cache":"unknown","mcp":"unknown"}`)
}

func TestFallbacksAreMarked(t *testing.T) {
	w := &world{sources: []source.Status{
		up("cache", "redis", source.Facts{Cache: guideRedis()}),
		up("database", "postgres", source.Facts{Database: &source.Database{
			Status: "connected", Pool: &source.Pool{Active: -1, Idle: -1, Total: 9, From: "pg_stat_activity"},
			Query:  source.QueryStats{SlowestMs: ptr(412.0), SlowestLifetime: true, Total: ptr(uint64(77)), PerSecond: ptr(1.5), Transactions: true},
			Tables: []source.Table{{Name: "locked", Rows: ptr(int64(4))}},
		}}),
	}}
	h := w.handler()
	wantBody(t, get(t, h, "/api/performance?action=cache"), 200,
		`"stats":{"hits":3000,"misses":370,"total":3370,"hitRate":89,"errors":2,"source":"keyspace","operations":{"get":3370,"set":500,"delete":90,"invalidate":null}}`)
	wantBody(t, get(t, h, "/api/performance?action=database"), 200,
		`"pool":{"active":null,"idle":null,"total":9,"waiting":null}`,
		`"slowestQuery":"412ms","slowestQuerySource":"lifetime","totalQueries":77,"queriesPerSecond":1.5,"source":"transactions"`,
		`"locked":{"rows":4,"size":null,"indexHitRate":null}`)
	if body := get(t, h, "/api/performance?action=cache").Body.String(); strings.Contains(body, "cacheStrategies") {
		t.Errorf("strategies that no one told of:\n%s", body)
	}
}

func TestAValueNoteworthyForItsSmallnessIsNotRoundedAway(t *testing.T) {
	a := fired("errors", "api", "app.error_rate", "%", alert.Warning, tenOClock())
	a.Value, a.Threshold = 0.1234, 0.1
	b := fired("gone", "api", "custom", "", alert.Warning, tenOClock())
	b.Value, b.Threshold = alert.Unknown(), 0
	wantBody(t, get(t, (&world{alerts: []alert.Alert{a, b}}).handler(), "/api/performance/alerts"), 200,
		`"metric":"error_rate","value":0.12,"threshold":0.1`, `"metric":"custom","value":null,"threshold":0`)
}
