package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// evaluation is what a peer took for one load.
type evaluation struct {
	took time.Duration // the median of what it says one evaluation of the group took
	cpu  time.Duration // what its processes used for one, beyond what they use without rules
	runs int
}

const (
	// phase is how long each load is evaluated; the page is read once in it.
	phase = scrapeEvery
	// fewest is how many evaluations there are of a load that takes a peer
	// seconds, however long the phase gets.
	fewest = 3
	// warmUps are the first evaluations of a load, which do not count.
	warmUps = 2
)

// evaluate gives the peer a load and watches it. idle is what its processes
// use in a second without rules, as a share of it.
func (p *peer) evaluate(ctx context.Context, w work, idle float64) (evaluation, error) {
	every := p.every(w)
	if err := p.use(ctx, every, w); err != nil {
		return evaluation{}, err
	}
	before, err := p.evaluated(ctx)
	if err != nil {
		return evaluation{}, err
	}
	if before, err = p.next(ctx, before, warmUps); err != nil {
		return evaluation{}, err
	}
	used, err := cpuOf(p.processes()...)
	if err != nil {
		return evaluation{}, err
	}
	began, first := time.Now(), before
	var took []time.Duration
	for time.Since(began) < phase || len(took) < fewest {
		after, err := p.next(ctx, before, 1)
		if err != nil {
			return evaluation{}, err
		}
		took = append(took, (after.sum-before.sum)/time.Duration(after.count-before.count))
		before = after
	}
	lasted := time.Since(began)
	after, err := cpuOf(p.processes()...)
	if err != nil {
		return evaluation{}, err
	}
	runs := before.count - first.count
	beyond := after - used - time.Duration(idle*float64(lasted))
	return evaluation{took: median(took), cpu: beyond / time.Duration(runs), runs: runs}, nil
}

// tally is the state of a peer's summary of how long its evaluations took.
type tally struct {
	sum   time.Duration
	count int
}

// next waits until the peer has evaluated so many times more.
func (p *peer) next(ctx context.Context, since tally, times int) (tally, error) {
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); {
		now, err := p.evaluated(ctx)
		if err != nil {
			return tally{}, err
		}
		if now.count < since.count {
			since = tally{} // another group, counted from nothing
		}
		if now.count >= since.count+times {
			return now, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return tally{}, fmt.Errorf("%s does not evaluate:\n%s", p.name, p.output.String())
}

// evaluated reads the summary from the peer's own metrics.
func (p *peer) evaluated(ctx context.Context) (tally, error) {
	body, err := fetch(ctx, p.base+"/metrics")
	if err != nil {
		return tally{}, err
	}
	return tally{
		sum:   time.Duration(metric(body, p.duration+"_sum") * float64(time.Second)),
		count: int(metric(body, p.duration+"_count")),
	}, nil
}

// holds waits until the peer can query full windows of every series. What is new
// to VictoriaMetrics can take it some seconds to find.
func (p *peer) holds(ctx context.Context) error {
	base := p.base
	if p.behind != nil {
		base = p.behind.base
	}
	query := fmt.Sprintf("count(count_over_time(m[5m]) >= %d)", int(windowSize/scrapeEvery)-1)
	answer := []byte(nil)
	for limit := time.Now().Add(3 * scrapeEvery); time.Now().Before(limit); time.Sleep(time.Second) {
		var err error
		if answer, err = fetch(ctx, base+"/api/v1/query?step=5m&query="+url.QueryEscape(query)); err != nil {
			return err
		}
		if find(answer, `"value":\[[^,]*,"(\d+)"`) == strconv.Itoa(seriesCount) {
			return nil
		}
	}
	return fmt.Errorf("%s does not hold the series: %s\n%s", p.name, answer, p.processes()[len(p.processes())-1].output.String())
}

// metric adds up the series of a name on an exposition page.
func metric(page []byte, name string) float64 {
	sum := 0.0
	for line := range strings.Lines(string(page)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err == nil {
			sum += value
		}
	}
	return sum
}

// resting is the share of a second that processes use while nothing is asked of
// them but to read the page, each of them by itself.
func resting(all []*peer) (map[*peer]float64, error) {
	before := map[*peer]time.Duration{}
	for _, p := range all {
		used, err := cpuOf(p.processes()...)
		if err != nil {
			return nil, err
		}
		before[p] = used
	}
	time.Sleep(phase)
	shares := map[*peer]float64{}
	for _, p := range all {
		used, err := cpuOf(p.processes()...)
		if err != nil {
			return nil, err
		}
		shares[p] = (used - before[p]).Seconds() / phase.Seconds()
	}
	return shares, nil
}

// median returns the middle one; zero of none.
func median[T ~int64 | ~float64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
