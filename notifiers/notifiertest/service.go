package notifiertest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Payloads compares what a notifier would send of every kind of notification, and
// of one with hostile texts, with golden files of JSON.
func Payloads(t *testing.T, p notifiers.Previewer) {
	t.Helper()
	kinds := Kinds()
	kinds["hostile"] = Hostile()
	for name, n := range kinds {
		preview, err := p.Preview(n)
		if err != nil || preview.Note != "" {
			t.Fatalf("%s: %v %s", name, err, preview.Note)
		}
		GoldenJSON(t, name+".json", json.RawMessage(preview.Body))
	}
}

// Answer is what a service answers, as its documents and its servers word it, and
// what a notifier is to make of it.
type Answer struct {
	Status    int
	Body      string
	Permanent bool
	Wait      time.Duration // that the service asks for; 0 for none
	Says      string        // is in the error
}

// Answers sees how a notifier sorts them.
func Answers(t *testing.T, factory Factory, answers []Answer) {
	t.Helper()
	for _, a := range answers {
		t.Run(a.Says, func(t *testing.T) {
			r := NewReceiver(t)
			r.Answer = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(a.Status)
				_, _ = io.WriteString(w, a.Body)
			}
			_, err := factory(t, r.URL).Notify(t.Context(), Sample(alert.Firing, 1))
			wait, _ := notifiers.WaitOf(err)
			if err == nil || notifiers.IsPermanent(err) != a.Permanent || wait != a.Wait || !strings.Contains(err.Error(), a.Says) {
				t.Errorf("permanent %t, wait %v: %v", notifiers.IsPermanent(err), wait, err)
			}
		})
	}
}

// Storm returns a notification of a thousand alerts whose messages are long, and of
// characters that are escaped.
func Storm() alert.Notification {
	n := Sample(alert.Firing, 1000)
	for i := range n.Alerts {
		n.Alerts[i].Message = strings.Repeat("<&*\"[🔥]@>", 200)
	}
	return n
}

// Fits sees that no notification makes a message of more than so many bytes: not
// one of many alerts, which must be counted, nor one alert with long labels and
// long links.
func Fits(t *testing.T, p notifiers.Previewer, most int) {
	t.Helper()
	long := Sample(alert.Firing, 1)
	path := "/" + strings.Repeat("a&b=ü/", 300)
	long.ExternalURL += path
	long.Reason = strings.Repeat("<reason> ", 1000)
	long.GroupLabels = alert.LabelsOf("team", strings.Repeat("team&", 2000), "zone", strings.Repeat("🔥", 5000))
	a := &long.Alerts[0]
	a.Message = strings.Repeat("\"<&\\", 5000)
	a.Labels = a.Labels.Merge(long.GroupLabels)
	a.Annotations = map[string]string{
		"runbook_url": "https://runbooks.example.com" + path, "dashboard_url": "https://dashboards.example.com" + path,
		"graph_url": "https://graphs.example.com" + path, "description": strings.Repeat("long & wide ", 2000),
	}
	for name, n := range map[string]alert.Notification{"storm": Storm(), "long": long} {
		preview, err := p.Preview(n)
		if err != nil || len(preview.Body) > most {
			t.Errorf("%s: %d bytes, at most %d: %v", name, len(preview.Body), most, err)
		}
		if name == "storm" && !strings.Contains(string(preview.Body), " more") {
			t.Errorf("%s: what is left out is not counted", name)
		}
	}
}
