package api

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// route is one row of the table of routes.
type route struct {
	method string // a GET answers HEAD too, unless noHead
	path   string
	scope  Scope
	handle func(*http.Request) (any, error)
	// revalidate gives the answer an ETag: polling clients get 304 while it
	// stays the same. Without it no cache may keep the answer.
	revalidate bool
	timeout    time.Duration // of what the handler waits for; 0 when it waits for nothing
	noHead     bool
	maxBody    units.ByteSize // of the request; 0 is that of Limits
}

// routes is the table. The documents that are polled stand first: mux tries
// the routes in order.
func (s *Server) routes() []route {
	get, post, ask := http.MethodGet, http.MethodPost, s.Limits.AskTimeout
	return slices.Concat([]route{
		{method: get, path: "/api/performance", scope: Read, handle: s.getPerformance},
		{method: get, path: "/api/performance/alerts", scope: Read, handle: s.getPerformanceAlerts},
		{method: get, path: "/api/health", scope: Open, handle: s.getHealth},
		{method: get, path: "/api/performance/alerts/history", scope: Read, handle: s.getHistory, revalidate: true, timeout: ask},
		{method: get, path: "/api/performance/cache/keys", scope: Read, handle: s.getKeys, timeout: ask},
		{method: get, path: "/api/v1/alerts", scope: Read, handle: s.getAlerts, revalidate: true},
		{method: get, path: "/api/v1/alerts/{id}", scope: Read, handle: s.getAlert, revalidate: true, timeout: ask},
		{method: get, path: "/api/v1/rules", scope: Read, handle: s.getRules, revalidate: true},
		{method: get, path: "/api/v1/explain", scope: Read, handle: s.getExplain},
		// Scope read is enough to check a text: nothing is written, and the daemon
		// lets it name no variable and no file that the running rules do not.
		{method: post, path: "/api/v1/rules/check", scope: Read, handle: s.checkRules, timeout: ask},
		{method: get, path: "/api/v1/rules/{file}", scope: Read, handle: s.getRuleFile, timeout: ask},
		{method: http.MethodPut, path: "/api/v1/rules/{file}", scope: Admin, handle: s.putRuleFile, timeout: s.Limits.ReloadTimeout},
		{method: get, path: "/api/v1/rulefiles", scope: Read, handle: s.getRuleFiles, revalidate: true, timeout: ask},
		{method: get, path: "/api/v1/series", scope: Read, handle: s.getSeries, revalidate: true},
		{method: get, path: "/api/v1/sources", scope: Read, handle: s.getSources, revalidate: true},
		{method: get, path: "/api/v1/receivers", scope: Read, handle: s.getReceivers, revalidate: true},
		{method: get, path: "/api/v1/plugins", scope: Read, handle: s.getPlugins, revalidate: true},
		{method: post, path: "/api/v1/receivers/{name}/test", scope: Operate, handle: s.postReceiverTest, timeout: s.Limits.TestTimeout},
		{method: post, path: "/api/v1/receivers/{name}/enable", scope: Operate, handle: s.postReceiverEnable, timeout: ask},
		{method: get, path: "/api/v1/deliveries", scope: Read, handle: s.getDeliveries, revalidate: true, timeout: ask},
		{method: get, path: "/api/v1/deliveries/{id}", scope: Read, handle: s.getDelivery, revalidate: true, timeout: ask},
		{method: post, path: "/api/v1/deliveries/{id}/redeliver", scope: Operate, handle: s.postRedeliver, timeout: ask},
		{method: post, path: "/api/v1/ingest", scope: Operate, handle: s.postIngest, timeout: ask},
		{method: post, path: "/api/v1/slack/interactions", scope: Open, handle: s.postSlackInteraction},
		{method: get, path: "/l/{token}", scope: Open, handle: s.getLink},
		{method: post, path: "/l/{token}", scope: Open, handle: s.postLink, timeout: ask},
		{method: get, path: "/api/openapi.yaml", scope: Read, handle: s.getOpenAPI},
		{method: get, path: "/metrics", scope: Read, handle: s.getMetrics},
		{method: get, path: "/-/healthy", scope: Open, handle: s.getHealthy},
		{method: get, path: "/-/ready", scope: Open, handle: s.getReady, timeout: ask},
		{method: post, path: "/-/reload", scope: Admin, handle: s.postReload, timeout: s.Limits.ReloadTimeout},
		{method: get, path: "/", scope: Read, handle: s.getIndex},
	}, s.operatorRoutes(), s.amRoutes())
}

// operatorRoutes are those by which people hold alerts back, take them up, and
// ask why they were told.
func (s *Server) operatorRoutes() []route {
	get, post, del, ask := http.MethodGet, http.MethodPost, http.MethodDelete, s.Limits.AskTimeout
	return []route{
		{method: get, path: "/api/v1/alerts/{id}/explain", scope: Read, handle: s.getAlertExplain, timeout: ask},
		{method: post, path: "/api/v1/alerts/{id}/ack", scope: Operate, handle: s.postAck, timeout: ask},
		{method: del, path: "/api/v1/alerts/{id}/ack", scope: Operate, handle: s.deleteAck, timeout: ask},
		{method: post, path: "/api/v1/alerts/{id}/snooze", scope: Operate, handle: s.postSnooze, timeout: ask},
		{method: post, path: "/api/v1/acks", scope: Operate, handle: s.postAcks, timeout: ask},
		{method: get, path: "/api/v1/silences", scope: Read, handle: s.getSilences, revalidate: true},
		{method: post, path: "/api/v1/silences", scope: Operate, handle: s.postSilence, timeout: ask},
		// Looking at what a silence would catch changes nothing.
		{method: post, path: "/api/v1/silences/preview", scope: Read, handle: s.previewSilence, timeout: ask},
		{method: get, path: "/api/v1/silences/{id}", scope: Read, handle: s.getSilence, revalidate: true},
		{method: http.MethodPut, path: "/api/v1/silences/{id}", scope: Operate, handle: s.putSilence, timeout: ask},
		{method: del, path: "/api/v1/silences/{id}", scope: Operate, handle: s.deleteSilence, timeout: ask},
		{method: post, path: "/api/v1/silences/{id}/extend", scope: Operate, handle: s.extendSilence, timeout: ask},
		{method: get, path: "/api/v1/heartbeats", scope: Read, handle: s.getHeartbeats, revalidate: true},
		{method: post, path: "/api/v1/heartbeats/{name}", scope: Operate, handle: s.postHeartbeat, timeout: ask},
	}
}

// amRoutes are those of Alertmanager's API, which does not answer HEAD.
func (s *Server) amRoutes() []route {
	get, post, ask := http.MethodGet, http.MethodPost, s.Limits.AskTimeout
	return []route{
		{method: post, path: "/api/v2/alerts", scope: Operate, handle: s.am(s.postAMAlerts), timeout: ask, maxBody: s.Limits.MaxAlertsBytes},
		{method: get, path: "/api/v2/alerts", scope: Read, handle: s.am(s.getAMAlerts), noHead: true},
		{method: get, path: "/api/v2/alerts/groups", scope: Read, handle: s.am(s.getAMGroups), noHead: true},
		{method: get, path: "/api/v2/silences", scope: Read, handle: s.am(s.getAMSilences), noHead: true},
		{method: post, path: "/api/v2/silences", scope: Operate, handle: s.am(s.postAMSilence), timeout: ask},
		{method: get, path: "/api/v2/silence/{silenceID}", scope: Read, handle: s.am(s.getAMSilence), noHead: true},
		{method: http.MethodDelete, path: "/api/v2/silence/{silenceID}", scope: Operate, handle: s.am(s.deleteAMSilence), timeout: ask},
		{method: get, path: "/api/v2/receivers", scope: Read, handle: s.am(s.getAMReceivers), noHead: true},
		{method: get, path: "/api/v2/status", scope: Read, handle: s.am(s.getAMStatus), noHead: true},
	}
}

func (s *Server) unknownPath(r *http.Request) (any, error) {
	message, near := "no such path; GET / lists what there is", s.nearestPath(r.URL.Path)
	if ofAM(r.URL.Path) {
		return amUnknownPath(r.URL.Path, near), nil
	}
	if near != "" {
		message = "no such path; did you mean " + near + "?"
	}
	return nil, notFound(message)
}

// nearestPath looks no further than a path that a person mistyped: the
// distance costs the product of both lengths.
func (s *Server) nearestPath(path string) string {
	if len(path) > 100 {
		return ""
	}
	var paths []string
	for _, rt := range s.routes() {
		if rt.path == strings.TrimRight(path, "/") {
			return rt.path
		}
		if rt.path != "/" {
			paths = append(paths, rt.path)
		}
	}
	return problem.Nearest(path, paths)
}

func (s *Server) wrongMethod(r *http.Request) (any, error) {
	allowed := s.methodsOf(r)
	if ofAM(r.URL.Path) {
		return amWrongMethod(r.Method, allowed), nil
	}
	allow := strings.Join(allowed, ", ")
	message := "this path answers " + allow + " only"
	if r.Method == http.MethodPost && r.URL.Path == "/api/v1/alerts" {
		// Where a Prometheus posts that still says api_version: v1.
		message += "; alerts from outside go to /api/v2/alerts"
	}
	return nil, &Error{
		Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: message, Header: [][2]string{{"Allow", allow}},
	}
}

// methodsOf returns the methods that the request's path answers.
func (s *Server) methodsOf(r *http.Request) []string {
	var allowed []string
	for _, method := range [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := *r
		other.Method = method
		var match mux.RouteMatch
		if s.router.Match(&other, &match) && match.MatchErr == nil {
			allowed = append(allowed, method)
		}
	}
	slices.Sort(allowed)
	return allowed
}
