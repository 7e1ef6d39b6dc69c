package sqlite

import (
	"database/sql"
	"fmt"
	"math"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// nanos is a time as a column holds it; one that an int64 cannot hold becomes
// the nearest that it can.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

// nullNanos is nanos, or NULL for the zero time.
func nullNanos(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return nanos(t)
}

// moment reads what nullNanos wrote.
func moment(n sql.NullInt64) time.Time {
	if !n.Valid {
		return time.Time{}
	}
	return time.Unix(0, n.Int64).UTC()
}

// nullNumber is the number, or NULL when it is not known.
func nullNumber(n alert.Number) any {
	if !n.Known() {
		return nil
	}
	return float64(n)
}

func number(f sql.NullFloat64) alert.Number {
	if !f.Valid {
		return alert.Unknown()
	}
	return alert.Number(f.Float64)
}

// The states of an alert as the column holds them. Migrations and queries
// spell these out, so they never change.
const (
	stateInactive = 1
	statePending  = 2
	stateFiring   = 3
	stateResolved = 4
)

func stateCode(s alert.State) (int, error) {
	switch s {
	case alert.Inactive:
		return stateInactive, nil
	case alert.Pending:
		return statePending, nil
	case alert.Firing:
		return stateFiring, nil
	case alert.Resolved:
		return stateResolved, nil
	}
	return 0, fmt.Errorf("no such state %q", s)
}

// The states of a delivery, in the same way.
const (
	deliveryPending = 1
	deliverySent    = 2
	deliveryDead    = 3
)

func deliveryCode(s alert.DeliveryState) (int, error) {
	switch s {
	case alert.DeliveryPending:
		return deliveryPending, nil
	case alert.DeliverySent:
		return deliverySent, nil
	case alert.DeliveryDead:
		return deliveryDead, nil
	}
	return 0, fmt.Errorf("no such state of a delivery %q", s)
}

func deliveryState(code int) (alert.DeliveryState, error) {
	switch code {
	case deliveryPending:
		return alert.DeliveryPending, nil
	case deliverySent:
		return alert.DeliverySent, nil
	case deliveryDead:
		return alert.DeliveryDead, nil
	}
	return "", fmt.Errorf("no such state of a delivery %d", code)
}

// severityBits is the set of the severities given; OK is not one to have.
func severityBits(severities ...alert.Severity) int {
	bits := 0
	for _, s := range severities {
		if s > alert.OK && s <= alert.Critical {
			bits |= 1 << s
		}
	}
	return bits
}

// began is when the alert fired or, when it never did, was first pending.
func began(a *alert.Alert) time.Time {
	if a.StartsAt.IsZero() {
		return a.PendingAt
	}
	return a.StartsAt
}

// ended is NULL for an alert that is pending or firing. One that ended as it
// began counts as active for a nanosecond, so that some window has it.
func ended(a *alert.Alert, began int64) any {
	if a.State == alert.Pending || a.State == alert.Firing {
		return nil
	}
	end := a.EndsAt
	if end.IsZero() {
		end = a.UpdatedAt
	}
	if n := nanos(end); n > began || began == math.MaxInt64 {
		return n
	}
	return began + 1
}
