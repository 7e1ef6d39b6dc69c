package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tocsin-dev/tocsin/api/amv2"
)

// metrics counts the requests by route template, so that no client can make a
// series of its own.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tocsin_http_request_duration_seconds", Help: "Time from the first handler to the last byte written, by route.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5},
		}, []string{"route"}),
	}
	// karma reads the version of Alertmanager here and not from its API.
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "alertmanager_build_info", Help: "The Alertmanager whose API this is, for its clients.",
		ConstLabels: prometheus.Labels{"version": amv2.Version, "branch": "tocsin"},
	})
	info.Set(1)
	register(reg, info)
	m.requests = register(reg, m.requests)
	m.duration = register(reg, m.duration)
	return m
}

// register adds c, or returns the one that is there already: a second server
// on the same registry counts together with the first.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	var already prometheus.AlreadyRegisteredError
	if err := reg.Register(c); errors.As(err, &already) {
		if known, ok := already.ExistingCollector.(C); ok {
			return known
		}
	}
	return c
}

// routeMetrics are one route's; the common status is looked up once.
type routeMetrics struct {
	requests *prometheus.CounterVec
	ok       prometheus.Counter
	duration prometheus.Observer
}

func (m metrics) route(name string) routeMetrics {
	requests := m.requests.MustCurryWith(prometheus.Labels{"route": name})
	return routeMetrics{requests, requests.WithLabelValues("200"), m.duration.WithLabelValues(name)}
}

func (m routeMetrics) observe(status int, took time.Duration) {
	if status == 200 {
		m.ok.Inc()
	} else {
		m.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	}
	m.duration.Observe(took.Seconds())
}
