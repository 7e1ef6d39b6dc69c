package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/version"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
	"github.com/tocsin-dev/tocsin/notifiers"
	pluginnotifier "github.com/tocsin-dev/tocsin/notifiers/plugin"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/source"
	pluginsource "github.com/tocsin-dev/tocsin/source/plugin"
)

// How long plugins may take to answer before something else goes on without them.
const (
	pluginCheckTimeout = 15 * time.Second // tocsin check
	pluginStartTimeout = 5 * time.Second  // a reload, and a start, which waits for those alone that yield metrics
)

// pluginSpecs are the configuration's plugins as the host runs them, those left
// out that cannot be meant.
func pluginSpecs(c *configs.Config, environ []string) []pluginhost.Spec {
	specs := make([]pluginhost.Spec, 0, len(c.Plugins))
	named := map[string]bool{}
	for i := range c.Plugins {
		p := &c.Plugins[i]
		if named[p.Name] || !p.Valid() {
			continue
		}
		named[p.Name] = true
		specs = append(specs, pluginhost.Spec{
			Name: p.Name, Path: p.Path, Args: p.Args, Env: p.Environment(environ), SHA256: p.SHA256, MTLS: p.UsesMTLS(),
			Timeout: p.CallTimeout(), Concurrency: p.Concurrency,
		})
	}
	return specs
}

func newPluginHost(log *slog.Logger, onChange func()) *pluginhost.Host {
	return pluginhost.New(pluginhost.Options{Log: log, Version: version.String(), OnChange: onChange})
}

// questions is how plugins are asked about a configuration that is being read.
// The zero value asks none.
type questions struct {
	ctx     context.Context //nolint:containedctx // of the reading, which has no other
	environ []string
	folder  string // of the configuration
	// running has the plugins of a daemon; nil starts others for the occasion.
	running *pluginhost.Host
	// lenient takes it that a plugin cannot be run: a daemon starts, and goes on,
	// without it.
	lenient bool
	// skip asks nobody, and says so.
	skip bool
}

// ask has the plugins judge the settings that are theirs, and say what metrics
// they yield.
func (q questions) ask(c *configs.Config, written *configs.Written) yamlpos.Mistakes {
	specs := pluginSpecs(c, q.environ)
	switch {
	case len(specs) == 0 || q.ctx == nil:
		return nil
	case q.skip:
		return written.Locate(problem.List{{
			Path: "plugins", Warning: true, Code: problem.PluginUnasked,
			Message: "not started, so the settings of their sources and receivers are not judged, and rules may name any metric",
		}})
	}
	hosts, outdated, done, err := q.hosts(specs)
	if err != nil && !q.lenient {
		return written.Locate(problem.List{{Path: "plugins", Message: err.Error(), Code: problem.PluginFails}})
	}
	defer done()
	wait := pluginCheckTimeout
	if q.lenient {
		wait = pluginStartTimeout // the daemon stands still meanwhile
	}
	ctx, cancel := context.WithTimeout(q.ctx, wait)
	defer cancel()
	var mu sync.Mutex // guards problems and c
	var problems problem.List
	var wg sync.WaitGroup
	for i := range c.Plugins {
		name, host := c.Plugins[i].Name, hosts[c.Plugins[i].Name]
		if host == nil {
			continue
		}
		wg.Go(func() {
			q := q
			q.lenient = q.lenient && !outdated[name] // the one that runs goes on
			found := q.askOne(ctx, host, fmt.Sprintf("plugins[%d].path", i), name, written, func(metrics []source.Metric) {
				mu.Lock()
				defer mu.Unlock()
				c.DescribePlugin(name, metrics)
			})
			mu.Lock()
			defer mu.Unlock()
			problems = append(problems, found...)
		})
	}
	wg.Wait()
	return written.Locate(problems)
}

// hosts finds who runs each plugin: the daemon, where it has exactly that one, or
// a host for the occasion. A plugin is outdated when the daemon runs it, and another
// program is at its path by now. The error means that there are no other hosts than
// the daemon.
func (q questions) hosts(specs []pluginhost.Spec) (hosts map[string]*pluginhost.Host, outdated map[string]bool, done func(), err error) {
	hosts, outdated = map[string]*pluginhost.Host{}, map[string]bool{}
	var others []pluginhost.Spec
	for _, spec := range specs {
		if q.running != nil {
			var runs bool
			if runs, outdated[spec.Name] = q.running.Runs(spec); runs {
				hosts[spec.Name] = q.running
				continue
			}
		}
		others = append(others, spec)
	}
	if len(others) == 0 {
		return hosts, outdated, func() {}, nil
	}
	occasion := newPluginHost(slog.New(slog.DiscardHandler), nil)
	if err := occasion.Apply(others); err != nil {
		return hosts, outdated, func() {}, err
	}
	for _, spec := range others {
		hosts[spec.Name] = occasion
	}
	return hosts, outdated, occasion.Close, nil
}

// askOne asks one plugin for everything that the configuration has of it.
func (q questions) askOne(ctx context.Context, host *pluginhost.Host, path, name string, written *configs.Written, described func([]source.Metric)) problem.List {
	description, err := host.Describe(ctx, name)
	if err != nil {
		if q.lenient {
			return nil
		}
		return problem.List{{Path: path, Message: err.Error(), Code: problem.PluginFails}}
	}
	described(pluginsource.Metrics(description))
	var problems problem.List
	judge := func(at string, kind pluginpb.Kind, part string, settings any) {
		found, err := judgeSettings(ctx, host, pluginhost.Use{Plugin: name, Kind: kind, Name: part, Folder: q.folder}, settings)
		if err != nil && !q.lenient {
			found = append(found, problem.Problem{Path: "type", Message: err.Error(), Code: problem.PluginFails})
		}
		problems.Under(at, found)
	}
	for i := range written.Receivers {
		if r := &written.Receivers[i]; r.Type == name && !r.LeftOut() {
			judge(fmt.Sprintf("receivers[%d]", i), pluginpb.Kind_KIND_NOTIFIER, r.Name, r.Settings)
		}
	}
	for i := range written.Sources {
		if s := &written.Sources[i]; s.Type == name && !s.LeftOut() {
			judge(fmt.Sprintf("sources[%d]", i), pluginpb.Kind_KIND_SOURCE, s.Name, s.Settings)
		}
	}
	return problems
}

func judgeSettings(ctx context.Context, host *pluginhost.Host, use pluginhost.Use, settings any) (problem.List, error) {
	own, err := as[configs.PluginSettings](settings)
	if err != nil {
		return nil, nil //nolint:nilerr // the type is another's: that is said elsewhere
	}
	if use.Settings, err = own.JSON(); err != nil {
		return nil, err
	}
	return host.Judge(ctx, use)
}

// startPlugins starts a daemon's plugins, and waits a little for those that say
// what metrics the rules may name. None keeps the daemon from starting.
func startPlugins(ctx context.Context, host *pluginhost.Host, c *configs.Config, environ []string, log *slog.Logger) {
	if err := host.Apply(pluginSpecs(c, environ)); err != nil {
		return // newDaemon meets it again
	}
	ctx, cancel := context.WithTimeout(ctx, pluginStartTimeout)
	defer cancel()
	for _, name := range c.PluginSources() {
		description, err := host.Describe(ctx, name)
		if err != nil {
			log.Warn("a plugin does not say what metrics it yields; until it does, rules may name any", "plugin", name, "error", err)
			continue
		}
		c.DescribePlugin(name, pluginsource.Metrics(description))
	}
}

// learnMetrics reads the files anew once a plugin runs that could not be asked what
// it yields when they were read, for rules are compiled by that. learnt has the
// processes that were asked so, each once.
func (d *daemon) learnMetrics(ctx context.Context, learnt map[string]int) {
	d.mu.Lock()
	undescribed := d.plan.config.Undescribed()
	d.mu.Unlock()
	if len(undescribed) == 0 {
		return
	}
	for _, s := range d.plugins.Status() {
		if s.State != pluginhost.Running || learnt[s.Name] == s.PID || !slices.Contains(undescribed, s.Name) {
			continue
		}
		learnt[s.Name] = s.PID
		d.log.Info("a plugin says at last what metrics it yields; reloading", "plugin", s.Name)
		if err := d.Reload(ctx); err != nil {
			d.log.Error("reload refused; the old configuration goes on", "error", err)
		}
		return
	}
}

// pluginNotifier makes the notifier of a receiver of a plugin's type.
func (d *daemon) pluginNotifier(r *configs.Receiver) (notifiers.Notifier, error) {
	settings, err := as[configs.PluginSettings](r.Settings)
	if err != nil {
		return nil, err
	}
	text, err := settings.JSON()
	if err != nil {
		return nil, err
	}
	return pluginnotifier.New(d.plugins, r.Type, r.Name, text, filepath.Dir(d.files.config)), nil
}

// pluginSource makes a source of a plugin's type.
func (d *daemon) pluginSource(s *configs.Source) (source.Source, error) {
	settings, err := as[configs.PluginSettings](s.Settings)
	if err != nil {
		return nil, err
	}
	text, err := settings.JSON()
	if err != nil {
		return nil, err
	}
	return pluginsource.New(d.plugins, s.Type, s.Name, text, filepath.Dir(d.files.config)), nil
}

// pluginStatus is what the API tells of the plugins.
func (d *daemon) pluginStatus() []api.PluginStatus {
	all := d.plugins.Status()
	out := make([]api.PluginStatus, len(all))
	for i, s := range all {
		out[i] = api.PluginStatus{
			Name: s.Name, Path: s.Path, Version: s.Described.Version, Described: s.Described.Name, Kinds: s.Described.Kinds(),
			State: string(s.State), Since: s.Since, FailingSince: s.FailingSince, PID: s.PID, SHA256: s.SHA256, Pinned: s.Pinned, MTLS: s.MTLS,
			Restarts: s.Restarts, Calls: s.Calls, Failures: s.Failures, Deadlines: s.Deadlines, InFlight: s.InFlight, Concurrency: s.Concurrency,
			LastError: s.LastError, LastErrorAt: s.LastErrorAt, LogLinesDropped: s.LogLinesDropped,
		}
	}
	return out
}
