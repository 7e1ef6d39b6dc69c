package notifiers_test

import (
	"strings"
	"testing"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

func TestWhatIsLeftOutCanBeSeen(t *testing.T) {
	fires := []alert.Alert{{State: alert.Firing}}
	ended := []alert.Alert{{State: alert.Resolved}}
	group := alert.LabelsOf("alertname", "DiskFull", "team", `a & "b"`)
	for _, tt := range []struct {
		name string
		n    alert.Notification
		want string
	}{
		{"a group", alert.Notification{Status: alert.Firing, Alerts: fires, GroupLabels: group}, `/api/v1/alerts?match=alertname%3D%22DiskFull%22&match=team%3D%22a+%26+%5C%22b%5C%22%22`},
		{"the end of some of a group", alert.Notification{Status: alert.Firing, Alerts: ended, GroupLabels: group[:1]}, `/api/v1/alerts?match=alertname%3D%22DiskFull%22`},
		{"the end of a group", alert.Notification{Status: alert.Resolved, Alerts: ended, GroupLabels: group}, "/api/performance/alerts/history?rule=DiskFull"},
		{"the end of a group of many rules", alert.Notification{Status: alert.Resolved, Alerts: ended, GroupLabels: group[1:]}, "/api/performance/alerts/history"},
		{"a digest", alert.Notification{Status: alert.Firing, Alerts: fires, GroupLabels: group, Digest: &alert.Digest{}}, "/api/v1/alerts"},
		{"labels that no link has room for", alert.Notification{Status: alert.Firing, Alerts: fires, GroupLabels: alert.LabelsOf("a", strings.Repeat("x", 500))}, "/api/v1/alerts"},
	} {
		if got := notifiers.AndMore(&tt.n, 12); got != "and 12 more: GET "+tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
		tt.n.ExternalURL = "https://t.example.com"
		if got := notifiers.AndMore(&tt.n, 1); got != "and 1 more: https://t.example.com"+tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}
