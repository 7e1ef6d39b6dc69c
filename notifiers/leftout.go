package notifiers

import (
	"cmp"
	"fmt"
	"net/url"

	"github.com/tocsin-dev/tocsin/alert"
)

// maxListPath bounds a link to a list: beyond it the list is of everything.
const maxListPath = 400

// ListPath is where the API lists what n tells of, so that what a message leaves
// out can be seen: the alerts that fire, those of its group where it is of one,
// or the history where all have ended.
func ListPath(n *alert.Notification) string {
	const firing, ended = "/api/v1/alerts", "/api/performance/alerts/history"
	query := url.Values{}
	path := firing
	if n.Status == alert.Resolved && !n.Fires() {
		path = ended // which is chosen from by the rule alone
		if rule := n.GroupLabels.Get(alert.LabelName); rule != "" {
			query.Set("rule", rule)
		}
	} else if n.Digest == nil && n.Kind == alert.KindAlerts {
		for _, l := range n.GroupLabels {
			query.Add("match", alert.Matcher{Name: l.Name, Op: alert.MatchEqual, Value: l.Value}.String())
		}
	}
	if len(query) == 0 {
		return path
	}
	if whole := path + "?" + query.Encode(); len(whole) <= maxListPath {
		return whole
	}
	return path
}

// ListURL is ListPath on Tocsin's own URL, or "" when it does not know that.
func ListURL(n *alert.Notification) string {
	if n.ExternalURL == "" {
		return ""
	}
	return n.ExternalURL + ListPath(n)
}

// AndMore says how many alerts are left out, and where to see them.
func AndMore(n *alert.Notification, left int) string {
	return fmt.Sprintf("and %d more: %s", left, Listed(n))
}

// Listed is where what n tells of is listed, as a sentence names it.
func Listed(n *alert.Notification) string {
	return cmp.Or(ListURL(n), "GET "+ListPath(n))
}
