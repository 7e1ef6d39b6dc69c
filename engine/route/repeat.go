package route

import (
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// RepeatSpec is how long until what still fires is told again: one duration, or
// a mapping of severities. A severity that is left out keeps the parent's.
type RepeatSpec struct {
	// Critical, Warning and Info are the time of each severity.
	Critical *time.Duration `yaml:"critical"`
	Warning  *time.Duration `yaml:"warning"`
	Info     *time.Duration `yaml:"info"`

	every *time.Duration // of all severities: the short form
}

// Every makes the short form: one time for every severity.
func Every(d time.Duration) *RepeatSpec { return &RepeatSpec{every: &d} }

// FromScalar reads the short form, 4h.
func (r *RepeatSpec) FromScalar(text string) error {
	d, err := units.ParseDuration(text)
	if err != nil {
		return err
	}
	*r = RepeatSpec{every: &d}
	return nil
}

// ScalarSchema says which texts FromScalar takes.
func (RepeatSpec) ScalarSchema() schema.Schema {
	return schema.Merge(schema.MoreThanZero(), schema.Text(units.DurationPattern(), "a duration such as 4h, or {critical: 1h, warning: 12h}"))
}

// JSONSchema says what reflection cannot of the long form.
func (RepeatSpec) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"critical": schema.MoreThanZero(), "warning": schema.MoreThanZero(), "info": schema.MoreThanZero(),
	})
}

// repeats are the times of each severity, by alert.Severity.
type repeats [alert.Critical + 1]time.Duration

// setRepeat lays the written times over those of the parent.
func (r *Route) setRepeat(spec *RepeatSpec, path string, problems *problem.List) {
	if spec == nil {
		return
	}
	at := problem.Join(path, "repeat_interval")
	if spec.every != nil {
		if *spec.every <= 0 {
			problems.Add(at, "want more than 0s")
			return
		}
		r.RepeatInterval, r.repeat = *spec.every, repeats{}
	}
	for _, t := range [...]struct {
		given    *time.Duration
		severity alert.Severity
	}{{spec.Critical, alert.Critical}, {spec.Warning, alert.Warning}, {spec.Info, alert.Info}} {
		switch {
		case t.given == nil:
		case *t.given <= 0:
			problems.Add(problem.Join(at, t.severity.String()), "want more than 0s")
		default:
			r.repeat[t.severity] = *t.given
		}
	}
}

// RepeatOf is how long until an alert of the severity is told again.
func (r *Route) RepeatOf(severity alert.Severity) time.Duration {
	if int(severity) < len(r.repeat) && r.repeat[severity] > 0 {
		return r.repeat[severity]
	}
	return r.RepeatInterval
}

// shortestRepeat is the severity that is told again soonest.
func (r *Route) shortestRepeat() alert.Severity {
	shortest := alert.Critical
	for _, s := range alert.Severities() {
		if r.RepeatOf(s) < r.RepeatOf(shortest) {
			shortest = s
		}
	}
	return shortest
}
