package rule

import (
	"slices"
	"time"
)

// needs is what conditions want of the series that they look at, by metric.
type needs struct {
	// windows is the longest window of samples; 0 for the last value only.
	windows map[string]time.Duration
	// lookback is how far back samples must be loaded at a start, and so kept on
	// disk: longer than the window where a baseline or a change looks further.
	lookback map[string]time.Duration
	// baselines are the long memories.
	baselines map[string][]Need
}

func newNeeds() needs {
	return needs{windows: map[string]time.Duration{}, lookback: map[string]time.Duration{}, baselines: map[string][]Need{}}
}

// Windows maps each metric that the condition looks at to the longest window
// of samples over it, for Series.Keep; 0 for the last value only.
func (n *needs) Windows() map[string]time.Duration { return n.windows }

// Lookback maps each metric that the condition looks at to how old samples it
// may have to look at: what is loaded at a start.
func (n *needs) Lookback() map[string]time.Duration { return n.lookback }

// Baselines maps the metrics that the condition compares with earlier days to
// what it compares, for Series.KeepCoarse.
func (n *needs) Baselines() map[string][]Need { return n.baselines }

// window notes a window, and how much further back than it the function looks.
func (n *needs) window(metric string, length, past time.Duration) {
	n.windows[metric] = max(n.windows[metric], length)
	n.lookback[metric] = max(n.lookback[metric], length+past)
}

// add takes in what others need: of one metric under another name, or of all
// when none is named.
func (n *needs) add(other *needs, metric, as string) {
	take := func(name string) (string, bool) {
		if metric == "" {
			return name, true
		}
		return as, name == metric
	}
	for name, length := range other.windows {
		if to, ok := take(name); ok {
			n.window(to, length, 0)
		}
	}
	for name, length := range other.lookback {
		if to, ok := take(name); ok {
			n.lookback[to] = max(n.lookback[to], length)
		}
	}
	for name, list := range other.baselines {
		to, ok := take(name)
		for _, need := range list {
			if ok && !slices.Contains(n.baselines[to], need) {
				n.baselines[to] = append(n.baselines[to], need)
			}
		}
	}
}

func (n *needs) baseline(metric string, need Need) {
	n.window(metric, 0, need.lookback())
	if !slices.Contains(n.baselines[metric], need) {
		n.baselines[metric] = append(n.baselines[metric], need)
	}
}
