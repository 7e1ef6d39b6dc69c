//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// crashSize is how large the test is. The suite's is small; the whole is
//
//	TOCSIN_CRASH_KILLS=300 TOCSIN_CRASH_ALERTS=5000 go test ./cmd/tocsin -run TestHundredsOfKills -v
//
// and TOCSIN_CRASH_SEED plays the kills of another run again.
func crashSize(t *testing.T) (kills, alerts int, seed uint64) {
	t.Helper()
	read := func(name string, otherwise uint64) uint64 {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	return int(read("TOCSIN_CRASH_KILLS", 40)), int(read("TOCSIN_CRASH_ALERTS", 2000)), read("TOCSIN_CRASH_SEED", rand.Uint64()) //nolint:gosec // small numbers
}

const crashConfig = `
rules: [rules.yaml]
sources:
  - {name: web, type: prometheus, url: "${PAGE_URL}", interval: 100ms, timeout: 100ms}
receivers:
  - {name: well, type: webhook, url: "${WELL_URL}", timeout: 10s, body: ` + sinkBody + `}
  - {name: half, type: webhook, url: "${HALF_URL}", timeout: 10s, body: ` + sinkBody + `}
  - {name: hangs, type: webhook, url: "${HANGS_URL}", timeout: 1s, body: ` + sinkBody + `}
  - {name: slow, type: webhook, url: "${SLOW_URL}", timeout: 10s, body: ` + sinkBody + `}
external: {resolve_timeout: 1s}
route:
  receivers: [well, half, hangs, slow]
  group_by: [batch]
  group_wait: 100ms
  group_interval: 200ms
  routes: [{match: ['quiet = "yes"'], group_by: [n]}]
`

// crash is a daemon that is killed all the time, and the world around it.
type crash struct {
	t       *testing.T
	world   *world
	page    *page
	sinks   []*sink // the first of which is well
	outside *outside
	random  *rand.Rand
	daemon  *daemon // the one that runs
	// held are the fingerprints of alerts that fire all the time.
	held []string
}

func TestHundredsOfKillsLoseNothing(t *testing.T) {
	t.Parallel()
	kills, alerts, seed := crashSize(t)
	t.Logf("TOCSIN_CRASH_SEED=%d", seed)
	c := newCrash(t, seed)
	c.begin()
	c.kill()
	began := time.Now()
	stop := make(chan struct{})
	var world, queues sync.WaitGroup
	world.Go(func() { c.outside.send(alerts) })
	world.Go(func() { c.outside.operate(c.held, rand.New(rand.NewPCG(seed, 2)), stop) }) //nolint:gosec // a test's
	queues.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				c.page.upsAndDowns(5, 50*time.Millisecond)
			}
		}
	})
	for i := range kills {
		c.outside.due.Store(int64(alerts * (i + 1) / kills))
		c.liveFor(time.Duration(c.random.Int64N(int64(700 * time.Millisecond))))
		if i%2 == 0 {
			c.awaitAnswer()
		}
		c.kill()
	}
	close(stop)
	took := time.Since(began)
	queues.Wait() // or it fills one that was emptied
	c.calm()
	world.Wait()
	c.wantOrders()
	c.release()
	c.settle()
	c.judge(kills, took)
}

func newCrash(t *testing.T, seed uint64) *crash {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))                                                                                        //nolint:gosec // a test's
	c := &crash{t: t, world: newWorld(t), page: newPage(t), random: random, outside: newOutside(t, rand.New(rand.NewPCG(seed, 3)))} //nolint:gosec // a test's
	for _, s := range []struct {
		name    string
		behaves behaviour
	}{
		{"well", nil},
		{"half", func(int) (int, time.Duration) {
			if rand.N(2) == 0 {
				return http.StatusServiceUnavailable, 0
			}
			return http.StatusOK, 0
		}},
		{"hangs", func(int) (int, time.Duration) { return http.StatusOK, patience }},
		{"slow", func(int) (int, time.Duration) {
			return http.StatusOK, 50*time.Millisecond + rand.N(100*time.Millisecond)
		}},
	} {
		in := newSink(t, s.name, s.behaves)
		c.sinks = append(c.sinks, in)
		c.world.env[strings.ToUpper(s.name)+"_URL"] = in.URL
	}
	c.world.env["PAGE_URL"] = c.page.URL
	c.world.write("tocsin.yaml", crashConfig)
	c.world.write("rules.yaml", queueRule)
	return c
}

// begin has alerts fire that go on until the end, and some that nobody may be
// told of: a silence holds them back.
func (c *crash) begin() {
	c.t.Helper()
	c.start()
	status, text := c.outside.ask("POST", "/api/v2/silences", fmt.Sprintf(
		`{"matchers":[{"name":"quiet","value":"yes","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"ada","comment":"nobody"}`,
		time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)))
	if status != http.StatusOK {
		c.t.Fatal(text)
	}
	c.postHeld(time.Now().Add(time.Hour))
	var firing []struct {
		Fingerprint string
		Labels      map[string]string
	}
	c.daemon.get("/api/v2/alerts?filter=held%3D%22yes%22", &firing)
	for _, a := range firing {
		c.held = append(c.held, a.Fingerprint)
	}
	if len(c.held) != heldAlerts {
		c.t.Fatalf("%d fire", len(c.held))
	}
}

const heldAlerts = 20

// postHeld posts the alerts that last, and those that are held back.
func (c *crash) postHeld(until time.Time) {
	c.t.Helper()
	var texts []string
	for i := range heldAlerts {
		for _, label := range []string{"held", "quiet"} {
			texts = append(texts, fmt.Sprintf(`{"labels":{"alertname":"outside","n":"%s-%d",%q:"yes"},"endsAt":%q}`, label, i, label, until.UTC().Format(time.RFC3339Nano)))
		}
	}
	if status, text := c.outside.ask("POST", "/api/v2/alerts", "["+strings.Join(texts, ",")+"]"); status != http.StatusOK {
		c.t.Fatal(text)
	}
}

// start starts a daemon and waits until it is ready.
func (c *crash) start() {
	c.t.Helper()
	c.daemon = c.world.start()
	c.outside.base.Store(&c.daemon.base)
}

// liveFor starts a daemon and lets it live for a while, which may end before it
// has come up.
func (c *crash) liveFor(life time.Duration) {
	c.t.Helper()
	c.daemon = c.world.launch("serve", "--config", "tocsin.yaml", "--listen", "127.0.0.1:0")
	listening := regexp.MustCompile(`(?m)^ +listening +(http://[0-9.:]+)`)
	for end := time.Now().Add(life); time.Now().Before(end); time.Sleep(5 * time.Millisecond) { // the world's own pace
		if c.daemon.gone() {
			c.t.Fatalf("the daemon ended with code %d:\n%s", c.daemon.wait(), c.daemon.out.String())
		}
		if m := listening.FindStringSubmatch(c.daemon.out.String()); m != nil && c.outside.base.Load() == nil {
			c.outside.base.Store(&m[1])
		}
	}
}

// awaitAnswer waits until the daemon has acknowledged something, if it does so
// soon: that is the moment at which it must be on the disk.
func (c *crash) awaitAnswer() {
	select {
	case <-c.outside.took: // an older one
	default:
	}
	select {
	case <-c.outside.took:
	case <-time.After(100 * time.Millisecond):
	}
}

// kill ends the daemon, and waits until nothing of it is on its way: what it
// has sent came before anything that the next one sends.
func (c *crash) kill() {
	c.t.Helper()
	c.daemon.kill()
	c.outside.base.Store(nil)
	for _, in := range c.sinks {
		await(c.t, "the end of what was on its way to "+in.name, in.quiet)
	}
}

// calm lets every receiver work again, and starts the last daemon.
func (c *crash) calm() {
	c.t.Helper()
	for _, in := range c.sinks {
		in.set(nil)
	}
	for i := range 5 {
		c.page.set(fmt.Sprint("q", i), 0)
	}
	c.start()
}

// wantOrders looks that every silence and every acknowledgement is there as it
// was answered.
func (c *crash) wantOrders() {
	c.t.Helper()
	var list []struct {
		ID     string
		Status struct{ State string }
	}
	c.daemon.get("/api/v2/silences", &list)
	states := map[string]string{}
	for _, s := range list {
		states[s.ID] = s.Status.State
	}
	for id, want := range c.outside.silences {
		if got := states[id]; got != want && (want != "" || got == "") {
			c.t.Errorf("silence %s was answered as %q and is %q", id, want, got)
		}
	}
	for _, fingerprint := range c.held {
		var doc struct{ Ack *struct{ Comment string } }
		// Right after the start the tables are behind, and readers wait for them.
		await(c.t, "alert "+fingerprint, func() bool {
			code, text, err := c.daemon.do("GET", "/api/v1/alerts/"+fingerprint, "")
			return err == nil && code == http.StatusOK && json.Unmarshal(text, &doc) == nil
		})
		got := ""
		if doc.Ack != nil {
			got = doc.Ack.Comment
		}
		if want := c.outside.acks[fingerprint]; got != want && !slices.Contains(c.outside.unsure[fingerprint], got) {
			c.t.Errorf("alert %s was taken up by %q, and has %q", fingerprint, want, got)
		}
	}
	c.t.Logf("%d silences and %d acknowledgements were answered and are there", len(c.outside.silences), len(c.outside.acks))
}

// release ends the alerts that lasted, and what holds the others back stays.
func (c *crash) release() {
	c.t.Helper()
	c.postHeld(time.Now())
}

// settle waits until every alert has ended and every receiver has taken what it
// is to be told.
func (c *crash) settle() {
	c.t.Helper()
	await(c.t, "every alert to end", func() bool {
		status, text := c.outside.ask("GET", "/api/v2/alerts", "")
		return status == http.StatusOK && strings.TrimSpace(text) == "[]" && len(c.daemon.firing("")) == 0
	})
	for _, in := range c.sinks {
		// A receiver that failed for long is asked with growing pauses: its
		// operator says that it is well.
		if code, text := c.daemon.post("/api/v1/receivers/"+in.name+"/enable", ""); code != http.StatusOK {
			c.t.Fatalf("status %d: %s", code, text)
		}
	}
	told, _ := c.happened()
	for _, in := range c.sinks {
		await(c.t, "every end to be told to "+in.name, func() bool { return len(listen(in).untold(told)) == 0 })
		await(c.t, "the outbox to be empty", func() bool {
			return c.daemon.metric(fmt.Sprintf(`tocsin_notifications_pending{receiver=%q}`, in.name)) == "0"
		})
	}
}

// happened reads the history: the ids of what is to be told, and by the label n
// how often each of the alerts of outside fired.
func (c *crash) happened() (ids []string, fired map[string]int) {
	c.t.Helper()
	fired = map[string]int{}
	for cursor := ""; ; {
		var page struct {
			Alerts []struct {
				ID, State string
				Labels    map[string]string
			}
			NextCursor *string `json:"next_cursor"`
		}
		c.daemon.get("/api/performance/alerts/history?state=firing,resolved&limit=1000"+cursor, &page)
		for _, row := range page.Alerts {
			fired[row.Labels["n"]]++
			if row.Labels["quiet"] == "" {
				ids = append(ids, row.ID)
			}
		}
		if page.NextCursor == nil {
			return ids, fired
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

func (c *crash) judge(kills int, took time.Duration) {
	c.t.Helper()
	ids, fired := c.happened()
	answered, again := 0, 0
	for _, p := range c.outside.alerts {
		n := fired[strconv.Itoa(p.n)]
		again += max(0, n-1)
		if !p.taken {
			continue
		}
		if answered++; n == 0 {
			c.t.Errorf("alert %d was answered 200, and is nowhere", p.n)
		}
	}
	total := 0
	for _, in := range c.sinks {
		listen(in).wantOnce(ids)
		total += len(in.arrivals())
	}
	well := c.sinks[0]
	c.t.Logf("%d kills in %s over %d alerts, %d of them answered 200; %d occurrences, %d of them a second one; %d requests to %d receivers",
		kills, took.Round(time.Second), len(c.outside.alerts), answered, len(ids), again, total, len(c.sinks))
	for _, in := range c.sinks {
		c.t.Logf("%s: %d requests, %d of %d notifications taken twice", in.name, len(in.arrivals()), in.repeats(), len(in.bodies))
	}
	if well.repeats() > kills {
		c.t.Errorf("%s took %d notifications twice over %d kills", well.name, well.repeats(), kills)
	}
	if slices.ContainsFunc(c.sinks, func(in *sink) bool { return len(in.arrivals()) == 0 }) {
		c.t.Error("a receiver was told nothing")
	}
	c.daemon.stop()
}
