package outbox

import "github.com/tocsin-dev/tocsin/alert"

// order keeps, for every alert, the deliveries of a lane that tell of it,
// oldest first. An alert may move to another group while its old group's
// notification is tried again: without this its end would overtake its
// beginning, and the receiver would take it for firing ever after.
//
// A row counts how many of its alerts an older one tells of; at zero it may be
// sent. The oldest row of a lane always may, so that no two wait for each other.
type order map[alert.Fingerprint][]*row

func (o order) add(r *row) {
	alerts := r.d.Notification.Alerts
	for i := range alerts {
		line := o[alerts[i].Fingerprint]
		if n := len(line); n > 0 {
			if line[n-1] == r {
				continue // an alert that is listed twice
			}
			r.behind++
		}
		o[alerts[i].Fingerprint] = append(line, r)
	}
}

// remove takes out a row that is behind none, and calls freed with each row
// that is not behind any more.
func (o order) remove(r *row, freed func(*row)) {
	alerts := r.d.Notification.Alerts
	for i := range alerts {
		fp := alerts[i].Fingerprint
		line := o[fp]
		switch {
		case len(line) == 0 || line[0] != r: // listed twice
		case len(line) == 1:
			delete(o, fp)
		default:
			line[0] = nil
			o[fp] = line[1:]
			next := line[1]
			if next.behind--; next.behind == 0 {
				freed(next)
			}
		}
	}
}
