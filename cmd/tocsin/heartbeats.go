package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/source/heartbeat"
	"github.com/tocsin-dev/tocsin/store"
)

const (
	lateID = "heartbeat-late"
	// markHeartbeat begins the names of the marks that keep heartbeats.
	markHeartbeat = "heartbeat/"
	// heartbeatGone closes the alert of a heartbeat that is not configured any
	// more. It is longer than the silence after a start; see heartbeat.Samples.
	heartbeatGone = 2 * time.Minute
)

// heartbeatRules are the built-in rule about heartbeats: one rule, with a
// condition for each severity that any of them has and a message for each.
func heartbeatRules(all []configs.Heartbeat) []rule.Spec {
	if len(all) == 0 {
		return nil
	}
	names := map[alert.Severity][]string{}
	r := rule.Spec{ID: lateID, Category: "monitoring", Metric: heartbeat.Late, GoneAfter: heartbeatGone}
	for i := range all {
		h := &all[i]
		names[h.AlertSeverity()] = append(names[h.AlertSeverity()], strconv.Quote(h.Name))
		text := h.Message
		if text == "" {
			text = fmt.Sprintf("Heartbeat %s is late: one is expected every %s", h.Name, units.Duration(h.Every))
			if h.Grace > 0 {
				text += ", with " + units.Duration(h.Grace) + " of grace"
			}
		}
		message := "{{ " + strconv.Quote(text) + " }}" // what is written there is no template
		r.Overrides = append(r.Overrides, rule.Override{Match: []string{heartbeat.Label + "=" + strconv.Quote(h.Name)}, Message: &message})
	}
	for severity, when := range map[alert.Severity]*rule.When{alert.Critical: &r.Critical, alert.Warning: &r.Warning, alert.Info: &r.Info} {
		if list := names[severity]; len(list) > 0 {
			when.When = "value == 1 and labels." + heartbeat.Label + " in [" + strings.Join(list, ", ") + "]"
		}
	}
	return []rule.Spec{r}
}

func heartbeatSpecs(all []configs.Heartbeat) []heartbeat.Spec {
	specs := make([]heartbeat.Spec, len(all))
	for i := range all {
		h := &all[i]
		specs[i] = heartbeat.Spec{Name: h.Name, Every: h.Every, Grace: h.Grace, Severity: h.AlertSeverity(), Labels: alert.FromMap(h.Labels)}
	}
	return specs
}

// openHeartbeats goes on from what was kept before the restart.
func (d *daemon) openHeartbeats(ctx context.Context, c *configs.Config) error {
	marks, err := d.store.Marks(ctx)
	if err != nil {
		return fail("store", err)
	}
	kept := map[string]string{}
	for _, m := range marks {
		if name, ok := strings.CutPrefix(m.Name, markHeartbeat); ok {
			kept[name] = m.Value
		}
	}
	d.heart = heartbeat.New(kept, time.Now())
	return d.configureHeartbeats(ctx, c)
}

// configureHeartbeats takes those of a configuration.
func (d *daemon) configureHeartbeats(ctx context.Context, c *configs.Config) error {
	return d.keepHeartbeats(ctx, d.heart.Configure(heartbeatSpecs(c.Heartbeats), time.Now()))
}

// keepHeartbeats writes down what must outlive a restart.
func (d *daemon) keepHeartbeats(ctx context.Context, keep map[string]string) error {
	if len(keep) == 0 {
		return nil
	}
	var change store.Change
	for name, value := range keep {
		change.Marks = append(change.Marks, store.Mark{Name: markHeartbeat + name, Value: value})
	}
	slices.SortFunc(change.Marks, func(a, b store.Mark) int { return strings.Compare(a.Name, b.Name) })
	if err := d.store.Commit(ctx, change); err != nil {
		return fmt.Errorf("heartbeats: %w", err)
	}
	return nil
}

// stopHeartbeats writes down what came since it last was.
func (d *daemon) stopHeartbeats(ctx context.Context) error {
	return d.keepHeartbeats(ctx, d.heart.Unsaved())
}

// heartView adapts the heartbeats to the API.
type heartView struct{ d *daemon }

// Beat notes a sign of life. One that cannot be written down counts until the
// next restart.
func (v heartView) Beat(ctx context.Context, name string) error {
	now := time.Now()
	wasLate, keep, ok := v.d.heart.Beat(name, now)
	if !ok {
		return fmt.Errorf("heartbeat %q: %w", name, store.ErrNotFound)
	}
	if wasLate {
		v.d.log.Info("heartbeat came late", "heartbeat", name)
		v.d.tellSoon()
	}
	if keep == "" {
		return nil
	}
	if err := v.d.keepHeartbeats(ctx, map[string]string{name: keep}); err != nil {
		v.d.log.Warn("heartbeat is not stored", "heartbeat", name, "error", err)
		return nil
	}
	v.d.heart.Saved(name, now)
	return nil
}

// Heartbeats returns how each stands.
func (v heartView) Heartbeats() []api.HeartbeatStatus {
	all := v.d.heart.Status(time.Now())
	out := make([]api.HeartbeatStatus, len(all))
	for i, s := range all {
		out[i] = api.HeartbeatStatus{
			Name: s.Name, Every: s.Every, Grace: s.Grace, Severity: s.Severity, LastBeat: s.LastBeat, LateAt: s.LateAt, Late: s.Late,
		}
	}
	return out
}

// heartbeatInterval is often enough to see soon that one is late.
func heartbeatInterval(all []configs.Heartbeat) time.Duration {
	often := maxOwnInterval
	for i := range all {
		often = min(often, (all[i].Every+all[i].Grace)/5)
	}
	return max(often, minOwnInterval)
}
