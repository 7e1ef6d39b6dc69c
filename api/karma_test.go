package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/tocsin-dev/tocsin/api"
)

// karma asks in this order, and follows each pointer below without a look:
// https://github.com/prymitive/karma/tree/main/internal/mapper/v017
func TestWhatKarmaReadsIsThere(t *testing.T) {
	o := newRouter().options()
	reg := prometheus.NewRegistry()
	o.Registerer, o.Gatherer = reg, reg
	h := api.New(o).Handler()
	postJSON(t, h, "/api/v2/alerts", `[{"labels":{"alertname":"quiet","team":"web"}}]`)
	postJSON(t, h, "/api/v2/silences", `{"matchers":[{"name":"alertname","value":"quiet","isRegex":false}],"startsAt":"2026-01-01T00:00:00Z","endsAt":"2999-01-01T00:00:00Z","createdBy":"me","comment":"c"}`)
	read := func(path string, into any) {
		t.Helper()
		if err := json.Unmarshal(get(t, h, path, "Accept", "application/json").Body.Bytes(), into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}

	var status struct {
		Cluster *struct {
			Name   string
			Status *string
			Peers  []struct{ Name *string }
		}
		VersionInfo *struct{ Version *string }
	}
	read("/api/v2/status", &status)
	if probed := karmaVersion(t, get(t, h, "/metrics").Body.String()); probed != *status.VersionInfo.Version || *status.Cluster.Status != "disabled" {
		t.Errorf("version %s in /metrics, %s in the status", probed, *status.VersionInfo.Version)
	}

	var silences []struct {
		ID, CreatedBy, Comment      *string
		StartsAt, EndsAt, UpdatedAt *time.Time
		Matchers                    []struct {
			Name, Value      *string
			IsRegex, IsEqual *bool
		}
	}
	read("/api/v2/silences", &silences)
	one := silences[0]
	if m := one.Matchers[0]; *m.Name != "alertname" || *m.Value != "quiet" || *m.IsRegex || !*m.IsEqual || *one.CreatedBy != "me" || *one.Comment != "c" || !one.StartsAt.Before(*one.EndsAt) || one.UpdatedAt.IsZero() {
		t.Errorf("silence %+v", one)
	}

	var groups []struct {
		Receiver *struct{ Name *string }
		Labels   map[string]string
		Alerts   []struct {
			Fingerprint  *string
			StartsAt     *time.Time
			GeneratorURL string
			Annotations  map[string]string
			Labels       map[string]string
			Status       *struct {
				State                   *string
				SilencedBy, InhibitedBy []string
			}
		}
	}
	read("/api/v2/alerts/groups", &groups)
	a := groups[0].Alerts[0]
	if *groups[0].Receiver.Name != "ops" || *a.Status.State != "suppressed" || a.Status.SilencedBy[0] != *one.ID || a.Status.InhibitedBy == nil ||
		*a.Fingerprint == "" || a.StartsAt.IsZero() || a.Annotations == nil || a.Labels["team"] != "web" {
		t.Errorf("group %+v", groups[0])
	}
}

// karmaVersion finds the version as karma's verprobe does: of every metric, which
// must parse to the last.
func karmaVersion(t *testing.T, metrics string) string {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(metrics))
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range families["alertmanager_build_info"].GetMetric()[0].GetLabel() {
		if label.GetName() == "version" {
			return label.GetValue()
		}
	}
	t.Fatal("no version")
	return ""
}
