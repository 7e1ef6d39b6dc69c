package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/api"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/version"
)

// newAPI makes the API over what runs now.
func (d *daemon) newAPI() *api.Server {
	c := d.plan.config
	options := api.Options{
		Board: d.board, Engine: engineView{d}, Explainer: engineView{d}, History: d.store, Deliveries: d.store, Sender: sender{d}, Plugins: d.pluginStatus,
		ResolveTimeout: c.External.ResolveTimeout, Router: d.engine, Poster: d.engine, Operator: d.engine,
		AlertExplainer: d.engine, Heart: heartView{d}, Keys: map[string]api.KeyScanner{},
		Reloader: d, RuleFiles: ruleFiles{d}, LastReload: d.lastReload, Ready: d.ready, Gatherer: d.registry, Registerer: d.registry, Log: d.log,
		Limits: api.Limits{ReadTimeout: c.Server.ReadTimeout},
		Listen: d.listener.Addr().String(), ExternalURL: c.ExternalURL(), Version: version.String(), Services: map[string]string{},
		Buttons: d.buttons, LinkKey: d.linkKey,
	}
	for _, t := range c.Server.Tokens {
		options.Tokens = append(options.Tokens, api.Token{Name: t.Name, Token: t.Token, Scope: api.Scope(t.Scope)})
	}
	for name, r := range d.sources {
		if r.keys != nil {
			options.Keys[name] = r.keys
		}
		if r.config.Service != "" {
			options.Services[name] = r.config.Service
		}
		if r.hub != nil {
			options.Ingester = ingester{r}
		}
	}
	return api.New(options)
}

// exchangeAPI puts an API over what runs now in the place of the last one. It
// is called before run, or with mu held.
func (d *daemon) exchangeAPI() *api.Server {
	server := d.newAPI()
	h := server.Handler()
	d.handler.Store(&h)
	return server
}

// ingester adapts the push source to the API.
type ingester struct{ r *running }

// Ingest hands a pushed document to the source.
func (i ingester) Ingest(ctx context.Context, body []byte) (any, error) {
	return i.r.hub.Ingest(ctx, body)
}

// ready says why the daemon is not ready, or nil.
func (d *daemon) ready(context.Context) error {
	select {
	case <-d.engine.Ready():
	default:
		return errors.New("the state of before the start is being loaded")
	}
	if d.engine.Stats().StoreDown {
		return errors.New("the store does not take changes; see the log")
	}
	return nil
}

// engineView adapts engine and outbox to what the API reads.
type engineView struct{ d *daemon }

// Alerts returns the pending and the firing alerts.
func (v engineView) Alerts() []alert.Alert { return v.d.engine.Alerts() }

// Version rises whenever an alert or its value changes.
func (v engineView) Version() uint64 { return v.d.engine.Version() }

// Rules returns every rule with how it stands, the disabled ones left out.
func (v engineView) Rules() []api.RuleStatus {
	worst := map[string]alert.Severity{}
	for _, a := range v.d.engine.Alerts() {
		if a.Active() {
			worst[a.Rule] = max(worst[a.Rule], a.Severity)
		}
	}
	v.d.mu.Lock()
	places := v.d.plan.places
	v.d.mu.Unlock()
	states := v.d.engine.Rules()
	out := make([]api.RuleStatus, 0, len(states))
	for _, s := range states {
		out = append(out, ruleStatus(s, places[s.Rule.ID], worst[s.Rule.ID]))
	}
	return out
}

// Series returns what label sets a metric has.
func (v engineView) Series(metric string, match alert.Matchers, limit int) (found []api.SeriesStatus, total int) {
	states, total := v.d.engine.Series(metric, match, limit)
	for _, s := range states {
		found = append(found, api.SeriesStatus{Labels: s.Labels, Value: s.Value, At: s.At})
	}
	return found, total
}

func ruleStatus(s engine.RuleState, place configs.Rule, worst alert.Severity) api.RuleStatus {
	spec := s.Rule.Spec
	out := api.RuleStatus{
		ID: s.Rule.ID, Category: s.Rule.Category, Metric: s.Rule.Metric.Name, Unit: s.Rule.Metric.Unit,
		Match: spec.Match, Conditions: map[alert.Severity]api.RuleCondition{}, Clear: spec.Clear, NoData: spec.NoData,
		Message: spec.Message, File: place.File, Line: place.Line, State: worst, Series: s.Series, LastEval: s.LastEval,
		Labels: spec.Labels, Annotations: spec.Annotations,
		ClearMargin: spec.ClearMargin.Text, MinVolume: spec.MinVolume, By: spec.By, Combine: spec.Combine, Overrides: len(spec.Overrides),
	}
	for _, d := range spec.DependsOn {
		out.DependsOn = append(out.DependsOn, d.Rule)
	}
	if spec.Flapping != nil {
		out.Flapping = spec.Flapping.String()
	}
	if out.NoData == "" {
		out.NoData = "keep"
	}
	if out.File == "" {
		out.File = "built in"
	}
	for _, severity := range alert.Severities() {
		if c, ok := s.Rule.Condition(severity); ok {
			out.Conditions[severity] = api.RuleCondition(c)
		}
	}
	return out
}

// Explain says how a rule stands and why. The engine does not know the rules
// that are disabled.
func (v engineView) Explain(id string, match alert.Matchers, limit int) (any, bool) {
	if out, ok := v.d.engine.Explain(id, match, limit); ok {
		return out, true
	}
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	place, ok := v.d.plan.places[id]
	if !ok {
		return nil, false
	}
	return rule.Explained{
		Rule: id, Metric: place.Spec.Metric, At: time.Now().UTC().Truncate(time.Millisecond), Series: []rule.Explanation{},
		Notes: []string{"the rule is disabled"},
	}, true
}

// Receivers returns every configured receiver with how its deliveries fare.
func (v engineView) Receivers() []api.ReceiverStatus {
	v.d.mu.Lock()
	configured := v.d.plan.config.Receivers
	v.d.mu.Unlock()
	standing := v.d.outbox.Status()
	out := make([]api.ReceiverStatus, 0, len(configured))
	for _, r := range configured {
		s := standing[r.Name]
		out = append(out, api.ReceiverStatus{
			Name: r.Name, Type: r.Type, Pending: s.Pending, LastSuccess: s.LastSuccess,
			LastError: s.LastError, LastErrorAt: s.LastFailure, ConsecutiveFailures: s.Failures,
			InFlight: s.InFlight, Sent: s.Sent, Dead: s.Dead, Rate: s.Rate.String(), Concurrency: s.Concurrency,
			Breaker: string(s.Breaker), BreakerSince: s.BreakerSince, NextProbe: s.NextProbe, PausedUntil: s.PausedUntil,
			Failing: s.Failing, Disabled: s.Disabled, DisabledReason: s.DisabledReason, DisabledAt: s.DisabledAt,
		})
	}
	return out
}

// nameWidth is the column that the names of sources and receivers take.
func nameWidth(c *configs.Config) int {
	wide := 12
	for i := range c.Sources {
		wide = max(wide, len(c.Sources[i].Name))
	}
	for i := range c.Receivers {
		wide = max(wide, len(c.Receivers[i].Name))
	}
	for i := range c.Skipped {
		wide = max(wide, len(c.Skipped[i].Name))
	}
	return wide
}

// announce prints what is watched, what is not and how to add it, and where to
// look.
func (d *daemon) announce(out interface{ Write([]byte) (int, error) }) {
	c := d.plan.config
	fmt.Fprintf(out, "tocsin %s\n", version.String())
	wide := nameWidth(c)
	for _, s := range c.Sources {
		fmt.Fprintf(out, "  watching      %-*s %s every %s\n", wide, s.Name, s.Type, s.Interval)
	}
	for _, s := range c.Skipped {
		if !s.Receiver {
			fmt.Fprintf(out, "  not watching  %-*s %s%s\n", wide, s.Name, s.Type, howToAdd(s))
		}
	}
	for _, r := range c.Receivers {
		fmt.Fprintf(out, "  telling       %-*s %s\n", wide, r.Name, r.Type)
	}
	for _, s := range c.Skipped {
		if s.Receiver {
			fmt.Fprintf(out, "  not telling   %-*s %s%s\n", wide, s.Name, s.Type, howToAdd(s))
		}
	}
	base := "http://" + d.listener.Addr().String()
	fmt.Fprintf(out, "  judging       %s\n", count(len(d.plan.rules), "rule"))
	fmt.Fprintf(out, "  configured    by %s\n  remembering   in %s\n", d.files.config, c.Store.Path)
	if len(c.Server.Tokens) == 0 {
		fmt.Fprintf(out, "  listening     %s, this machine only: no server.tokens are set\n", base)
	} else {
		fmt.Fprintf(out, "  listening     %s, with %s\n", base, count(len(c.Server.Tokens), "token"))
	}
	fmt.Fprintf(out, "  look at       %s/api/performance\n                %s/api/performance/alerts\n", base, base)
}

func howToAdd(s configs.Skipped) string {
	if len(s.Variables) == 0 {
		return ": enabled is false"
	}
	text := ": set " + s.Variables[0]
	for _, v := range s.Variables[1:] {
		text += " and " + v
	}
	return text
}
