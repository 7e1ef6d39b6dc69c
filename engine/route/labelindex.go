package route

import (
	"hash/maphash"

	"github.com/tocsin-dev/tocsin/alert"
)

// labelIndex finds the alerts that fire by the value of a label. A label is
// indexed once somebody asks for it, for most never are.
type labelIndex struct {
	seed   maphash.Seed
	labels map[string]map[uint64]few
}

// maxIndexed bounds the labels that are indexed: a client may ask for any.
const maxIndexed = 8

// few is a set of entries of which most have one. One of a hundred thousand is
// taken out as fast as one of two.
type few struct {
	one  *entry
	more map[*entry]struct{} // nil for none
}

func newLabelIndex(seed maphash.Seed) labelIndex {
	return labelIndex{seed: seed, labels: map[string]map[uint64]few{}}
}

func (x *labelIndex) add(e *entry) {
	for name, values := range x.labels {
		x.put(values, e.body.Label(name), e)
	}
}

func (x *labelIndex) put(values map[uint64]few, value string, e *entry) {
	if value == "" {
		return
	}
	key := maphash.String(x.seed, value)
	at := values[key]
	switch {
	case at.one == nil:
		values[key] = few{one: e}
	case at.more == nil:
		values[key] = few{at.one, map[*entry]struct{}{e: {}}}
	default:
		at.more[e] = struct{}{}
	}
}

func (x *labelIndex) remove(e *entry) {
	for name, values := range x.labels {
		value := e.body.Label(name)
		if value == "" {
			continue
		}
		key := maphash.String(x.seed, value)
		at := values[key]
		delete(at.more, e)
		if at.one != e {
			continue
		}
		at.one = nil
		for other := range at.more {
			at.one = other
			delete(at.more, other)
			break
		}
		if at.one == nil {
			delete(values, key)
		} else {
			values[key] = at
		}
	}
}

// candidates returns the alerts among which those are that the matchers match;
// false where that is no less than all.
func (d *Dispatcher) candidates(ms alert.Matchers) (least few, ok bool) {
	for i := range ms {
		label, must := required(&ms[i])
		if !must || ok && len(least.more) == 0 {
			continue
		}
		if values := d.indexed(label.Name); values != nil {
			if found := values[maphash.String(d.byLabel.seed, label.Value)]; !ok || len(found.more) < len(least.more) {
				least, ok = found, true
			}
		}
	}
	return least, ok
}

// indexed returns the index of a label; nil where too many have one.
func (d *Dispatcher) indexed(name string) map[uint64]few {
	values := d.byLabel.labels[name]
	if values != nil || len(d.byLabel.labels) >= maxIndexed {
		return values
	}
	values = map[uint64]few{}
	for e := range d.all() {
		if e.active {
			d.byLabel.put(values, e.body.Label(name), e)
		}
	}
	d.byLabel.labels[name] = values
	return values
}

// find returns the alerts that fire and that match, by their ids.
func (d *Dispatcher) find(ms alert.Matchers) []*entry {
	var out []*entry
	d.visit(ms, func(e *entry) { out = append(out, e) })
	sortByID(out)
	return out
}

// visit yields the alerts that fire and that match, in no order.
func (d *Dispatcher) visit(ms alert.Matchers, yield func(*entry)) {
	take := func(e *entry) {
		if e != nil && e.active && e.matches(ms) {
			yield(e)
		}
	}
	if found, ok := d.candidates(ms); ok {
		take(found.one)
		for e := range found.more {
			take(e)
		}
		return
	}
	for e := range d.all() {
		take(e)
	}
}
