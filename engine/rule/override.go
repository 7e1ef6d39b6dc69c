package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/source"
)

// Override changes a rule for the label sets that it matches. What is left out
// stays as the rule has it; of a condition, its times may be changed alone. An
// empty text takes a condition away.
type Override struct {
	// Match says which label sets: every matcher must hold.
	Match []string `yaml:"match"`

	// Critical takes the place of the rule's.
	Critical When `yaml:"critical"`
	// Warning takes the place of the rule's.
	Warning When `yaml:"warning"`
	// Info takes the place of the rule's.
	Info When `yaml:"info"`
	// Clear takes the place of the rule's.
	Clear *string `yaml:"clear"`
	// ClearMargin takes the place of the rule's.
	ClearMargin *MarginSpec `yaml:"clear_margin"`
	// For takes the place of the rule's.
	For *time.Duration `yaml:"for"`
	// KeepFiringFor takes the place of the rule's.
	KeepFiringFor *time.Duration `yaml:"keep_firing_for"`
	// MinVolume takes the place of the rule's.
	MinVolume *string `yaml:"min_volume"`
	// Flapping takes the place of the rule's.
	Flapping *Flapping `yaml:"flapping"`
	// NoData takes the place of the rule's.
	NoData *string `yaml:"no_data"`
	// NoDataAfter takes the place of the rule's.
	NoDataAfter *time.Duration `yaml:"no_data_after"`
	// GoneAfter takes the place of the rule's.
	GoneAfter *time.Duration `yaml:"gone_after"`
	// WarmUp takes the place of the rule's.
	WarmUp *time.Duration `yaml:"warm_up"`
	// Message takes the place of the rule's.
	Message *string `yaml:"message"`
	// Annotations are added to the rule's.
	Annotations map[string]string `yaml:"annotations"`
	// Disabled switches the rule off for these label sets, or on.
	Disabled *bool `yaml:"disabled"`
}

// variant is a rule as it is for some label sets; rule is nil where it is off.
type variant struct {
	match alert.Matchers
	rule  *Rule
}

// For returns the rule as it is for a series: with the first override that
// matches it applied. Nil means that the rule is off for it.
func (r *Rule) For(labels alert.Labels) *Rule {
	for i := range r.variants {
		if r.variants[i].match.Matches(labels) {
			return r.variants[i].rule
		}
	}
	if r.Spec.Disabled {
		return nil
	}
	return r
}

// Off says whether the rule is switched off for all label sets.
func (r *Rule) Off() bool {
	for i := range r.variants {
		if r.variants[i].rule != nil {
			return false
		}
	}
	return r.Spec.Disabled
}

// setOverrides compiles the rule anew for each of its overrides. What is wrong
// with the rule itself is not told again, and hides nothing that an override
// adds.
func (r *Rule) setOverrides(spec Spec, catalog source.Catalog, problems *problem.List) {
	own := slices.Clone(*problems)
	for i := range spec.Overrides {
		o := &spec.Overrides[i]
		at := fmt.Sprintf("overrides[%d]", i)
		if len(o.Match) == 0 {
			problems.AddHint(at+".match", "write for example ['strategy = SOCIAL_FEED']", "missing: which label sets it is for")
		}
		match := compileMatch(o.Match, at+".match", problems)
		changed := o.apply(spec)
		compiled, more := compile(changed, catalog)
		for _, p := range more {
			switch wrote := o.wrote(p.Path); {
			case len(own) > 0 && (!wrote || toldOf(own, p)):
				continue
			case wrote:
				p.Path = problem.Join(at, p.Path)
			default:
				p.Path, p.Message, p.Offset = at, "with the rule's "+p.Path+": "+p.Message, 0
			}
			*problems = append(*problems, p)
		}
		if compiled.family != r.family && len(more) == 0 {
			problems.AddHint(at+o.firstCondition(), "add combine to the rule: sum, avg, min, max or count",
				"the rule's conditions look one way and the override's the other: it is not clear which of several series is the worst")
		}
		compiled.family, compiled.combined = r.family, r.combined // it judges the rule's own series
		if changed.Disabled {
			compiled = nil
		}
		r.variants = append(r.variants, variant{match, compiled})
	}
}

// toldOf says whether a problem of a field is among those told already. A
// condition's path is longer where it has times of its own.
func toldOf(problems problem.List, p problem.Problem) bool {
	field, _, _ := strings.Cut(p.Path, ".")
	return slices.ContainsFunc(problems, func(q problem.Problem) bool {
		other, _, _ := strings.Cut(q.Path, ".")
		return other == field && q.Message == p.Message && q.Offset == p.Offset
	})
}

// firstCondition is the path of the first severity that the override changes.
func (o *Override) firstCondition() string {
	for _, name := range [...]string{"critical", "warning", "info"} {
		if o.wrote(name) {
			return "." + name
		}
	}
	return ""
}

// wrote says whether the field at a path is the override's.
func (o *Override) wrote(path string) bool {
	field, _, _ := strings.Cut(path, ".")
	switch field {
	case "critical":
		return o.Critical.written()
	case "warning":
		return o.Warning.written()
	case "info":
		return o.Info.written()
	case "clear":
		return o.Clear != nil
	case "clear_margin":
		return o.ClearMargin != nil
	case "min_volume":
		return o.MinVolume != nil
	case "no_data":
		return o.NoData != nil
	case "message":
		return o.Message != nil
	case "annotations":
		return o.Annotations != nil
	}
	return true
}

// apply returns the rule's specification with what the override says.
func (o *Override) apply(s Spec) Spec {
	s.Overrides = nil
	s.Critical, s.Warning, s.Info = s.Critical.with(o.Critical), s.Warning.with(o.Warning), s.Info.with(o.Info)
	replace(&s.Clear, o.Clear)
	replace(&s.ClearMargin, o.ClearMargin)
	replace(&s.For, o.For)
	replace(&s.KeepFiringFor, o.KeepFiringFor)
	replace(&s.MinVolume, o.MinVolume)
	replace(&s.NoData, o.NoData)
	replace(&s.NoDataAfter, o.NoDataAfter)
	replace(&s.GoneAfter, o.GoneAfter)
	replace(&s.WarmUp, o.WarmUp)
	replace(&s.Message, o.Message)
	replace(&s.Disabled, o.Disabled)
	if o.Flapping != nil {
		s.Flapping = o.Flapping
	}
	if len(o.Annotations) > 0 {
		s.Annotations = maps.Clone(s.Annotations)
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		maps.Copy(s.Annotations, o.Annotations)
	}
	return s
}

func replace[T any](field *T, with *T) {
	if with != nil {
		*field = *with
	}
}

// written says whether an override says anything of the condition: that it is
// another one, or none.
func (w *When) written() bool { return w.removed || w.given() }

// with returns the condition with what another one says.
func (w When) with(o When) When {
	if o.removed && o.When == "" {
		w = When{}
	}
	if o.When != "" {
		w.When = o.When
	}
	if o.Polls != (Polls{}) {
		w.Polls = o.Polls
	}
	if o.For != nil {
		w.For = o.For
	}
	if o.KeepFiringFor != nil {
		w.KeepFiringFor = o.KeepFiringFor
	}
	return w
}
