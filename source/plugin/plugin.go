// Package plugin polls sources through plugins: it is the host's side of the
// Source of the plugin protocol. cmd makes one for each source of a plugin's type.
// It starts no process, which internal/pluginhost does.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/source"
)

// What is taken of one poll.
const (
	maxSamples   = 50_000
	maxParts     = 100
	maxTextBytes = 1 << 10
	maxMetrics   = 1000 // that it may declare
	// Labels are kept as long as their series is. The bounds are those of a push.
	maxLabels     = 30
	maxLabelBytes = 1000
	// maxAhead is how far a sample's time may be ahead: our clocks may differ.
	maxAhead = time.Minute
)

// Host runs the plugins; *pluginhost.Host is one.
type Host interface {
	Poll(ctx context.Context, use pluginhost.Use) (*pluginpb.PollResponse, error)
	Describe(ctx context.Context, plugin string) (pluginhost.Description, error)
}

// Source is one source of a plugin's type.
type Source struct {
	host Host
	use  pluginhost.Use
}

// New makes a source. The settings are a JSON object; files that they name are
// relative to the folder.
func New(host Host, plugin, name string, settings []byte, folder string) *Source {
	return &Source{host: host, use: pluginhost.Use{Plugin: plugin, Kind: pluginpb.Kind_KIND_SOURCE, Name: name, Settings: settings, Folder: folder}}
}

// Metrics are what a plugin declares, for the catalog.
func Metrics(d pluginhost.Description) []source.Metric {
	out := make([]source.Metric, 0, len(d.Metrics))
	for _, m := range d.Metrics[:min(len(d.Metrics), maxMetrics)] {
		if isMetricName(m.GetName()) {
			out = append(out, source.Metric{Name: m.GetName(), Unit: unitOf(m.GetUnit()), Kind: source.Gauge, Description: cut(m.GetHelp())})
		}
	}
	return out
}

// isMetricName says whether rules can name it.
func isMetricName(name string) bool {
	return len(name) <= 200 && regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_:.]*$`).MatchString(name)
}

// unitOf leaves out what is none of the catalog's units: such a metric has none.
func unitOf(unit string) string {
	switch unit {
	case "%", "ms", "s", "bytes", "/s", "/min", "bytes/s":
		return unit
	}
	return ""
}

// Poll reads the source once. A plugin that does not run cannot see: its source is
// not down for that, but Blind.
func (s *Source) Poll(ctx context.Context) (source.Reading, error) {
	description, err := s.host.Describe(ctx, s.use.Plugin)
	if err != nil {
		return source.Reading{}, &source.Fault{Kind: source.Blind, Err: err}
	}
	answer, err := s.host.Poll(ctx, s.use)
	if err != nil {
		return source.Reading{}, &source.Fault{Kind: source.Blind, Err: err}
	}
	declared := map[string]bool{}
	for _, m := range description.Metrics {
		declared[m.GetName()] = true
	}
	return readingOf(answer, declared), s.errorOf(answer)
}

// Close does nothing: the process serves others, too.
func (s *Source) Close() error { return nil }

// readingOf takes what the plugin declared and may yield; the rest is a problem
// beside it.
func readingOf(answer *pluginpb.PollResponse, declared map[string]bool) source.Reading {
	reading := source.Reading{Health: healthOf(answer.GetHealth())}
	if at := answer.GetStartedAt(); at != nil && at.IsValid() {
		reading.StartedAt = at.AsTime()
	}
	problem := func(query, format string, args ...any) {
		if len(reading.Problems) < maxParts {
			reading.Problems = append(reading.Problems, source.Problem{Query: cut(query), Err: fmt.Errorf(format, args...)})
		}
	}
	told := map[string]bool{}
	for i, s := range answer.GetSamples() {
		metric := s.GetMetric()
		switch {
		case i >= maxSamples:
			problem("samples", "the plugin yields %d samples; those after the first %d are left out", len(answer.GetSamples()), maxSamples)
			return reading
		case !declared[metric]:
			if !told[metric] {
				problem(metric, "the plugin yields the metric %q, which it does not declare", cut(metric))
			}
			told[metric] = true
			continue
		}
		sample, err := sampleOf(s)
		if err != nil {
			problem(metric, "%w", err)
			continue
		}
		reading.Samples = append(reading.Samples, sample)
	}
	for _, part := range answer.GetFailed() {
		problem(part.GetName(), "%s", cut(part.GetError()))
	}
	return reading
}

// sampleOf takes one sample, or says why rules cannot use it.
func sampleOf(s *pluginpb.Sample) (alert.Sample, error) {
	sample := alert.Sample{Metric: s.GetMetric(), Value: s.GetValue(), Labels: labelsOf(s.GetLabels())}
	if math.IsNaN(sample.Value) || math.IsInf(sample.Value, 0) {
		return sample, errors.New("the plugin yields a value that is no number")
	}
	if at := s.GetAt(); at != nil {
		sample.At = at.AsTime()
		switch {
		case !at.IsValid():
			return sample, errors.New("the plugin yields a time that is none")
		case time.Until(sample.At) > maxAhead: // it would shut out the present
			return sample, errors.New("the plugin yields a sample from the future")
		}
	}
	if len(sample.Labels) > maxLabels {
		return sample, fmt.Errorf("the plugin yields a sample of %d labels; want at most %d", len(sample.Labels), maxLabels)
	}
	for _, l := range sample.Labels {
		if len(l.Name) > maxLabelBytes || len(l.Value) > maxLabelBytes {
			return sample, fmt.Errorf("the plugin yields a label %q of %d bytes; want at most %d", cut(l.Name), len(l.Value), maxLabelBytes)
		}
	}
	return sample, nil
}

// labelsOf leaves out what is no name of a label.
func labelsOf(labels map[string]string) alert.Labels {
	for name := range labels {
		if !alert.IsLabelName(name) {
			delete(labels, name)
		}
	}
	return alert.FromMap(labels)
}

func (s *Source) errorOf(answer *pluginpb.PollResponse) error {
	if answer.GetError() == "" {
		return nil
	}
	fault := &source.Fault{Kind: source.Down, Err: errors.New(cut(answer.GetError()))}
	switch kind := source.FaultKind(answer.GetFault()); kind {
	case source.Busy, source.Starting, source.Full, source.Blind, source.Garbled, source.Down:
		fault.Kind = kind
	}
	return fault
}

func healthOf(text string) source.Health {
	switch h := source.Health(text); h {
	case source.Healthy, source.Degraded, source.Unhealthy:
		return h
	case source.Unknown:
	}
	return ""
}

func cut(text string) string {
	if len(text) > maxTextBytes {
		text = text[:maxTextBytes]
	}
	return strings.ToValidUTF8(text, "")
}
