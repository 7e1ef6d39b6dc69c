// Package plugins is for authors of plugins: a receiver or a source of metrics
// in a process of its own, which Tocsin starts and speaks to. A plugin is a main
// of a few lines:
//
//	func main() {
//		plugins.Serve(plugins.Notifier("pager", "1.0.0", Default, New))
//	}
//
// with a struct of settings, its defaults, and a constructor of a
// notifiers.Notifier, the same interface that Tocsin's own receivers satisfy.
// The package does the rest: the handshake, the schema of the settings, their
// strict reading, one instance a receiver, panics, logs, the end. It retries
// nothing and stores nothing: Tocsin does. Package plugintest tries the outcome,
// as does `tocsin plugin test`.
package plugins

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/source"
)

// Secret is a text in the settings that is never shown: it prints as *** in every
// format, and Reveal gives it.
type Secret = secret.String

// SecretURL is a URL whose path, query or password may hold a secret: it prints
// without them. notifiers.Post takes it.
type SecretURL = secret.URL

// Problems collects what is wrong with settings:
//
//	var ps plugins.Problems
//	ps.Add("to[0]", "%q is no address", c.To[0])
type Problems = problem.List

// Metric is one metric that a source yields.
type Metric struct {
	Name string // as queue.depth: lower case letters, digits, "_" and "."
	Unit string // "", "%", "ms", "s", "bytes", …
	Help string // one sentence
}

// Plugin is what Serve serves. Notifier and Source make one.
type Plugin struct {
	name, version string
	kind          pluginpb.Kind
	concurrency   int
	metrics       []Metric
	settings      reflect.Type

	defaults func() reflect.Value
	validate func(config []byte) Problems
	notifier func(config []byte) (notifiers.Notifier, error)
	source   func(config []byte) (source.Source, error)
}

// Option is a thing that few plugins have to say of themselves.
type Option func(*Plugin)

// Concurrency is how many calls at a time the plugin likes. Without it Tocsin
// chooses.
func Concurrency(calls int) Option { return func(p *Plugin) { p.concurrency = max(0, calls) } }

// Notifier is a plugin that is a receiver. C is the struct of its settings: its
// fields are named by their json tags (or yaml tags), `doc:"…"` describes one and
// `required:"true"` asks for it; a field of type Secret is shown to nobody, and a
// time.Duration is written as 5s. defaults gives the settings that nobody wrote.
// Where C has Validate() Problems, or Validate() error, it judges what types
// cannot say. build makes the notifier of right settings; Tocsin may have many
// receivers of the plugin's type, and build is called once for each. An error of
// build fails the notification, to be tried again. A notifier that is an
// io.Closer is closed when its settings changed and when the plugin ends.
func Notifier[C any](name, version string, defaults func() C, build func(C) (notifiers.Notifier, error), options ...Option) *Plugin {
	p := newPlugin(name, version, pluginpb.Kind_KIND_NOTIFIER, defaults, options)
	p.notifier = func(config []byte) (notifiers.Notifier, error) { return construct(config, defaults, build) }
	return p
}

// Source is a plugin that is a source of metrics, as Notifier is for receivers:
// build makes a source.Source, which is polled, and metrics are all that it may
// yield.
func Source[C any](name, version string, defaults func() C, metrics []Metric, build func(C) (source.Source, error), options ...Option) *Plugin {
	p := newPlugin(name, version, pluginpb.Kind_KIND_SOURCE, defaults, options)
	p.metrics = metrics
	p.source = func(config []byte) (source.Source, error) { return construct(config, defaults, build) }
	return p
}

func newPlugin[C any](name, version string, kind pluginpb.Kind, defaults func() C, options []Option) *Plugin {
	p := &Plugin{name: name, version: version, kind: kind, settings: reflect.TypeFor[C]()}
	p.defaults = func() reflect.Value { return reflect.ValueOf(defaults()) }
	p.validate = func(config []byte) Problems {
		_, ps := settingsFrom(config, defaults)
		return ps
	}
	for _, o := range options {
		o(p)
	}
	return p
}

func construct[C, T any](config []byte, defaults func() C, build func(C) (T, error)) (made T, err error) {
	c, ps := settingsFrom(config, defaults)
	if err := wrong(ps); err != nil {
		return made, fmt.Errorf("settings: %w", err)
	}
	return build(c)
}

// settingsFrom reads settings and judges them: unknown fields and wrong types
// first, for Validate cannot say anything sensible beside them.
func settingsFrom[C any](config []byte, defaults func() C) (C, Problems) {
	c := defaults()
	ps := decode(config, &c)
	if wrong(ps) != nil {
		return c, ps
	}
	switch v := any(&c).(type) {
	case interface{ Validate() Problems }:
		ps = append(ps, v.Validate()...)
	case interface{ Validate() error }:
		if err := v.Validate(); err != nil {
			ps.Add("", "%v", err)
		}
	}
	return c, ps
}

// wrong returns the first problem that is more than a warning.
func wrong(ps Problems) error {
	var errs Problems
	for _, p := range ps {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errs.Err()
}

// describe says what the plugin is. defaults come with the schema.
func (p *Plugin) describe() (*pluginpb.DescribeResponse, error) {
	text, err := json.Marshal(p.schema())
	if err != nil {
		return nil, fmt.Errorf("the schema of %s: %w", p.settings, err)
	}
	out := &pluginpb.DescribeResponse{
		Name: p.name, Version: p.version, Kinds: []pluginpb.Kind{p.kind}, ConfigSchema: string(text), Concurrency: uint32(p.concurrency),
	}
	for _, m := range p.metrics {
		out.Metrics = append(out.Metrics, &pluginpb.Metric{Name: m.Name, Unit: m.Unit, Help: m.Help})
	}
	return out, nil
}

// check finds what only the author can have done wrong.
func (p *Plugin) check() error {
	name := regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	metric := regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$`)
	switch {
	case !name.MatchString(p.name):
		return fmt.Errorf("plugin %q: a name is lower case letters, digits and -", p.name)
	case p.version == "":
		return fmt.Errorf("plugin %s has no version", p.name)
	case p.settings.Kind() != reflect.Struct:
		return fmt.Errorf("plugin %s: its settings are %s, and must be a struct", p.name, p.settings)
	case p.kind == pluginpb.Kind_KIND_SOURCE && len(p.metrics) == 0:
		return fmt.Errorf("plugin %s: a source without metrics", p.name)
	}
	for _, m := range p.metrics {
		if !metric.MatchString(m.Name) {
			return fmt.Errorf("plugin %s: metric %q: a name is lower case letters, digits, _ and dots between", p.name, m.Name)
		}
	}
	_, err := p.describe()
	return err
}
