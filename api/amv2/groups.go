package amv2

import (
	"slices"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
)

// GroupOrder returns the order in which Alertmanager lists groups: by their
// labels, then by receiver. Each group's alerts are sorted in place: by job,
// instance and then all labels.
func GroupOrder(groups []alert.StandingGroup) []int {
	order := make([]int, len(groups))
	for i := range groups {
		order[i] = i
		slices.SortStableFunc(groups[i].Alerts, compareAlerts)
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &groups[i], &groups[j]
		if c := compareLabels(a.Labels, b.Labels); c != 0 {
			return c
		}
		return strings.Compare(a.Receiver, b.Receiver)
	})
	return order
}

func compareAlerts(x, y *alert.Standing) int {
	a, b := x.Alert.AllLabels(), y.Alert.AllLabels()
	for _, name := range [...]string{"job", "instance"} {
		av, bv := a.Get(name), b.Get(name)
		switch {
		case av == bv:
			continue
		case av == "": // without stands behind
			return 1
		case bv == "":
			return -1
		}
		return strings.Compare(av, bv)
	}
	return compareLabels(a, b)
}

// compareLabels is the order of model.LabelSet.Before in prometheus/common:
// fewer labels first; of the first names that differ the greater one first,
// because that set lacks the smaller; then by value.
func compareLabels(a, b alert.Labels) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	for i := range a {
		if c := strings.Compare(b[i].Name, a[i].Name); c != 0 {
			return c
		}
		if c := strings.Compare(a[i].Value, b[i].Value); c != 0 {
			return c
		}
	}
	return 0
}
