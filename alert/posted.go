package alert

import "time"

// Posted is an alert as a client outside posts it: Prometheus, amtool, a
// script. Its labels are its identity, severity included, so that its
// fingerprint is that of Prometheus and Alertmanager.
type Posted struct {
	Labels      Labels // alertname among them where the client gives one
	Annotations Labels
	// StartsAt is when it began to fire; zero is when it came.
	StartsAt time.Time
	// EndsAt is when it ends unless it is posted again; one that has passed
	// resolves it. Zero is one resolve_timeout after it came.
	EndsAt       time.Time
	GeneratorURL string
}
