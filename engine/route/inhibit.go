package route

import (
	"container/heap"
	"fmt"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// Inhibition holds back targets while a source fires. It is immutable.
type Inhibition struct {
	Source, Target alert.Matchers
	Equal          []string
}

// Dependency is a rule on which another one depends.
type Dependency struct {
	Rule string
	// Equal are labels that both alerts must share; nil asks for the source,
	// where the other rule judges anything of this alert's source.
	Equal []string
}

// CompileInhibitions makes inhibitions of their written form. Problems have
// paths as [0].source[1].
func CompileInhibitions(specs []InhibitSpec) ([]Inhibition, problem.List) {
	var problems problem.List
	out := make([]Inhibition, 0, len(specs))
	for i, spec := range specs {
		at := fmt.Sprintf("[%d]", i)
		if len(spec.Source) == 0 {
			problems.AddHint(at+".source", "write for example ['alertname = redis-down']", "missing: which alert holds others back")
		}
		if len(spec.Target) == 0 {
			problems.AddHint(at+".target", "write for example ['category = cache']", "missing: which alerts are held back")
		}
		for j, name := range spec.Equal {
			if !alert.IsLabelName(name) {
				problems.Add(fmt.Sprintf("%s.equal[%d]", at, j), "%q is not the name of a label", name)
			}
		}
		out = append(out, Inhibition{
			Source: matchers(spec.Source, at+".source", &problems),
			Target: matchers(spec.Target, at+".target", &problems),
			Equal:  spec.Equal,
		})
	}
	return out, problems
}

// inhibitor is an inhibition with the alerts that fire and match its source, by
// the values of its equal labels.
type inhibitor struct {
	*Inhibition
	sources map[string]*sources
}

// sources are the alerts that hold others back. Those that match the target,
// too, are apart: they hold back none that matches both.
type sources struct{ pure, both sourceHeap }

// sourceHeap has the alert with the least id first: which one is named does not
// hang on the order in which they came, and finding it not on their number.
type sourceHeap []*inhibitKey

func (h sourceHeap) Len() int           { return len(h) }
func (h sourceHeap) Less(i, j int) bool { return h[i].id < h[j].id }

func (h sourceHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h *sourceHeap) Push(x any) {
	k := x.(*inhibitKey) //nolint:forcetypeassert // container/heap's way
	k.at = len(*h)
	*h = append(*h, k)
}

func (h *sourceHeap) Pop() any {
	old := *h
	k := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return k
}

func (h sourceHeap) first() *inhibitKey {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

// inhibitKey is the place of an alert in an inhibitor.
type inhibitKey struct {
	e         *entry
	id        string // the entry's
	inhibitor int
	equal     string
	both      bool // it matches the target, too
	at        int  // in its heap
}

func (s *sources) heap(both bool) *sourceHeap {
	if both {
		return &s.both
	}
	return &s.pure
}

func newInhibitors(specs []Inhibition) []inhibitor {
	out := make([]inhibitor, len(specs))
	for i := range specs {
		out[i] = inhibitor{&specs[i], map[string]*sources{}}
	}
	return out
}

// equalKey joins the values of the equal labels; 0xff never stands in UTF-8.
func (in *inhibitor) equalKey(labels alert.Labels) string {
	if len(in.Equal) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range in.Equal {
		b.WriteString(labels.Get(name))
		b.WriteByte(0xff)
	}
	return b.String()
}

// inhibit enters an alert that fires as the source of inhibitions.
func (d *Dispatcher) inhibit(e *entry, labels alert.Labels) {
	for i := range d.inhibitors {
		in := &d.inhibitors[i]
		if !in.Source.Matches(labels) {
			continue
		}
		k := &inhibitKey{e: e, id: e.id(), inhibitor: i, equal: in.equalKey(labels), both: in.Target.Matches(labels)}
		if in.sources[k.equal] == nil {
			in.sources[k.equal] = &sources{}
		}
		heap.Push(in.sources[k.equal].heap(k.both), k)
		e.setRare(func(x *extra) { x.inhibits = append(x.inhibits, k) })
	}
}

func (d *Dispatcher) uninhibit(e *entry) {
	if len(e.rare().inhibits) == 0 {
		return
	}
	for _, k := range e.rare().inhibits {
		in := &d.inhibitors[k.inhibitor]
		of := in.sources[k.equal]
		heap.Remove(of.heap(k.both), k.at)
		if len(of.pure)+len(of.both) == 0 {
			delete(in.sources, k.equal)
		}
	}
	e.setRare(func(x *extra) { x.inhibits = nil })
}

// inhibitedBy returns the firing alert that holds this one back; nil for none.
// An alert that matches both sides of an inhibition holds back none that does
// so too, itself included.
func (d *Dispatcher) inhibitedBy(labels alert.Labels) *entry {
	for i := range d.inhibitors {
		in := &d.inhibitors[i]
		if len(in.sources) == 0 || !in.Target.Matches(labels) {
			continue
		}
		of := in.sources[in.equalKey(labels)]
		if of == nil {
			continue
		}
		by, both := of.pure.first(), of.both.first()
		if both != nil && (by == nil || both.id < by.id) && !in.Source.Matches(labels) {
			by = both
		}
		if by != nil {
			return by.e
		}
	}
	return nil
}

// dependsOnFiring names the rule that the alert's depends on and that fires, or
// "".
func (d *Dispatcher) dependsOnFiring(e *entry) string {
	if len(d.options.DependsOn) == 0 {
		return ""
	}
	for _, on := range d.options.DependsOn[e.body.Rule()] {
		for other := range d.depended[on.Rule] {
			if other != e && d.concerns(on, other, e) {
				return on.Rule
			}
		}
	}
	return ""
}

// concerns says whether an alert of the rule depended on is about the same
// thing: two caches that two sources watch do not excuse each other, but a page
// may depend on the cache that another source watches.
func (d *Dispatcher) concerns(on Dependency, other, e *entry) bool {
	if on.Equal != nil {
		for _, name := range on.Equal {
			if other.body.Label(name) != e.body.Label(name) {
				return false
			}
		}
		return true
	}
	source := e.body.Label(alert.LabelSource)
	return other.body.Label(alert.LabelSource) == source || d.options.Covers == nil || !d.options.Covers(on.Rule, source)
}
