package plugins

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/source"
)

type queue struct{ polls int }

func (q *queue) Poll(context.Context) (source.Reading, error) {
	q.polls++
	var r source.Reading
	r.Add("queue.depth", float64(q.polls), "queue", "orders")
	switch q.polls {
	case 1:
		r.Problems, r.Health = []source.Problem{{Query: "dead letters", Err: errors.New("not allowed")}}, source.Degraded
		r.StartedAt, r.Samples[0].At = time.Unix(100, 0), time.Unix(200, 0)
		return r, nil
	case 2:
		return r, &source.Fault{Kind: source.Busy, Err: errors.New("no slots")}
	}
	panic("third poll")
}

func (q *queue) Close() error { return nil }

func TestASourceIsPolled(t *testing.T) {
	p := Source("queue", "1", func() struct{} { return struct{}{} }, []Metric{{Name: "queue.depth", Help: "Jobs that wait."}},
		func(struct{}) (source.Source, error) { return &queue{}, nil })
	if err := p.check(); err != nil {
		t.Fatal(err)
	}
	s := newServer(p)
	defer s.close()
	poll := func() *pluginpb.PollResponse {
		got, err := s.Poll(t.Context(), &pluginpb.PollRequest{Name: "q", ConfigJson: []byte(`{}`)})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := poll()
	one := first.GetSamples()[0]
	if one.GetMetric() != "queue.depth" || one.GetValue() != 1 || one.GetLabels()["queue"] != "orders" || one.GetAt().GetSeconds() != 200 {
		t.Errorf("sample %v", one)
	}
	if first.GetHealth() != "degraded" || first.GetError() != "" || first.GetFailed()[0].GetName() != "dead letters" || first.GetStartedAt().GetSeconds() != 100 {
		t.Errorf("first %v", first)
	}
	second := poll() // the same source: what it remembers is kept
	if second.GetError() != "no slots" || second.GetFault() != "busy" || second.GetSamples()[0].GetValue() != 2 || second.GetSamples()[0].GetAt() != nil {
		t.Errorf("second %v", second)
	}
	if third := poll(); third.GetError() != "the plugin panicked: third poll" || third.GetFault() != string(source.Down) {
		t.Errorf("third %v", third)
	}
}

// FuzzSettings holds that no settings, whoever wrote them, bring the SDK down, and
// that what is taken is taken again in the form that it is written in.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		`{"url": "x", "to": [{"host": "h", "port": 5}], "limits": {"a": 1.5}, "on": true, "wait": "90s", "token": "t"}`,
		`{"url": null, "to": [null], "limits": {"": null}}`, `[]`, `{"url": 1e999}`, `{"since": {}}`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, config []byte) {
		got, ps := settingsFrom(config, defaults)
		for _, p := range ps {
			if p.Message == "" {
				t.Errorf("%q: a problem at %q that says nothing", config, p.Path)
			}
		}
		if wrong(ps) == nil && got.Wait > time.Hour {
			t.Errorf("%q: taken without Validate", config)
		}
	})
}

// A label set without names is one that a plugin may get, too.
func TestLabelMapIsNeverNil(t *testing.T) {
	if pluginpb.LabelMap(alert.Labels(nil)) == nil {
		t.Error("nil")
	}
}
