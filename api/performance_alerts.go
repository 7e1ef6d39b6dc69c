package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/source"
)

// alertsDoc is the document of GET /api/performance/alerts.
type alertsDoc struct {
	Alerts  []guideAlert `json:"alerts"`
	Summary summaryDoc   `json:"summary"`
}

// guideAlert is an alert with the guide's keys.
type guideAlert struct {
	Type      alert.Severity `json:"type"`
	Category  string         `json:"category"`
	Message   string         `json:"message"`
	Metric    string         `json:"metric"` // less its first part
	Value     alert.Number   `json:"value"`
	Threshold alert.Number   `json:"threshold"`
	Timestamp stamp          `json:"timestamp"` // it took its severity
}

type summaryDoc struct {
	Critical int `json:"critical"`
	Warning  int `json:"warning"`
	Info     int `json:"info"`
	Total    int `json:"total"`
}

// getPerformanceAlerts answers with the alerts that fire, worst first and then
// the newest.
func (s *Server) getPerformanceAlerts(r *http.Request) (any, error) {
	if r.URL.RawQuery != "" {
		if err := parseQuery(r).err(); err != nil {
			return nil, err
		}
	}
	return s.alerts.get(s.Engine.Version(), func() (*document, error) {
		return render(alertsOf(s.Engine.Alerts()))
	})
}

func alertsOf(all []alert.Alert) alertsDoc {
	firing := make([]alert.Alert, 0, len(all))
	for i := range all {
		if all[i].Active() {
			firing = append(firing, all[i])
		}
	}
	slices.SortStableFunc(firing, worstThenNewest)
	d := alertsDoc{Alerts: make([]guideAlert, 0, len(firing))}
	for i := range firing {
		d.Alerts = append(d.Alerts, guideAlertOf(&firing[i]))
		switch firing[i].Severity {
		case alert.Critical:
			d.Summary.Critical++
		case alert.Warning:
			d.Summary.Warning++
		case alert.Info:
			d.Summary.Info++
		case alert.OK:
		}
		d.Summary.Total++
	}
	return d
}

func worstThenNewest(a, b alert.Alert) int {
	return cmp.Or(cmp.Compare(b.Severity, a.Severity), since(&b).Compare(since(&a)), strings.Compare(a.ID, b.ID))
}

func guideAlertOf(a *alert.Alert) guideAlert {
	return guideAlert{
		Type: a.Severity, Category: a.Category, Message: a.Message, Metric: source.ShortName(a.Metric),
		Value: rounded(a.Value), Threshold: rounded(a.Threshold), Timestamp: stamp(since(a)),
	}
}

// since is when the alert took its present severity.
func since(a *alert.Alert) time.Time {
	for _, t := range [...]time.Time{a.SeverityAt, a.StartsAt} {
		if !t.IsZero() {
			return t
		}
	}
	return a.PendingAt
}
