package route

import (
	"iter"
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
)

// occurrence finds an alert by its fingerprint and id; nil for none.
func (d *Dispatcher) occurrence(fp alert.Fingerprint, id string) *entry {
	for e := d.alerts[fp]; e != nil; e = e.next() {
		if e.id() == id {
			return e
		}
	}
	return nil
}

// byID finds an alert by its id; nil for none.
func (d *Dispatcher) byID(id string) *entry {
	text, _, _ := strings.Cut(id, "-")
	if fp, err := alert.ParseFingerprint(text); err == nil {
		if e := d.occurrence(fp, id); e != nil {
			return e
		}
	}
	return d.named[id]
}

// fires finds the alert of a fingerprint that fires; nil for none.
func (d *Dispatcher) fires(fp alert.Fingerprint) *entry {
	if e := d.alerts[fp]; e != nil && e.active {
		return e
	}
	return nil
}

// enter makes the alert the first of its fingerprint, or of those that do not
// fire.
func (d *Dispatcher) enter(e *entry) {
	fp := e.fp()
	if id := e.id(); !strings.HasPrefix(id, fp.String()+"-") {
		d.named[id] = e
	}
	if !e.active {
		d.endings++
	}
	first := d.alerts[fp]
	if e.active || first == nil || !first.active {
		e.setNext(first)
		d.alerts[fp] = e
		return
	}
	for first.next() != nil && first.next().active {
		first = first.next()
	}
	e.setNext(first.next())
	first.setNext(e)
}

// withdraw takes it back. wasActive says as what it was entered.
func (d *Dispatcher) withdraw(e *entry, wasActive bool) {
	fp := e.fp()
	delete(d.named, e.id())
	if !wasActive {
		d.endings--
	}
	next := e.next()
	e.setNext(nil)
	first := d.alerts[fp]
	switch {
	case first == e && next == nil:
		delete(d.alerts, fp)
		return
	case first == e:
		d.alerts[fp] = next
		return
	}
	for first.next() != e {
		first = first.next()
	}
	first.setNext(next)
}

// end notes that an alert fires no more; wasActive says whether it did.
func (d *Dispatcher) end(e *entry, wasActive bool) {
	d.withdraw(e, wasActive)
	if e.routed() {
		d.enter(e)
	}
}

// forget drops an alert that every receiver knows the end of.
func (d *Dispatcher) forget(e *entry) { d.withdraw(e, e.active) }

// all yields every alert, in no order.
func (d *Dispatcher) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, e := range d.alerts {
			for ; e != nil; e = e.next() {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// sorted returns every alert, by id.
func (d *Dispatcher) sorted() []*entry {
	all := make([]*entry, 0, len(d.alerts))
	for e := range d.all() {
		all = append(all, e)
	}
	sortByID(all)
	return all
}

// sortByID sorts by ids, each of which is asked for once.
func sortByID(entries []*entry) {
	type named struct {
		id string
		e  *entry
	}
	all := make([]named, len(entries))
	for i, e := range entries {
		all[i] = named{e.id(), e}
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.id, b.id) })
	for i := range all {
		entries[i] = all[i].e
	}
}
