package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const pollConfig = `
server: {listen: LISTEN}
store: {path: STORE}
rules: [rules.yaml]
sources:
  - {name: page, type: prometheus, url: "PAGE", interval: 2s, timeout: 2s}
receivers: [{name: console, type: console}]
route: {receivers: [console]}
log: {level: warn}
`

// polls measures what the samples cost before a rule sees them: first the
// source alone, fetching and reading the page, then the whole daemon by its
// processor time, without rules and with each load.
func polls(ctx context.Context, binary string) error {
	one, err := goBench(ctx, "./source/prometheus", "^BenchmarkPoll$", 5, "0.5s")
	if err != nil {
		return err
	}
	row("taking the samples in: a page of 10,000 series fetched and read, in process: a series", "",
		micro(time.Duration(one["Poll"]["ns/series"])))
	p := newPage()
	defer p.Close()
	var texts []string
	for _, loads := range append([][]work{nil}, each(works())...) {
		used, err := daemonPoll(ctx, binary, p, loads)
		if err != nil {
			return err
		}
		name := "without rules"
		if len(loads) > 0 {
			name = loads[0].name
		}
		texts = append(texts, fmt.Sprintf("%s %s", name, micro(used/seriesCount)))
	}
	row("the daemon polling that page, CPU of everything in it: a series", "", strings.Join(texts, "; "))
	return nil
}

func each(all []work) (one [][]work) {
	for _, w := range all {
		one = append(one, []work{w})
	}
	return one
}

// daemonPoll is the processor time that a running daemon uses for one poll of
// the page with all that follows from it. The ten seconds in which the daemon
// hands the samples of windows to the store are in it once.
func daemonPoll(ctx context.Context, binary string, p *page, loads []work) (time.Duration, error) {
	path := "/polled"
	for _, w := range loads {
		path += "/" + w.key
	}
	d, err := start(ctx, binary, strings.ReplaceAll(pollConfig, "PAGE", p.URL+path), ruleFile(loads...))
	if err != nil {
		return 0, err
	}
	defer d.stop()
	time.Sleep(3 * time.Second) // the series are known
	before, err := cpu(d.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	began := p.readBy(path)
	time.Sleep(10 * time.Second)
	after, err := cpu(d.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	polls := p.readBy(path) - began
	if polls == 0 {
		return 0, fmt.Errorf("the daemon does not read the page:\n%s", d.output.String())
	}
	return (after - before) / time.Duration(polls), nil
}
