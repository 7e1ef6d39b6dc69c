package plugin_test

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/source/plugin"
)

// answers is a host whose plugin declares queue.depth and always answers the same.
type answers struct {
	answer *pluginpb.PollResponse
	err    error
}

func (a *answers) Poll(context.Context, pluginhost.Use) (*pluginpb.PollResponse, error) {
	return a.answer, a.err
}

func (a *answers) Describe(context.Context, string) (pluginhost.Description, error) {
	return pluginhost.Description{Metrics: []*pluginpb.Metric{{Name: "queue.depth"}}}, nil
}

func poll(t *testing.T, a *answers) (source.Reading, error) {
	t.Helper()
	s := plugin.New(a, "queues", "jobs", []byte(`{}`), "")
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	return s.Poll(t.Context())
}

func TestAReadingIsWhatThePluginMayYield(t *testing.T) {
	at := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	reading, err := poll(t, &answers{answer: &pluginpb.PollResponse{
		Samples: []*pluginpb.Sample{
			{Metric: "queue.depth", Value: 7, Labels: map[string]string{"queue": "jobs", "not a name": "x"}, At: timestamppb.New(at)},
			{Metric: "queue.other", Value: 1},
			{Metric: "queue.other", Value: 2},
			{Metric: "queue.depth", Value: math.NaN()},
			{Metric: "queue.depth", Value: math.Inf(1)},
		},
		Failed: []*pluginpb.Part{{Name: "queue orders", Error: "no access"}},
		Health: "degraded", StartedAt: timestamppb.New(at),
	}})
	if err != nil || len(reading.Samples) != 1 || reading.Health != source.Degraded || !reading.StartedAt.Equal(at) {
		t.Fatalf("%+v, %v", reading, err)
	}
	s := reading.Samples[0]
	if s.Value != 7 || s.Labels.String() != `{queue="jobs"}` || !s.At.Equal(at) {
		t.Errorf("%+v", s)
	}
	var problems []string
	for _, p := range reading.Problems {
		problems = append(problems, p.Query+": "+p.Err.Error())
	}
	want := []string{
		`queue.other: the plugin yields the metric "queue.other", which it does not declare`,
		"queue.depth: the plugin yields a value that is no number", "queue.depth: the plugin yields a value that is no number",
		"queue orders: no access",
	}
	if len(problems) != len(want) {
		t.Fatalf("%q", problems)
	}
	for i := range want {
		if problems[i] != want[i] {
			t.Errorf("%s, want %s", problems[i], want[i])
		}
	}
}

// TestASampleThatNoRuleCouldUseIsLeftOut: one from the future would shut out the
// present, and labels are kept for as long as their series.
func TestASampleThatNoRuleCouldUseIsLeftOut(t *testing.T) {
	many := map[string]string{}
	for i := range 31 {
		many["l"+strconv.Itoa(i)] = "x"
	}
	tests := []struct {
		sample *pluginpb.Sample
		want   string
	}{
		{&pluginpb.Sample{At: timestamppb.New(time.Now().Add(time.Hour))}, "the plugin yields a sample from the future"},
		{&pluginpb.Sample{At: &timestamppb.Timestamp{Seconds: math.MaxInt64}}, "the plugin yields a time that is none"},
		{&pluginpb.Sample{Labels: many}, "the plugin yields a sample of 31 labels; want at most 30"},
		{&pluginpb.Sample{Labels: map[string]string{"queue": strings.Repeat("x", 1001)}}, `the plugin yields a label "queue" of 1001 bytes; want at most 1000`},
	}
	for _, tc := range tests {
		tc.sample.Metric = "queue.depth"
		reading, err := poll(t, &answers{answer: &pluginpb.PollResponse{Samples: []*pluginpb.Sample{tc.sample, {Metric: "queue.depth"}}}})
		if err != nil || len(reading.Samples) != 1 || len(reading.Problems) != 1 || reading.Problems[0].Err.Error() != tc.want {
			t.Errorf("%s: %+v, %v", tc.want, reading, err)
		}
	}
}

func TestFaultsAreTold(t *testing.T) {
	tests := []struct {
		answer *pluginpb.PollResponse
		err    error
		want   source.FaultKind
	}{
		{&pluginpb.PollResponse{Error: "refused", Fault: "full"}, nil, source.Full},
		{&pluginpb.PollResponse{Error: "refused"}, nil, source.Down},
		{&pluginpb.PollResponse{Error: "refused", Fault: "on fire"}, nil, source.Down},
		// The source may be well: the monitor cannot see.
		{nil, errors.New("the plugin died"), source.Blind},
	}
	for _, tc := range tests {
		_, err := poll(t, &answers{tc.answer, tc.err})
		if err == nil || source.KindOf(err) != tc.want {
			t.Errorf("%v: %s, want %s", err, source.KindOf(err), tc.want)
		}
	}
}

func TestMetricsThatTheCatalogCanTake(t *testing.T) {
	got := plugin.Metrics(pluginhost.Description{Metrics: []*pluginpb.Metric{
		{Name: "queue.age", Unit: "s", Help: "of the oldest"}, {Name: "queue.depth", Unit: "jobs"}, {Name: "no name"}, {Name: ""},
	}})
	if len(got) != 2 || got[0].Unit != "s" || got[0].Description != "of the oldest" || got[1].Unit != "" {
		t.Errorf("%+v", got)
	}
}
