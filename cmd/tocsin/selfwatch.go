package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/source"
)

// The daemon yields samples of its own, so that an edit that is refused, a
// receiver that takes nothing and a store that keeps nothing are alerts like any
// other.
const (
	// ownSource is the source of the daemon's own samples. No configured source
	// can have a name that begins like this.
	ownSource = "_tocsin"
	configOK  = "tocsin.config_ok"
	refusedID = "config-refused"

	receiverDisabled = "tocsin.receiver_disabled"
	receiverWaiting  = "tocsin.receiver_waiting"
	disabledID       = "receiver-disabled"
	failingID        = "receiver-failing"

	pluginFailing   = "tocsin.plugin_failing"
	pluginFailingID = "plugin-failing"

	storeFailing   = "tocsin.store_failing"
	storeDamaged   = "tocsin.store_damaged"
	storeFailingID = "store-failing"
	storeDamagedID = "store-damaged"

	maxOwnInterval = 10 * time.Second
	minOwnInterval = 100 * time.Millisecond
	maxRefusalText = 300 // characters of a mistake in a message
)

// refusedRule is the built-in rule about refused edits. A file that is half
// written is refused too; after says how long people have to finish. first is
// the first mistake, and how many more there are; empty for none yet.
func refusedRule(after time.Duration, first string) rule.Spec {
	message := "An edit of the configuration or the rules is refused; the old ones go on"
	if first != "" {
		message += ": " + first
	}
	return rule.Spec{
		ID: refusedID, Category: "monitoring", Metric: configOK, Warning: rule.When{When: "value == 0"}, For: after,
		Message: "{{ " + strconv.Quote(message) + " }}", // what a mistake quotes is no template
	}
}

// receiverRules are the built-in rules about receivers. What they find is told
// by the other receivers.
func receiverRules() []rule.Spec {
	return []rule.Spec{
		{
			ID: disabledID, Category: "monitoring", Metric: receiverDisabled, Critical: rule.When{When: "value == 1"},
			Message: "Receiver {{ .Labels.receiver }} is disabled: it answered 410 Gone. Change its settings, or enable it once it is back",
		},
		{
			ID: failingID, Category: "monitoring", Metric: receiverWaiting, Warning: rule.When{When: "value > 10m"},
			Message: "Receiver {{ .Labels.receiver }} has taken nothing for 10 minutes though notifications wait",
		},
	}
}

// pluginRules are the built-in rules about plugins. A death alone is none: the
// next process is up before anybody could look.
func pluginRules() []rule.Spec {
	return []rule.Spec{{
		ID: pluginFailingID, Category: "monitoring", Metric: pluginFailing, Warning: rule.When{When: "value > 10s"},
		Message: "Plugin {{ .Labels.plugin }} does not run: what goes through it waits. GET /api/v1/plugins, tocsin plugins and the log say why",
	}}
}

// storeRules are the built-in rules about the store. They are told though the
// store refuses: telling waits for no disk.
func storeRules() []rule.Spec {
	return []rule.Spec{
		{
			ID: storeFailingID, Category: "monitoring", Metric: storeFailing, Critical: rule.When{When: "value > 5s"},
			Message: "The store has taken nothing for {{ .ValueText }}: what fires is told, and kept in memory only. The log says why: look at the disk's room, its health and the file's permissions",
		},
		{
			ID: storeDamagedID, Category: "monitoring", Metric: storeDamaged,
			Critical: rule.When{When: "value == 2"}, Warning: rule.When{When: "value == 1"},
			Message: "{{ if eq .Severity \"critical\" }}The database is damaged: restart the daemon, which keeps what can be read" +
				"{{ else }}The database was damaged: the file is set aside, and what could be read of it is kept. The log of the start names both{{ end }}",
		},
	}
}

// nameRefusal puts the first mistake into the message of the built-in rule. A
// label would make another alert of each edit; a rule that is exchanged keeps
// its alert. mu is held.
func (d *daemon) nameRefusal(ctx context.Context, err error) {
	first := firstMistake(err)
	if first == d.refusal {
		return
	}
	spec := refusedRule(d.plan.config.Reload.AlertAfter, first)
	named := *d.plan
	named.rules = nil
	for _, r := range d.plan.rules {
		_, written := d.plan.places[r.ID]
		if r.ID == refusedID && !written {
			if again, problems := rule.Compile(spec, d.plan.config.Catalog()); problems.Err() == nil {
				r = again
			}
		}
		named.rules = append(named.rules, r)
	}
	if err := d.engine.Reload(context.WithoutCancel(ctx), d.setup(&named)); err != nil {
		return // the engine has stopped: nobody is told anything any more
	}
	d.refusal = first
}

// firstMistake names the first mistake and how many more there are.
func firstMistake(err error) string {
	text, more := "", 0
	for _, m := range mistakesIn(err) {
		switch {
		case m.Warning:
		case text != "":
			more++
		case m.Line > 0:
			text = fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, strings.TrimPrefix(m.Path+": "+m.Message, ": "))
		default:
			text = strings.TrimPrefix(m.File+": "+m.Message, ": ")
		}
	}
	if runes := []rune(text); len(runes) > maxRefusalText {
		text = string(runes[:maxRefusalText]) + "…"
	}
	if more > 0 {
		text += " (and " + strconv.Itoa(more) + " more)"
	}
	return text
}

// tellOfItself hands the daemon's own samples to the engine, at once when the
// files are read and every now and then, until ctx ends.
func (d *daemon) tellOfItself(ctx context.Context) {
	learnt := map[string]int{}
	for {
		d.learnMetrics(ctx, learnt)
		d.mu.Lock()
		every := min(ownInterval(d.plan.config.Reload.AlertAfter), heartbeatInterval(d.plan.config.Heartbeats))
		d.mu.Unlock()
		now := time.Now()
		batch := source.Batch{Source: ownSource, Type: "tocsin", At: now, Samples: d.ownSamples(now), Interval: every}
		if err := d.engine.Ingest(ctx, batch); err != nil {
			return // ctx has ended, or the engine
		}
		timer := time.NewTimer(every)
		select {
		case <-ctx.Done():
		case <-d.retell:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// storeFailing is how long the store has refused what it is given.
func (d *daemon) storeFailing(now time.Time) time.Duration {
	var longest time.Duration
	for _, since := range [...]time.Time{d.engine.Stats().StoreDownSince, d.outbox.RefusedSince()} {
		if !since.IsZero() {
			longest = max(longest, now.Sub(since))
		}
	}
	return longest
}

// storeDamage is 1 when a damaged file was set aside at the start, and 2 when
// damage was met since.
func (d *daemon) storeDamage() float64 {
	switch {
	case d.store.Damaged():
		return 2
	case d.store.Damage() != nil:
		return 1
	}
	return 0
}

// ownSamples are how the files, the store, the receivers and the heartbeats
// stand.
func (d *daemon) ownSamples(now time.Time) []alert.Sample {
	own := alert.LabelsOf(alert.LabelSource, ownSource)
	out := []alert.Sample{
		{Metric: configOK, Labels: own, Value: oneIf(d.reload.Load().err == nil), At: now},
		{Metric: storeFailing, Labels: own, Value: d.storeFailing(now).Seconds(), At: now},
		{Metric: storeDamaged, Labels: own, Value: d.storeDamage(), At: now},
	}
	d.mu.Lock()
	receivers := d.plan.config.Receivers
	d.mu.Unlock()
	out = append(out, d.heart.Samples(own, now)...)
	for _, p := range d.plugins.Status() {
		failing := 0.0
		if !p.FailingSince.IsZero() {
			failing = now.Sub(p.FailingSince).Seconds()
		}
		out = append(out, alert.Sample{Metric: pluginFailing, Labels: own.With("plugin", p.Name), Value: failing, At: now})
	}
	standing := d.outbox.Status()
	for _, r := range receivers {
		s, labels := standing[r.Name], own.With("receiver", r.Name)
		waiting := s.Waiting.Seconds()
		if s.Disabled {
			waiting = 0 // that is the other rule's to tell
		}
		out = append(out,
			alert.Sample{Metric: receiverDisabled, Labels: labels, Value: oneIf(s.Disabled), At: now},
			alert.Sample{Metric: receiverWaiting, Labels: labels, Value: waiting, At: now})
	}
	return out
}

// ownInterval is often enough for a `for` of that length.
func ownInterval(after time.Duration) time.Duration {
	return min(maxOwnInterval, max(minOwnInterval, after/3))
}
