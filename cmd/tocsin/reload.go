package main

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// reloadState is how the last reading of the files went. It is never changed.
type reloadState struct {
	at          time.Time
	succeededAt time.Time
	// err names every mistake of a refused edit; nil when it was accepted.
	err error
}

// Reload reads the configuration and the rules anew, whether or not they have
// changed. All or nothing: with any mistake the old ones go on, and the error
// names every mistake.
func (d *daemon) Reload(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return api.ErrStopping
	}
	f := d.files
	f.reading = &reading{again: true}
	p, mistakes := load(f, d.world)
	err := refusal(mistakes)
	if err == nil {
		err = d.apply(ctx, p)
	}
	d.conclude(ctx, f.reading, err)
	return err
}

// reloadChanged is called when a file is not what was read any more.
func (d *daemon) reloadChanged(ctx context.Context) {
	d.log.Info("files changed; reloading")
	if err := d.Reload(ctx); err != nil {
		d.log.Error("reload refused; the old configuration goes on", "error", err)
	}
}

// apply works by a plan from now on, or changes nothing. mu is held.
func (d *daemon) apply(ctx context.Context, p *plan) error {
	receivers, err := d.buildReceivers(p.config)
	if err != nil {
		return err
	}
	for name, changed := range map[string]bool{
		"server.listen": p.config.Server.Listen != d.started.Server.Listen,
		"store":         !reflect.DeepEqual(p.config.Store, d.started.Store),
	} {
		if changed {
			d.log.Warn("a setting takes effect at the next start", "setting", name)
		}
	}
	if err := d.plugins.Apply(pluginSpecs(p.config, d.world.environ)); err != nil {
		return err
	}
	if err := d.buildSources(p.config); err != nil {
		return errors.Join(err, d.plugins.Apply(pluginSpecs(d.plan.config, d.world.environ)))
	}
	d.outbox.SetReceivers(receivers)
	d.buttons = buttonsOf(receivers)
	// From here on it goes through, whatever becomes of who asked for it.
	if err := d.engine.Reload(context.WithoutCancel(ctx), d.setup(p)); err != nil {
		return fail("rules", err)
	}
	d.plan, d.refusal = p, ""
	if err := d.configureHeartbeats(context.WithoutCancel(ctx), p.config); err != nil {
		d.log.Warn("heartbeats are not stored: after a restart those that are new are waited for anew", "error", err)
	}
	d.exchangeAPI()
	d.exchangePulses(p.config)
	return nil
}

// conclude tells everybody how a reading of the files went: the watcher what
// was read, the probes and metrics, and by a sample the rules. mu is held.
func (d *daemon) conclude(ctx context.Context, read *reading, err error) {
	now := time.Now()
	state := &reloadState{at: now, succeededAt: now, err: err}
	if err == nil {
		d.log.Info("configuration reloaded", "rules", len(d.plan.rules), "sources", len(d.sources))
		d.watchFiles(d.plan)
	} else {
		state.succeededAt = d.reload.Load().succeededAt
		d.watcher.Note(read.sums, read.watched())
		d.nameRefusal(ctx, err)
	}
	d.reload.Store(state)
	d.tellSoon()
}

// watchFiles has the watcher watch what the plan was made of.
func (d *daemon) watchFiles(p *plan) {
	every := p.config.Reload.Interval
	if !p.config.Reload.Watch || d.files.once() {
		every = 0
	}
	d.watcher.Watch(p.read.sums, p.read.watched(), every)
}

// refusal makes an error of mistakes; nil when there are none but warnings.
func refusal(mistakes yamlpos.Mistakes) error {
	if mistakes.Err() == nil {
		return nil
	}
	return &api.Refusal{Mistakes: mistakesOf(mistakes), Text: mistakes.Error()}
}

func mistakesOf(mistakes yamlpos.Mistakes) []api.Mistake {
	out := make([]api.Mistake, 0, len(mistakes))
	for _, m := range mistakes {
		out = append(out, api.Mistake{
			File: m.File, Line: m.Line, Column: m.Column, Path: m.Path,
			Message: m.Message, Hint: m.Hint, Warning: m.Warning,
		})
	}
	return out
}

// mistakesIn returns what an error of Reload says is wrong.
func mistakesIn(err error) []api.Mistake {
	var refused *api.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused.Mistakes
	}
	return []api.Mistake{{Message: err.Error()}}
}

// lastReload is what the readiness check tells.
func (d *daemon) lastReload() api.ReloadStatus {
	state := d.reload.Load()
	return api.ReloadStatus{OK: state.err == nil, At: state.at, Mistakes: mistakesIn(state.err)}
}
