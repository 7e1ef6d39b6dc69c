package outbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/tocsin-dev/tocsin/internal/schema"
)

// Rate is how many attempts a receiver bears: Count in each Per. The zero value
// is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// maxRate bounds what can be written: more is no limit at all.
const maxRate = 1_000_000

// FromScalar reads what String writes: 1/s, 60/m, 1000/h; empty is no limit.
func (r *Rate) FromScalar(text string) error {
	*r = Rate{}
	if text == "" {
		return nil
	}
	count, per, ok := strings.Cut(strings.ReplaceAll(text, " ", ""), "/")
	n, err := strconv.Atoi(count)
	unit := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[per]
	if !ok || err != nil || unit == 0 || n < 1 || n > maxRate {
		return fmt.Errorf("%q is not a rate; write for example 1/s, 60/m or 1000/h", text)
	}
	*r = Rate{Count: n, Per: unit}
	return nil
}

// String writes the rate as FromScalar reads it; empty for none.
func (r Rate) String() string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[r.Per]
	if r.Count == 0 || unit == "" {
		return ""
	}
	return strconv.Itoa(r.Count) + "/" + unit
}

// ScalarSchema says what FromScalar takes.
func (Rate) ScalarSchema() schema.Schema {
	return schema.Text(`^$|^ *[1-9][0-9]{0,6} */ *[smh] *$`, "a rate such as 1/s, 60/m or 1000/h")
}

// maxBurst is how many attempts may follow each other at once after a pause.
const maxBurst = 5

// limiter is a token bucket, so that attempts come evenly; nil for no limit.
func (r Rate) limiter() *rate.Limiter {
	if r.Count == 0 || r.Per <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(float64(r.Count)/r.Per.Seconds()), min(maxBurst, r.Count))
}
