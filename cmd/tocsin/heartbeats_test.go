package main

import (
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

func TestTheRuleAboutHeartbeats(t *testing.T) {
	specs := heartbeatRules([]configs.Heartbeat{
		{Name: "backup", Every: 24 * time.Hour, Grace: 30 * time.Minute},
		{Name: "report", Every: time.Hour, Severity: "warning", Message: `no report {{ "today" }}`},
		{Name: "noise", Every: time.Hour, Severity: "info"},
	})
	r, problems := rule.Compile(specs[0], source.NewCatalog(nil, false))
	if problems.Err() != nil {
		t.Fatal(problems.Err())
	}
	e := rule.NewEvaluator([]*rule.Rule{r})
	now := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	e.Tick(now)
	var samples []alert.Sample
	for name, value := range map[string]float64{"backup": 1, "report": 1, "noise": 0} {
		samples = append(samples, alert.Sample{Metric: "heartbeat.late", Labels: alert.LabelsOf("source", ownSource, "heartbeat", name), Value: value, At: now})
	}
	e.Observe(samples, rule.Context{Source: ownSource, Interval: 10 * time.Second}, now)
	got := map[string]string{}
	for _, a := range e.Alerts() {
		got[a.Labels.Get("heartbeat")] = a.Severity.String() + " " + a.Message
	}
	want := map[string]string{
		"backup": "critical Heartbeat backup is late: one is expected every 1d, with 30m of grace",
		"report": `warning no report {{ "today" }}`,
	}
	if len(got) != len(want) || got["backup"] != want["backup"] || got["report"] != want["report"] {
		t.Errorf("got %q, want %q", got, want)
	}
	if heartbeatRules(nil) != nil {
		t.Error("there is a rule about none")
	}
}
