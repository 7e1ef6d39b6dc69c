package configs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
)

func TestSeveritiesOfAlertsFromOutside(t *testing.T) {
	e := configs.External{Severities: map[string]string{"P1": "critical", "page": "warning"}, DefaultSeverity: "info"}
	for label, want := range map[string]alert.Severity{
		"critical": alert.Critical, "Warning": alert.Warning, "info": alert.Info, // their own names
		"p1": alert.Critical, "page": alert.Warning, // as written, over what is known
		"error": alert.Critical, "notice": alert.Info,
		"none": alert.Info, "": alert.Info, "ok": alert.Info,
	} {
		if got := e.Severity(label); got != want {
			t.Errorf("%q is %s, want %s", label, got, want)
		}
	}
	if got := (&configs.External{}).Severity("odd"); got != alert.Warning {
		t.Errorf("without a default: %s", got)
	}
}

func TestHeartbeatAndCapDefaults(t *testing.T) {
	if got := (&configs.Heartbeat{}).AlertSeverity(); got != alert.Critical {
		t.Error(got)
	}
	var c configs.Cap
	if err := c.FromScalar("20 in 5m"); err != nil || c.Notifications != 20 || c.Every() != 5*time.Minute {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.FromScalar("off"); err != nil || c != (configs.Cap{}) || c.Every() != time.Minute {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.FromScalar("20"); err == nil {
		t.Error("a number without a time passes")
	}
}

// TestLeftOutReceiversLeaveStepsAndFallbacks: a step that loses its last
// receiver goes, and a fallback that does is as if not written.
func TestLeftOutReceiversLeaveStepsAndFallbacks(t *testing.T) {
	c, mistakes := configs.Load("-", kinds(), configs.Input{Stdin: strings.NewReader(`
receivers:
  - {name: ops, type: slack, webhook_url: "http://h/"}
  - {name: mail, type: slack, webhook_url: "http://h/"}
  - {name: pager, type: slack, webhook_url: "http://h/", enabled: false}
route:
  receivers: [ops]
  fallback: [mail]
  escalate: [{after: 1m, receivers: [pager]}, {after: 2m, receivers: [pager, mail]}]
  routes:
    - {match: ['severity = critical'], fallback: [pager]}
`)})
	if err := mistakes.Err(); err != nil {
		t.Fatal(err)
	}
	root := c.Routing().Root
	if len(root.Escalate) != 1 || root.Escalate[0].After != 2*time.Minute || len(root.Escalate[0].Receivers) != 1 {
		t.Errorf("steps %+v", root.Escalate)
	}
	if below := root.Routes[0].Fallback; len(below) != 1 || below[0] != "mail" {
		t.Errorf("fallback %v", below)
	}
}
