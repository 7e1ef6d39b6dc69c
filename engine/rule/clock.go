package rule

import (
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/tocsin-dev/tocsin/internal/problem"
)

// clockKind marks a number that is a place in the day or the week, which compares
// with texts and does not add up.
type clockKind uint8

const (
	noClock clockKind = iota
	timeOfDay
	dayOfWeek
)

func clockNames() []string { return []string{"time", "weekday", "now"} }

// clockCall is time(), weekday() or now(). A zone may be named: the default is
// the rule's.
func (c *compiler) clockCall(n *ast.CallNode, name string) node {
	if name == "now" {
		if len(n.Arguments) > 0 {
			return c.fail(n, "write now()", "now wants nothing: seconds since 1970 are the same everywhere")
		}
		return node{kind: number, unit: secondsUnit(), num: func(f *frame) float64 { return float64(f.now) / 1e9 }}
	}
	zone, ok := c.zoneArgument(n, name)
	if !ok {
		return node{}
	}
	if name == "weekday" {
		return node{kind: number, unit: bareUnit(), clock: dayOfWeek, num: func(f *frame) float64 {
			return float64(time.Unix(0, f.now).In(zone).Weekday())
		}}
	}
	return node{kind: number, unit: secondsUnit(), clock: timeOfDay, num: func(f *frame) float64 {
		now := time.Unix(0, f.now).In(zone)
		hour, minute, second := now.Clock()
		return float64(hour*3600+minute*60+second) + float64(now.Nanosecond())/1e9
	}}
}

// zone is the zone that times of day are told in: UTC unless the rule says
// otherwise.
func (c *compiler) zone() *time.Location {
	if c.options.Zone == nil {
		return time.UTC
	}
	return c.options.Zone
}

func (c *compiler) zoneArgument(n *ast.CallNode, name string) (*time.Location, bool) {
	if len(n.Arguments) == 0 {
		return c.zone(), true
	}
	arg, isText := n.Arguments[0].(*ast.StringNode)
	if len(n.Arguments) > 1 || !isText {
		c.fail(n, "write "+name+`("Europe/Berlin"), or `+name+"() for the rule's own zone", "%s wants at most a time zone in quotes", name)
		return nil, false
	}
	zone, err := time.LoadLocation(arg.Value)
	if err != nil || arg.Value == "" || arg.Value == "Local" { // the machine's zone is nobody's choice
		c.fail(arg, `zones are named as in "Europe/Berlin", "America/New_York" or "UTC"`, "unknown time zone %s", quote(arg.Value))
		return nil, false
	}
	return zone, true
}

// clockText makes a number of a text that stands beside a place in the day or
// the week.
func (c *compiler) clockText(at ast.Node, of clockKind, t node) (node, bool) {
	if of == noClock || t.kind != text || t.literalText == nil {
		return t, true
	}
	if of == dayOfWeek {
		return c.weekdayText(at, *t.literalText)
	}
	for _, layout := range [...]string{"15:04", "15:04:05"} {
		if clock, err := time.Parse(layout, *t.literalText); err == nil {
			seconds := clock.Hour()*3600 + clock.Minute()*60 + clock.Second()
			return constant(float64(seconds), secondsUnit()), true
		}
	}
	c.fail(at, `write "09:00" or 9h`, "%s is not a time of day", quote(*t.literalText))
	return node{}, false
}

// dayNamed finds a day by its name or the first three letters of it.
func dayNamed(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(name, d.String()) || strings.EqualFold(name, d.String()[:3]) {
			return d, true
		}
	}
	return 0, false
}

func (c *compiler) weekdayText(at ast.Node, name string) (node, bool) {
	if d, ok := dayNamed(name); ok {
		return constant(float64(d), bareUnit()), true
	}
	var names []string
	for d := time.Sunday; d <= time.Saturday; d++ {
		long := strings.ToLower(d.String())
		names = append(names, long, long[:3])
	}
	hint := problem.DidYouMean(name, names)
	if hint == "" {
		hint = `days are "sunday" to "saturday", or "sun" to "sat"`
	}
	c.fail(at, hint, "%s is not a day of the week", quote(name))
	return node{}, false
}

// noArithmetic refuses to add up places in the day.
func (c *compiler) noArithmetic(n ast.Node, left, right node) bool {
	switch {
	case left.clock == timeOfDay || right.clock == timeOfDay:
		c.fail(n, "now() is seconds since 1970, as in now() - value > 25h", "time() is the time of day, with which one cannot calculate")
	case left.clock == dayOfWeek || right.clock == dayOfWeek:
		c.fail(n, `compare it, as in weekday() in ["sat", "sun"]`, "weekday() is a day, with which one cannot calculate")
	default:
		return true
	}
	return false
}

// clockFits refuses to compare a time of day with a bare number, and either with
// what no clock shows: of those who count Sunday as 7, nothing would fire.
func (c *compiler) clockFits(at ast.Node, left, right node) bool {
	if left.clock == timeOfDay && right.unit.bare || right.clock == timeOfDay && left.unit.bare {
		c.fail(at, `write 9h or "09:00"`, "time() compares with a time of day, not with a plain number")
		return false
	}
	for _, pair := range [...][2]node{{left, right}, {right, left}} {
		clock, constant := pair[0].clock, pair[1].constant
		switch {
		case constant == nil:
		case clock == dayOfWeek && (*constant < 0 || *constant > 6):
			c.fail(at, `write for example weekday() == "sunday"`, "the days are 0 (Sunday) to 6 (Saturday)")
			return false
		case clock == timeOfDay && (*constant < 0 || *constant > 24*60*60):
			c.fail(at, "", "a time of day is from 0h to 24h")
			return false
		}
	}
	return true
}
