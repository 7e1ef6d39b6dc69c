package amv2

import (
	"errors"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// What an alert is refused for, while others of its batch are taken.
var (
	errTimes      = errors.New("start time must be before end time")
	errNoLabels   = errors.New("at least one label pair required")
	errLabel      = errors.New(`invalid label set: invalid name ""`)
	errAnnotation = errors.New(`invalid annotations: invalid name ""`)
)

// Valid keeps the alerts that may be taken, in place and in their order, and
// returns with them the mistakes of the others. An alert without an end is
// taken to end one resolve timeout after now.
func Valid(alerts []alert.Posted, now time.Time, resolveTimeout time.Duration) ([]alert.Posted, error) {
	kept := 0
	var mistakes []error
	for i := range alerts {
		if err := validate(&alerts[i], now, resolveTimeout); err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		if kept != i {
			alerts[kept] = alerts[i]
		}
		kept++
	}
	return alerts[:kept], errors.Join(mistakes...)
}

func validate(a *alert.Posted, now time.Time, resolveTimeout time.Duration) error {
	starts, ends := a.StartsAt, a.EndsAt
	if ends.IsZero() {
		ends = now.Add(resolveTimeout)
	}
	switch {
	case !starts.IsZero() && ends.Before(starts):
		return errTimes
	case len(a.Labels) == 0:
		return errNoLabels
	case a.Labels[0].Name == "": // they are sorted; any other text is a name
		return errLabel
	case len(a.Annotations) > 0 && a.Annotations[0].Name == "":
		return errAnnotation
	}
	return nil
}
