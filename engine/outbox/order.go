package outbox

import (
	"slices"

	"github.com/tocsin-dev/tocsin/alert"
)

// order keeps, for every alert, the deliveries of a lane that tell of it,
// oldest first. An alert may move to another group while its old group's
// notification is tried again: without this its end would overtake its
// beginning, and the receiver would take it for firing ever after.
type order map[alert.Fingerprint][]*alert.Delivery

func (o order) add(d *alert.Delivery) {
	for i := range d.Notification.Alerts {
		fp := d.Notification.Alerts[i].Fingerprint
		o[fp] = append(o[fp], d)
	}
}

// first says whether nothing older tells of any of its alerts. The oldest
// delivery of a lane always is first, so that no two wait for each other.
func (o order) first(d *alert.Delivery) bool {
	for i := range d.Notification.Alerts {
		if o[d.Notification.Alerts[i].Fingerprint][0] != d {
			return false
		}
	}
	return true
}

func (o order) remove(d *alert.Delivery) {
	for i := range d.Notification.Alerts {
		fp := d.Notification.Alerts[i].Fingerprint
		o[fp] = slices.DeleteFunc(o[fp], func(other *alert.Delivery) bool { return other == d })
		if len(o[fp]) == 0 {
			delete(o, fp)
		}
	}
}
