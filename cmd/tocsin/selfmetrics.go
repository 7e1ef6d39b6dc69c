package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/outbox"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/internal/version"
)

// registerMetrics puts the daemon's own metrics on its registry.
func (d *daemon) registerMetrics() {
	d.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		selfCollector{d: d, desc: newDescriptions()},
	)
}

// selfCollector reads the daemon's state when it is asked, so that nothing is
// counted twice.
type selfCollector struct {
	d    *daemon
	desc descriptions
}

type descriptions struct {
	build, alerts, rules                                    *prometheus.Desc
	batches, samples, transitions, commits, commitErrors    *prometheus.Desc
	storeUp, commitSeconds                                  *prometheus.Desc
	sourceUp, sourcePolls, sourceSkipped, sourcePollSeconds *prometheus.Desc
	pending, sent, failed, dead                             *prometheus.Desc
	unsettled, held                                         *prometheus.Desc
	breakerOpen, disabled                                   *prometheus.Desc
	pings, pingAt                                           *prometheus.Desc
	pluginUp, pluginRestarts, pluginCalls, pluginFailures   *prometheus.Desc
	reloadOK, reloadAt, reloadOKAt                          *prometheus.Desc
}

func newDescriptions() descriptions {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("tocsin_"+name, help, labels, nil)
	}
	return descriptions{
		build:             desc("build_info", "1, with the version as a label.", "version"),
		alerts:            desc("alerts", "Alerts by state and severity.", "state", "severity"),
		rules:             desc("rules", "Rules that are judged."),
		batches:           desc("batches_total", "Batches of samples taken."),
		samples:           desc("samples_total", "Samples taken."),
		transitions:       desc("alert_transitions_total", "Steps in the lives of alerts."),
		commits:           desc("store_commits_total", "Transactions that the store has taken."),
		commitErrors:      desc("store_commit_errors_total", "Transactions that the store has refused; each is tried again."),
		storeUp:           desc("store_up", "1 while the store takes transactions."),
		commitSeconds:     desc("store_last_commit_seconds", "How long the last transaction took."),
		sourceUp:          desc("source_up", "1 while the source can be read.", "source", "type"),
		sourcePolls:       desc("source_polls_total", "Polls of the source.", "source", "type"),
		sourceSkipped:     desc("source_polls_skipped_total", "Polls left out because the one before still ran.", "source", "type"),
		sourcePollSeconds: desc("source_poll_seconds", "How long the last poll took.", "source", "type"),
		pending:           desc("notifications_pending", "Notifications that wait to be sent.", "receiver"),
		sent:              desc("notifications_sent_total", "Notifications sent since the start.", "receiver"),
		failed:            desc("notification_attempts_failed_total", "Attempts that failed; each is tried again unless the notification is dead.", "receiver"),
		dead:              desc("notifications_dead_total", "Notifications given up.", "receiver"),
		unsettled:         desc("notification_outcomes_unsettled", "Outcomes of attempts that the store does not have yet."),
		held:              desc("notifications_held", "1 while nothing is sent, for too many outcomes wait for the store."),
		breakerOpen:       desc("receiver_breaker_open", "1 while the receiver takes nothing and is asked with one notification at a time.", "receiver"),
		disabled:          desc("receiver_disabled", "1 while the receiver is disabled, for it answered 410.", "receiver"),
		pings:             desc("deadman_pings_total", "Dead-man pings by outcome: sent, failed, or withheld because all was not well.", "outcome"),
		pingAt:            desc("deadman_last_ping_timestamp_seconds", "When the last dead-man ping was sent; 0 for never."),
		pluginUp:          desc("plugin_up", "1 while the plugin's process serves calls.", "plugin"),
		pluginRestarts:    desc("plugin_restarts_total", "Processes of the plugin after its first.", "plugin"),
		pluginCalls:       desc("plugin_calls_total", "Calls of the plugin.", "plugin"),
		pluginFailures:    desc("plugin_call_failures_total", "Calls that the plugin did not answer, by reason: deadline, or error for any other.", "plugin", "reason"),
		reloadOK:          desc("config_last_reload_successful", "1 when the last reading of the configuration was accepted."),
		reloadAt:          desc("config_last_reload_timestamp_seconds", "When the configuration was last read."),
		reloadOKAt:        desc("config_last_reload_success_timestamp_seconds", "When a reading of the configuration was last accepted."),
	}
}

// Describe leaves the collector unchecked: which series there are depends on
// the configuration.
func (c selfCollector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the daemon's state.
func (c selfCollector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(c.desc.build, 1, version.String())
	c.collectEngine(gauge, counter)
	for _, s := range c.d.board.All() {
		gauge(c.desc.sourceUp, oneIf(s.Up), s.Name, s.Type)
		counter(c.desc.sourcePolls, s.Polls, s.Name, s.Type)
		counter(c.desc.sourceSkipped, s.Skipped, s.Name, s.Type)
		gauge(c.desc.sourcePollSeconds, s.PollTime.Seconds(), s.Name, s.Type)
	}
	for name, s := range c.d.outbox.Status() {
		gauge(c.desc.pending, float64(s.Pending), name)
		counter(c.desc.sent, s.Sent, name)
		counter(c.desc.failed, s.Failed, name)
		counter(c.desc.dead, s.Dead, name)
		gauge(c.desc.breakerOpen, oneIf(s.Breaker != outbox.BreakerClosed), name)
		gauge(c.desc.disabled, oneIf(s.Disabled), name)
	}
	unsettled, held := c.d.outbox.Unsettled()
	gauge(c.desc.unsettled, float64(unsettled))
	gauge(c.desc.held, oneIf(held))
	for _, p := range c.d.plugins.Status() {
		gauge(c.desc.pluginUp, oneIf(p.State == pluginhost.Running), p.Name)
		counter(c.desc.pluginRestarts, p.Restarts, p.Name)
		counter(c.desc.pluginCalls, p.Calls, p.Name)
		counter(c.desc.pluginFailures, p.Deadlines, p.Name, "deadline")
		counter(c.desc.pluginFailures, p.Failures-p.Deadlines, p.Name, "error")
	}
	pings := &c.d.pulses.stats
	counter(c.desc.pings, pings.Sent.Load(), "sent")
	counter(c.desc.pings, pings.Failed.Load(), "failed")
	counter(c.desc.pings, pings.Withheld.Load(), "withheld")
	gauge(c.desc.pingAt, float64(pings.LastSent.Load())/1000)
	reload := c.d.reload.Load()
	gauge(c.desc.reloadOK, oneIf(reload.err == nil))
	gauge(c.desc.reloadAt, float64(reload.at.UnixMilli())/1000)
	gauge(c.desc.reloadOKAt, float64(reload.succeededAt.UnixMilli())/1000)
}

func (c selfCollector) collectEngine(gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, uint64, ...string)) {
	stats := c.d.engine.Stats()
	counter(c.desc.batches, stats.Batches)
	counter(c.desc.samples, stats.Samples)
	counter(c.desc.transitions, stats.Transitions)
	counter(c.desc.commits, stats.Commits)
	counter(c.desc.commitErrors, stats.CommitErrors)
	gauge(c.desc.storeUp, oneIf(!stats.StoreDown))
	gauge(c.desc.commitSeconds, stats.LastCommit.Seconds())
	gauge(c.desc.rules, float64(len(c.d.engine.Rules())))
	counts := map[[2]string]float64{}
	for _, severity := range alert.Severities() {
		counts[[2]string{string(alert.Pending), severity.String()}] = 0
		counts[[2]string{string(alert.Firing), severity.String()}] = 0
	}
	for _, a := range c.d.engine.Alerts() {
		counts[[2]string{string(a.State), a.Severity.String()}]++
	}
	for key, n := range counts {
		gauge(c.desc.alerts, n, key[0], key[1])
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
