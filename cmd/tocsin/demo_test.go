package main

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/demo"
	"github.com/tocsin-dev/tocsin/source"
)

// TestTheDemoDegradesAndRecovers plays the whole incident in fake time, by the
// demo's own sources and rules.
func TestTheDemoDegradesAndRecovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yaml")
	text, err := demoFiles.ReadFile("demo/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	rules, _, _, mistakes := loadRules([]string{path}, configs.Input{}, source.NewCatalog(nil, false))
	if err := mistakes.Err(); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		incident := demo.New(time.Now())
		sources := map[string]source.Source{"cache": incident.Cache(), "database": incident.Database(), "web": incident.App()}
		evaluator := rule.NewEvaluator(rules)
		worst, left := map[string]string{}, map[string]bool{}
		for range int(demo.Length / time.Second) {
			time.Sleep(time.Second)
			now := time.Now()
			var samples []alert.Sample
			for name, s := range sources {
				reading, _ := s.Poll(t.Context()) // that Redis is down is a part of it
				for _, sample := range reading.Samples {
					sample.At, sample.Labels = now, sample.Labels.With("source", name)
					samples = append(samples, sample)
				}
			}
			transitions := append(evaluator.Tick(now), evaluator.Observe(samples, rule.Context{Interval: time.Second}, now)...)
			for _, tr := range transitions {
				switch tr.Alert.State {
				case alert.Firing:
					left[tr.Alert.Rule] = true
				case alert.Resolved:
					delete(left, tr.Alert.Rule)
					worst[tr.Alert.Rule] += tr.Alert.Worst.String()
				case alert.Pending, alert.Inactive:
				}
			}
		}
		want := map[string]string{
			"redis-down": "critical", "cache-hit-rate": "critical", "query-time": "critical", "connection-pool": "critical",
			"memory": "warning", "api-response-time": "warning",
		}
		if diff := cmp.Diff(want, worst); diff != "" || len(left) > 0 {
			t.Errorf("alerts, each once and by its worst: %s\nstill firing: %v", diff, left)
		}
	})
}
