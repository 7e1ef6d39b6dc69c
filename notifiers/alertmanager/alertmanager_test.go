package alertmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/notifiertest"
)

func config(urls ...string) Config {
	c := Default()
	for _, u := range urls {
		c.URLs = append(c.URLs, secret.NewURL(u))
	}
	return c
}

func newNotifier(t testing.TB, cfg Config) *Notifier {
	t.Helper()
	n, err := New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConformance(t *testing.T) {
	at := notifiertest.Sample(alert.Firing, 1).At
	says := func(body []byte, state alert.State) bool {
		var all []posted
		if json.Unmarshal(body, &all) != nil || len(all) != 3 {
			return false
		}
		for _, p := range all {
			if p.EndsAt.After(at) != (state == alert.Firing) {
				return false
			}
		}
		return true
	}
	notifiertest.Run(t, func(t testing.TB, url string) notifiers.Notifier { return newNotifier(t, config(url)) }, notifiertest.Says(says))
}

// deliver sends n and returns what was posted.
func deliver(t *testing.T, n alert.Notification, change func(*Config)) ([]posted, notifiers.Receipt) {
	t.Helper()
	r := notifiertest.NewReceiver(t)
	r.Answer = func(_ http.ResponseWriter, req *http.Request) {
		if req.URL.RequestURI() != "/am/api/v2/alerts?proxy=key" {
			t.Errorf("posted to %s", req.URL)
		}
	}
	cfg := config(r.URL + "/am/?proxy=key")
	if change != nil {
		change(&cfg)
	}
	receipt, err := newNotifier(t, cfg).Notify(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Messages()) == 0 {
		return nil, receipt
	}
	var got []posted
	if err := json.Unmarshal(r.Messages()[0].Body, &got); err != nil {
		t.Fatal(err)
	}
	return got, receipt
}

func TestAlertsReadAsTheGoldenFilesShow(t *testing.T) {
	for name, n := range notifiertest.Kinds() {
		got, _ := deliver(t, n, func(c *Config) { c.Labels = map[string]string{"origin": "tocsin", "team": "not this"} })
		notifiertest.GoldenJSON(t, name+".json", got)
	}
}

func TestEnds(t *testing.T) {
	firing, resolved := notifiertest.Sample(alert.Firing, 1), notifiertest.Sample(alert.Resolved, 1)
	reopened := notifiertest.Sample(alert.Firing, 1)
	reopened.Alerts[0].EndsAt = reopened.At.Add(-time.Hour) // what it remembers is no end
	backwards := notifiertest.Sample(alert.Resolved, 1)
	backwards.Alerts[0].EndsAt = backwards.Alerts[0].StartsAt.Add(-time.Hour)
	at := firing.At
	for _, row := range []struct {
		name string
		n    alert.Notification
		want time.Time
	}{
		{"it fires", firing, at.Add(7 * 24 * time.Hour)},
		{"it fires again", reopened, at.Add(7 * 24 * time.Hour)},
		{"it is over", resolved, resolved.Alerts[0].EndsAt},
		{"an end before the start", backwards, backwards.Alerts[0].StartsAt},
		{"a test ends by itself", notifiers.Test("am", "", "id", at), at.Add(testLife)},
		{"a canary is over at once", notifiers.Canary("am", "", "id", at), at},
	} {
		got, _ := deliver(t, row.n, nil)
		if len(got) != 1 || !got[0].EndsAt.Equal(row.want) {
			t.Errorf("%s: %+v, want %s", row.name, got, row.want)
		}
	}
	got, _ := deliver(t, firing, func(c *Config) { c.ExpiresAfter = time.Hour })
	if !got[0].EndsAt.Equal(at.Add(time.Hour)) {
		t.Errorf("%s", got[0].EndsAt)
	}
}

// Severity is a label there, and with it a part of the identity.
func TestASeverityThatWasLeftEndsThere(t *testing.T) {
	n := notifiertest.Sample(alert.Firing, 1)
	moved := n.At.Add(-time.Minute)
	a := &n.Alerts[0]
	a.Severity, a.Worst, a.SeverityAt = alert.Warning, alert.Critical, moved
	for _, state := range []alert.State{alert.Firing, alert.Resolved} {
		a.State, a.EndsAt = state, n.At
		got, _ := deliver(t, n, nil)
		ends := map[string]time.Time{}
		for _, p := range got {
			ends[p.Labels["severity"]] = p.EndsAt
		}
		want := map[string]time.Time{"warning": n.At, "critical": moved, "info": moved}
		if state == alert.Firing {
			want["warning"] = n.At.Add(7 * 24 * time.Hour)
		}
		if fmt.Sprint(ends) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", state, ends, want)
		}
	}
}

func TestWhatIsNotHandedOn(t *testing.T) {
	warning := notifiertest.Kinds()["warning"]
	if got, receipt := deliver(t, warning, nil); got != nil || receipt.Note != "nothing was sent: Alertmanager knows no warnings" {
		t.Errorf("%v, %+v", got, receipt)
	}
	n := notifiertest.Sample(alert.Firing, 2)
	n.Truncated = 3
	n.Alerts[0].Annotations = map[string]string{pathAnnotation: "https://other.example.com " + n.ExternalURL}
	n.Alerts[1].Annotations = map[string]string{pathAnnotation: "https://other.example.com"}
	got, receipt := deliver(t, n, nil)
	if len(got) != 1 || got[0].Annotations[pathAnnotation] != "https://other.example.com "+n.ExternalURL {
		t.Errorf("%+v", got)
	}
	if want := "1 alert came from here and did not go back; 3 alerts of the group did not fit into the notification; group_by: ['...'] hands on all"; receipt.Note != want {
		t.Errorf("%q", receipt.Note)
	}
	// Those on loopback have one name: they may be two, and stop by their number.
	n = notifiertest.Sample(alert.Firing, 1)
	n.ExternalURL = "http://127.0.0.1:9590"
	for hops, want := range map[int]int{1: 1, maxHops - 1: 1, maxHops: 0} {
		n.Alerts[0].Annotations = map[string]string{pathAnnotation: strings.Repeat(n.ExternalURL+" ", hops)}
		if got, _ := deliver(t, n, nil); len(got) != want {
			t.Errorf("after %d hops %d go on", hops, len(got))
		}
	}
}

func TestItDoesNotPostToItself(t *testing.T) {
	r := notifiertest.NewReceiver(t)
	n := notifiertest.Sample(alert.Firing, 1)
	n.ExternalURL = r.URL + "/prefix"
	_, err := newNotifier(t, config(r.URL)).Notify(t.Context(), n)
	if !notifiers.IsPermanent(err) || !strings.Contains(err.Error(), "Tocsin's own") || len(r.Messages()) != 0 {
		t.Errorf("%v", err)
	}
}

func TestNamesAndValuesAreWhatEveryVersionTakes(t *testing.T) {
	n := notifiertest.Hostile()
	n.Alerts[0].Labels = n.Alerts[0].Labels.Merge(alert.LabelsOf("a-b.c", "1", "9x", "2", "empty", ""))
	got, _ := deliver(t, n, nil)
	l := got[0].Labels
	if l["a_b_c"] != "1" || l["_9x"] != "2" || l["broken"] != "a\ufffdb" {
		t.Errorf("%.300v", l)
	}
	if _, ok := l["empty"]; ok {
		t.Error("an empty label is sent")
	}
}

func answering(t *testing.T, status int, header ...string) *notifiertest.Receiver {
	t.Helper()
	r := notifiertest.NewReceiver(t)
	r.Answer = func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "said "+fmt.Sprint(status))
	}
	return r
}

func TestOneThatTakesThemIsEnough(t *testing.T) {
	for _, row := range []struct {
		name      string
		statuses  []int
		told      bool
		permanent bool
		status    int
	}{
		{"all", []int{200, 200}, true, false, 200},
		{"one of three", []int{500, 200, 400}, true, false, 200},
		{"none, one may later", []int{400, 503}, false, false, 503},
		{"none, ever", []int{400, 422}, false, true, 400},
	} {
		t.Run(row.name, func(t *testing.T) {
			var urls []string
			for _, status := range row.statuses {
				urls = append(urls, answering(t, status).URL)
			}
			receipt, err := newNotifier(t, config(urls...)).Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
			if (err == nil) != row.told || notifiers.IsPermanent(err) != row.permanent || receipt.Status != row.status {
				t.Errorf("%+v, %v", receipt, err)
			}
			for _, status := range row.statuses {
				if row.told && status != 200 && !strings.Contains(receipt.Note, fmt.Sprintf("answered %d", status)) {
					t.Errorf("%q", receipt.Note)
				}
			}
		})
	}
	_, err := newNotifier(t, config(answering(t, 500).URL, answering(t, 429, "Retry-After", "7").URL)).Notify(t.Context(), notifiertest.Sample(alert.Firing, 1))
	if wait, ok := notifiers.WaitOf(err); !ok || wait != 7*time.Second {
		t.Errorf("%v", err)
	}
}

func TestOneThatHangsHoldsUpNobody(t *testing.T) {
	hung := notifiertest.NewReceiver(t)
	hung.Answer = func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	receipt, err := newNotifier(t, config(hung.URL, answering(t, 200).URL)).Notify(ctx, notifiertest.Sample(alert.Firing, 1))
	if err != nil || receipt.Status != 200 || !strings.HasPrefix(receipt.Note, "not taken by all: ") || time.Since(began) > 20*time.Second {
		t.Errorf("%+v, %v after %s", receipt, err, time.Since(began))
	}
}

func TestValidateNamesEveryMistake(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"valid", func(*Config) {}, ""},
		{"none", func(c *Config) { c.URLs = nil }, "urls: missing"},
		{"no URL", func(c *Config) { c.URLs[0] = secret.NewURL("am:9093") }, "urls[0]: "},
		{"with its path", func(c *Config) { c.URLs[0] = secret.NewURL("http://am:9093/api/v2/alerts") }, "urls[0]: the path /api/v2/alerts is added"},
		{"twice", func(c *Config) { c.URLs = append(c.URLs, secret.NewURL("http://am:9093/")) }, "urls[1]: stands there twice"},
		{"metadata", func(c *Config) { c.URLs[0] = secret.NewURL("http://169.254.169.254/") }, "urls[0]: 169.254.169.254 is the address"},
		{"label", func(c *Config) { c.Labels = map[string]string{"a-b": "c"} }, `labels.a-b: "a-b" is not a label's name; write a_b`},
		{"short", func(c *Config) { c.ExpiresAfter = time.Minute }, "expires_after: must be 5m0s or more"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cfg := config("http://am:9093")
			row.change(&cfg)
			_, err := New(cfg, nil)
			if text := fmt.Sprint(err); (err == nil) != (row.want == "") || !strings.Contains(text, row.want) {
				t.Errorf("err = %v, want %q", err, row.want)
			}
		})
	}
}
