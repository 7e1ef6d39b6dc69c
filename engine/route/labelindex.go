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

// few is a list of entries of which most have one.
type few struct {
	one  *entry
	more []*entry
}

func newLabelIndex() labelIndex {
	return labelIndex{seed: maphash.MakeSeed(), labels: map[string]map[uint64]few{}}
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
	if at.one == nil {
		at.one = e
	} else {
		at.more = append(at.more, e)
	}
	values[key] = at
}

func (x *labelIndex) remove(e *entry) {
	for name, values := range x.labels {
		value := e.body.Label(name)
		if value == "" {
			continue
		}
		key := maphash.String(x.seed, value)
		at := values[key]
		for i, other := range at.more {
			if other == e {
				last := len(at.more) - 1
				at.more[i], at.more[last] = at.more[last], nil
				at.more = at.more[:last]
				break
			}
		}
		if at.one == e {
			at.one = nil
			if last := len(at.more) - 1; last >= 0 {
				at.one, at.more[last] = at.more[last], nil
				at.more = at.more[:last]
			}
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
func (d *Dispatcher) candidates(ms alert.Matchers) (few, bool) {
	label, ok := anchor(ms)
	if !ok {
		return few{}, false
	}
	values, indexed := d.byLabel.labels[label.Name]
	if !indexed {
		if len(d.byLabel.labels) >= maxIndexed {
			return few{}, false
		}
		values = map[uint64]few{}
		for _, e := range d.alerts {
			if e.active {
				d.byLabel.put(values, e.body.Label(label.Name), e)
			}
		}
		d.byLabel.labels[label.Name] = values
	}
	return values[maphash.String(d.byLabel.seed, label.Value)], true
}
