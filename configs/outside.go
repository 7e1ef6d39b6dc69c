package configs

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// External is how alerts are taken that others judge, such as Prometheus.
type External struct {
	// ResolveTimeout is how long an alert goes on that is not sent again and
	// came without its end.
	ResolveTimeout time.Duration `yaml:"resolve_timeout"`
	// Severities says which of critical, warning and info a value of the label
	// severity stands for, as in page: critical. Case does not matter.
	Severities map[string]string `yaml:"severities"`
	// DefaultSeverity is that of alerts whose label says nothing known.
	DefaultSeverity string `yaml:"default_severity"`
}

// Severity is what a label's value stands for: by Severities, else by the name
// itself or one that is used for it elsewhere, else DefaultSeverity.
func (e *External) Severity(label string) alert.Severity {
	for name, severity := range e.Severities {
		if strings.EqualFold(name, label) {
			return severityOf(severity)
		}
	}
	switch strings.ToLower(label) {
	case "critical", "crit", "error", "fatal", "emergency", "alert", "page", "disaster", "high":
		return alert.Critical
	case "warning", "warn", "average", "ticket":
		return alert.Warning
	case "info", "information", "informational", "notice", "debug", "low", "none":
		return alert.Info
	}
	return severityOf(e.DefaultSeverity)
}

// severityOf reads the name of a severity that an alert can have; any other is
// a warning.
func severityOf(name string) alert.Severity {
	if s, err := alert.ParseSeverity(name); err == nil && s != alert.OK {
		return s
	}
	return alert.Warning
}

func (e *External) validate() problem.List {
	var ps problem.List
	positive(&ps, "resolve_timeout", e.ResolveTimeout)
	for _, name := range slices.Sorted(maps.Keys(e.Severities)) {
		oneOf(&ps, problem.Join("severities", name), e.Severities[name], severityNames()...)
	}
	oneOf(&ps, "default_severity", e.DefaultSeverity, severityNames()...)
	return ps
}

// severityNames are those that an alert can have, worst first.
func severityNames() []string {
	var names []string
	for _, s := range alert.Severities() {
		names = append(names, s.String())
	}
	return names
}

// Heartbeat is a sign of life that something sends, such as a job when it is
// done: POST /api/v1/heartbeats/NAME.
type Heartbeat struct {
	// Name stands in the URL: small letters, digits, - and _.
	Name string `yaml:"name"`
	// Every is how often it comes, and Grace how much later it may be.
	Every time.Duration `yaml:"every"`
	Grace time.Duration `yaml:"grace"`
	// Severity is that of the alert when it is late; left out it is critical.
	Severity string `yaml:"severity"`
	// Labels are added to the alert.
	Labels map[string]string `yaml:"labels"`
	// Message is the alert's text; left out it names the heartbeat and how late
	// it is.
	Message string `yaml:"message"`
}

// AlertSeverity is that of the alert when it is late.
func (h *Heartbeat) AlertSeverity() alert.Severity {
	return severityOf(cmp.Or(h.Severity, alert.Critical.String()))
}

const (
	heartbeatPattern = `^[a-z0-9][a-z0-9_-]*$`
	minHeartbeat     = time.Second
)

func (c *Config) validateHeartbeats() problem.List {
	var ps problem.List
	names := unique{}
	for i := range c.Heartbeats {
		at := fmt.Sprintf("heartbeats[%d]", i)
		ps.Under(at, c.Heartbeats[i].validate())
		names.check(&ps, problem.Join(at, "name"), at, c.Heartbeats[i].Name, "heartbeat")
	}
	return ps
}

func (h *Heartbeat) validate() problem.List {
	ps := validateName(h.Name, "heartbeat")
	if len(ps) == 0 && !regexp.MustCompile(heartbeatPattern).MatchString(h.Name) {
		ps.AddHint("name", "use small letters, digits, - and _", "%q cannot be the name of a heartbeat", h.Name)
	}
	switch {
	case h.Every == 0:
		ps.AddHint("every", "write for example 1h", "missing: how often it comes")
	case h.Every < minHeartbeat:
		ps.Add("every", "want at least %s", units.Duration(minHeartbeat))
	}
	if h.Grace < 0 {
		ps.Add("grace", "want 0s or more")
	}
	if h.Severity != "" {
		oneOf(&ps, "severity", h.Severity, severityNames()...)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Labels)) {
		at := problem.Join("labels", name)
		switch {
		case !alert.IsLabelName(name):
			ps.AddHint(at, "use letters, digits and _", "not the name of a label")
		case slices.Contains(reservedLabels(), name):
			ps.AddHint(at, "choose another name", "Tocsin sets this label itself")
		}
	}
	return ps
}

// Cap is how many notifications a receiver gets in a time at most: the others
// are merged into a digest, which names their number and loses none. Both zero
// is no cap.
type Cap struct {
	// Notifications is how many there are at most, and Per in how long a time;
	// left out, it is a minute.
	Notifications int           `yaml:"notifications"`
	Per           time.Duration `yaml:"per"`
}

// FromScalar reads the short form, 20 in 1m; off is no cap.
func (c *Cap) FromScalar(text string) error {
	if text == "off" {
		*c = Cap{}
		return nil
	}
	count, per, ok := strings.Cut(text, " in ")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	d, err2 := units.ParseDuration(per)
	if !ok || err != nil || err2 != nil {
		return errors.New("want how many notifications in how long a time; write for example 20 in 1m")
	}
	c.Notifications, c.Per = n, d
	return nil
}

func (c *Cap) validate() problem.List {
	var ps problem.List
	switch {
	case c.Notifications < 0:
		ps.Add("notifications", "want 1 or more")
	case c.Notifications == 0 && c.Per != 0:
		ps.AddHint("notifications", "write for example 20", "missing: how many notifications there are at most")
	case c.Per < 0:
		ps.Add("per", "want more than 0s")
	}
	return ps
}

// Every is Per, or the minute that it is where it is left out.
func (c *Cap) Every() time.Duration { return cmp.Or(c.Per, time.Minute) }

// ScalarSchema says which texts FromScalar takes.
func (Cap) ScalarSchema() schema.Schema {
	return schema.Text(`^(?:off|\s*[0-9]+ in `+strings.TrimSuffix(strings.TrimPrefix(units.DurationPattern(), "^"), "$")+`)$`,
		"how many notifications in how long a time, such as 20 in 1m, or off")
}

// JSONSchema says what reflection cannot of a cap's fields.
func (Cap) JSONSchema() schema.Schema {
	s := schema.Object(schema.Schema{"notifications": schema.AtLeast(0)})
	s["dependentRequired"] = schema.Schema{"per": []string{"notifications"}}
	return s
}

// JSONSchema says what reflection cannot of how alerts from outside are taken.
func (External) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"resolve_timeout":  schema.MoreThanZero(),
		"severities":       schema.Schema{"additionalProperties": schema.Enum(severityNames()...)},
		"default_severity": schema.Enum(severityNames()...),
	})
}

// JSONSchema says what reflection cannot of a heartbeat's fields.
func (Heartbeat) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"name":  schema.With(schema.Text(heartbeatPattern, "a name of small letters, digits, - and _"), schema.Schema{"maxLength": maxNameBytes}),
		"every": schema.MoreThanZero(), "severity": schema.Enum(severityNames()...), "labels": schema.Labels(reservedLabels()...),
	}, "name", "every")
}
