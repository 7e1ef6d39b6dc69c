package storetest

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

func sample(metric, strategy string, second int, value float64) alert.Sample {
	return alert.Sample{Metric: metric, Labels: alert.LabelsOf("strategy", strategy), Value: value, At: at(second)}
}

func samples(t *testing.T, d Driver, metric string, since time.Time) (out []alert.Sample) {
	t.Helper()
	must(t, d.LoadSamples(t.Context(), metric, since, func(s alert.Sample) error {
		out = append(out, s)
		return nil
	}))
	return out
}

func testSamples(t *testing.T, d Driver) {
	bare := alert.Sample{Metric: "m", Value: 0.1, At: at(4)}
	fine := sample("m", "A", 6, -0.5)
	fine.At = fine.At.Add(1500 * time.Microsecond)
	must(t, d.AppendSamples(t.Context(), []alert.Sample{
		sample("m", "A", 3, 3), sample("m", "B", 2, 2), sample("m", "A", 1, 1), sample("other", "A", 1, 9),
		bare, sample("m", "B", 5, math.MaxFloat64), fine,
	}))
	fine.At = at(6).Add(time.Millisecond) // cut
	want := []alert.Sample{
		sample("m", "A", 1, 1), sample("m", "B", 2, 2), sample("m", "A", 3, 3), bare,
		sample("m", "B", 5, math.MaxFloat64), fine,
	}
	equal(t, "all", samples(t, d, "m", time.Time{}), want)
	equal(t, "since one's own moment", samples(t, d, "m", at(3)), want[2:])
	equal(t, "since a moment later", samples(t, d, "m", at(3).Add(1)), want[3:])
	equal(t, "since after the last", samples(t, d, "m", at(60)), []alert.Sample(nil))
	equal(t, "no such metric", samples(t, d, "n", time.Time{}), []alert.Sample(nil))

	st, err := d.SampleStats(t.Context())
	must(t, err)
	equal(t, "stats", st, store.SampleStats{Series: 4, Samples: 7, Oldest: at(1), Newest: fine.At})
}

func testSampleTwice(t *testing.T, d Driver) {
	unknown := sample("m", "A", 2, math.NaN())
	for range 2 {
		must(t, d.AppendSamples(t.Context(), []alert.Sample{sample("m", "A", 1, 1), sample("m", "A", 1, 7), unknown}))
	}
	equal(t, "the first stays", samples(t, d, "m", time.Time{}), []alert.Sample{sample("m", "A", 1, 1)})
	st, err := d.SampleStats(t.Context())
	must(t, err)
	equal(t, "samples", st.Samples, int64(1))
}

func testSampleMerge(t *testing.T, d Driver) {
	const series, each = 5, 1500
	var all []alert.Sample
	for i := range each {
		for s := range series {
			all = append(all, sample("m", "s"+strconv.Itoa(s), i*series+s, float64(i*series+s)))
		}
	}
	must(t, d.AppendSamples(t.Context(), all))
	got := samples(t, d, "m", at(1000))
	equal(t, "samples", len(got), series*each-1000)
	for i := range got {
		if want := all[1000+i]; got[i].Value != want.Value || !got[i].At.Equal(want.At) || !got[i].Labels.Equal(want.Labels) {
			t.Fatalf("sample %d is %+v, want %+v", i, got[i], want)
		}
	}
}

func testSampleStop(t *testing.T, d Driver) {
	must(t, d.AppendSamples(t.Context(), []alert.Sample{sample("m", "A", 1, 1), sample("m", "A", 2, 2)}))
	stop, calls := errors.New("enough"), 0
	err := d.LoadSamples(t.Context(), "m", time.Time{}, func(alert.Sample) error {
		calls++
		return stop
	})
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	// A callback may itself use the store.
	must(t, d.LoadSamples(t.Context(), "m", time.Time{}, func(s alert.Sample) error {
		s.Metric = "copy"
		return d.AppendSamples(t.Context(), []alert.Sample{s})
	}))
	equal(t, "copied", len(samples(t, d, "copy", time.Time{})), 2)
}
