package route

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func interval(t interface{ Fatal(...any) }, spans ...SpanSpec) Interval {
	got, problems := CompileIntervals([]IntervalSpec{{Name: "x", TimeIntervals: spans}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return got[0]
}

func words(text string) []string { return strings.Fields(text) }

func times(texts ...string) []TimesSpec {
	out := make([]TimesSpec, len(texts))
	for i := range texts {
		if err := out[i].FromScalar(texts[i]); err != nil {
			panic(err)
		}
	}
	return out
}

// The rows are what Alertmanager answers, but for the last of weekdays and
// months, which it refuses.
func TestInterval(t *testing.T) {
	in := func(zone string) *time.Location {
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, tt := range []struct {
		name     string
		span     SpanSpec
		at       string
		contains bool
	}{
		{"no limits", SpanSpec{}, "2026-07-01 12:00", true},
		{"begins with its first minute", SpanSpec{Times: times("09:00-17:00")}, "2026-07-01 09:00", true},
		{"ends before its last", SpanSpec{Times: times("09:00-17:00")}, "2026-07-01 17:00", false},
		{"to the day's end", SpanSpec{Times: times("17:00-24:00")}, "2026-07-01 23:59", true},
		{"not the next day", SpanSpec{Times: times("17:00-24:00")}, "2026-07-02 00:00", false},
		{"a weekday", SpanSpec{Weekdays: words("monday:friday")}, "2026-07-03 23:59", true},
		{"a weekend", SpanSpec{Weekdays: words("monday:friday")}, "2026-07-04 00:00", false},
		{"case does not matter", SpanSpec{Weekdays: words("Monday:Friday")}, "2026-07-03 12:00", true},
		{"around the week's end", SpanSpec{Weekdays: words("sat:mon")}, "2026-07-06 12:00", true},
		{"around the week's end, outside", SpanSpec{Weekdays: words("sat:mon")}, "2026-07-07 12:00", false},
		{"first days", SpanSpec{DaysOfMonth: words("1:5")}, "2026-07-05 12:00", true},
		{"last days", SpanSpec{DaysOfMonth: words("-3:-1")}, "2026-02-26 12:00", true},
		{"before the last days", SpanSpec{DaysOfMonth: words("-3:-1")}, "2026-02-25 12:00", false},
		{"last days of a leap year", SpanSpec{DaysOfMonth: words("-1")}, "2028-02-29 12:00", true},
		{"from the first to the last", SpanSpec{DaysOfMonth: words("1:-1")}, "2026-02-28 12:00", true},
		{"days that the month has not", SpanSpec{DaysOfMonth: words("29:31")}, "2026-02-28 12:00", false},
		{"days of which the month has some", SpanSpec{DaysOfMonth: words("25:31")}, "2026-02-28 12:00", true},
		{"more days from the end than there are", SpanSpec{DaysOfMonth: words("-31:-1")}, "2026-02-01 12:00", true},
		{"months by name", SpanSpec{Months: words("january:march")}, "2026-03-31 12:00", true},
		{"months by number", SpanSpec{Months: words("4:6 12")}, "2026-12-31 12:00", true},
		{"around the year's end", SpanSpec{Months: words("november:february")}, "2026-01-31 12:00", true},
		{"years", SpanSpec{Years: words("2026:2027")}, "2028-01-01 00:00", false},
		{"every list must fit", SpanSpec{Times: times("09:00-17:00"), Weekdays: words("monday"), Months: words("july")}, "2026-07-07 12:00", false},
		{"its zone", SpanSpec{Times: times("09:00-17:00"), Location: "Europe/Berlin"}, "2026-07-01 15:00", false}, // 17:00 there
		{"its zone in winter", SpanSpec{Times: times("09:00-17:00"), Location: "Europe/Berlin"}, "2026-12-01 15:59", true},
		{"its zone's day", SpanSpec{Weekdays: words("thursday"), Location: "Pacific/Auckland"}, "2026-07-01 13:00", true},
		{"an hour that comes twice, first", SpanSpec{Times: times("02:00-03:00"), Location: "Europe/Berlin"}, "2026-10-25 00:30", true},
		{"an hour that comes twice, again", SpanSpec{Times: times("02:00-03:00"), Location: "Europe/Berlin"}, "2026-10-25 01:30", true},
	} {
		at, err := time.Parse("2006-01-02 15:04", tt.at)
		if err != nil {
			t.Fatal(err)
		}
		got := interval(t, tt.span)
		if got.Contains(at) != tt.contains || got.Contains(at.In(in("America/New_York"))) != tt.contains {
			t.Errorf("%s: %s is in it: %t", tt.name, tt.at, !tt.contains)
		}
	}
}

func TestMistakesInIntervals(t *testing.T) {
	for _, tt := range []struct {
		span SpanSpec
		want string
	}{
		{SpanSpec{Times: []TimesSpec{{StartTime: "09:00"}}}, "times[0]: missing: both"},
		{SpanSpec{Times: times("9:00-17:00")}, `times[0].start_time: "9:00" is not a time of the day`},
		{SpanSpec{Times: times("09:00-24:01")}, `times[0].end_time: "24:01" is not`},
		{SpanSpec{Times: times("09:00-+1:00")}, `times[0].end_time: "+1:00" is not`},
		{SpanSpec{Times: times("22:00-06:00")}, "22:00-24:00 and 00:00-06:00"},
		{SpanSpec{Times: times("09:00-09:00")}, "09:00 is not before 09:00"},
		{SpanSpec{Weekdays: words("monday:fryday")}, `weekdays[0]: "fryday" is not a day of the week; did you mean "friday"?`},
		{SpanSpec{Weekdays: words("1:5")}, `"1" is not a day of the week; write for example monday:friday`},
		{SpanSpec{DaysOfMonth: words("1 0")}, `days_of_month[1]: "0" is not a day`},
		{SpanSpec{DaysOfMonth: words("1:32")}, `"32" is not a day`},
		{SpanSpec{DaysOfMonth: words("5:1")}, "day 1 is always before day 5"},
		{SpanSpec{DaysOfMonth: words("-1:-3")}, "day -3 is always before day -1"},
		{SpanSpec{DaysOfMonth: words("-5:5")}, "ends with one"},
		{SpanSpec{Months: words("13")}, `"13" is not a month`},
		{SpanSpec{Months: words("juno")}, `"juno" is not a month; did you mean "june"?`},
		{SpanSpec{Years: words("2027:2026")}, "2027 is after 2026"},
		{SpanSpec{Years: words("soon")}, `"soon" is not a year`},
		{SpanSpec{Location: "Europe/Berlim"}, `location: "Europe/Berlim" is not a time zone`},
		{SpanSpec{Location: "Local"}, `"Local" is not a time zone`},
	} {
		_, problems := CompileIntervals([]IntervalSpec{{Name: "x", TimeIntervals: []SpanSpec{tt.span}}})
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.want) || !strings.HasPrefix(problems[0].Path, "[0].time_intervals[0].") {
			t.Errorf("%+v: %v, want %s", tt.span, problems, tt.want)
		}
	}
	_, problems := CompileIntervals([]IntervalSpec{{}, {Name: "a", TimeIntervals: []SpanSpec{{}}}, {Name: "a", TimeIntervals: []SpanSpec{{}}}})
	if len(problems) != 3 || problems[2].Path != "[2].name" {
		t.Error(problems)
	}
}

// TestNextIsTheNextChange holds Next against a look at every minute, around the
// days on which clocks are changed.
func TestNextIsTheNextChange(t *testing.T) {
	zones := []string{"", "Europe/Berlin", "America/New_York", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"}
	days := []string{"2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-10-04", "2026-10-25", "2026-10-30", "2026-11-01", "2026-06-30", "2006-10-29"}
	ranges := []string{"00:00-24:00", "00:00-00:30", "00:30-01:30", "01:00-02:00", "02:00-03:00", "02:30-02:45", "23:00-24:00", "09:00-17:00", "03:00-03:01"}
	rapid.Check(t, func(t *rapid.T) {
		var spans []SpanSpec
		for range rapid.IntRange(1, 3).Draw(t, "spans") {
			s := SpanSpec{Location: rapid.SampledFrom(zones).Draw(t, "zone")}
			s.Times = times(rapid.SliceOfN(rapid.SampledFrom(ranges), 0, 2).Draw(t, "times")...)
			if rapid.Bool().Draw(t, "by weekday") {
				s.Weekdays = words(rapid.SampledFrom([]string{"sunday", "monday:friday", "saturday", "sat:sun"}).Draw(t, "weekdays"))
			}
			spans = append(spans, s)
		}
		in := interval(t, spans...)
		day, err := time.Parse("2006-01-02", rapid.SampledFrom(days).Draw(t, "day"))
		if err != nil {
			t.Fatal(err)
		}
		from := day.Add(time.Duration(rapid.IntRange(-1500, 1500).Draw(t, "minutes"))*time.Minute + time.Duration(rapid.IntRange(0, 59).Draw(t, "seconds"))*time.Second)
		got, want := in.Next(from), time.Time{}
		// What changes at all changes within a week, unless two zones whose days
		// meet drift apart when one of them changes its clocks.
		until := later(from.Add(9*24*time.Hour), got.Add(time.Minute))
		for at, now := from.Truncate(time.Minute).Add(time.Minute), in.Contains(from); at.Before(until); at = at.Add(time.Minute) {
			if in.Contains(at) != now {
				want = at
				break
			}
		}
		if !got.Equal(want) {
			t.Fatalf("%+v from %s: next change is %s, not %s", spans, from, want, got)
		}
	})
}

func TestNextFarAwayAndNever(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		span SpanSpec
		want string
	}{
		{SpanSpec{}, "0001-01-01 00:00"},
		{SpanSpec{Years: words("2020")}, "0001-01-01 00:00"},
		{SpanSpec{Years: words("2026:2027")}, "2028-01-01 00:00"},
		{SpanSpec{DaysOfMonth: words("29"), Months: words("february")}, "2028-02-29 00:00"},
		{SpanSpec{Times: times("00:00-12:00", "12:00-24:00")}, "0001-01-01 00:00"},
	} {
		in := interval(t, tt.span)
		if got := in.Next(from).Format("2006-01-02 15:04"); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.span, got, tt.want)
		}
	}
	if never := (&Interval{}); never.Contains(from) || !never.Next(from).IsZero() {
		t.Error("the zero value never holds")
	}
}

func BenchmarkIntervalNext(b *testing.B) {
	for name, span := range map[string]SpanSpec{
		"tonight": {Times: times("22:00-24:00"), Location: "Europe/Berlin"},
		"leap":    {DaysOfMonth: words("29"), Months: words("february"), Times: times("22:00-24:00"), Location: "Europe/Berlin"},
	} {
		b.Run(name, func(b *testing.B) {
			in := interval(b, span)
			from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				in.Next(from)
			}
		})
	}
}

func TestMutedAndNextMute(t *testing.T) {
	intervals, problems := CompileIntervals([]IntervalSpec{
		{Name: "nights", TimeIntervals: []SpanSpec{{Times: times("22:00-24:00", "00:00-06:00")}}},
		{Name: "work", TimeIntervals: []SpanSpec{{Times: times("09:00-17:00"), Weekdays: words("monday:friday")}}},
	})
	root, more := Compile(Spec{
		Receivers: []string{"ops"},
		Routes: []Spec{
			{Match: []string{"a=1"}, MuteTimeIntervals: []string{"nights"}, Routes: []Spec{{Match: []string{"b=1"}}}},
			{Match: []string{"a=2"}, ActiveTimeIntervals: []string{"work"}, MuteTimeIntervals: []string{"nights"}},
		},
	}, []string{"ops"}, intervals...)
	if err := append(problems, more...).Err(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		route    *Route
		at, want string
	}{
		{root, "2026-07-03 23:00", " until never"},
		{root.Routes[0], "2026-07-03 23:00", "muted by the time interval nights until 2026-07-04 06:00"},
		{root.Routes[0], "2026-07-03 12:00", " until 2026-07-03 22:00"},
		{root.Routes[0].Routes[0], "2026-07-03 23:00", " until never"}, // not inherited
		{root.Routes[1], "2026-07-03 12:00", " until 2026-07-03 17:00"},
		{root.Routes[1], "2026-07-03 18:00", "muted outside the time interval work until 2026-07-03 22:00"},
		{root.Routes[1], "2026-07-03 23:00", "muted by the time interval nights until 2026-07-04 06:00"},
	} {
		at, err := time.Parse("2006-01-02 15:04", tt.at)
		if err != nil {
			t.Fatal(err)
		}
		reason, muted := tt.route.Muted(at)
		until := "never"
		if next := tt.route.NextMute(at); !next.IsZero() {
			until = next.Format("2006-01-02 15:04")
		}
		if got := fmt.Sprintf("%s until %s", reason, until); got != tt.want || muted != (reason != "") {
			t.Errorf("%s at %s: %s, want %s", tt.route.Path, tt.at, got, tt.want)
		}
	}
}
