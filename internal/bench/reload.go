package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const reloadConfig = `
server: {listen: LISTEN}
store: {path: STORE}
rules: [rules.yaml]
sources: [{name: push, type: push, interval: 10s}]
receivers: [{name: hook, type: webhook, url: "SINK"}]
route: {receivers: [hook], group_by: [alertname]}
log: {level: warn}
`

// reloading edits and reloads ten thousand rules while two clients push some
// 2,000 samples a second, each a new series over its threshold. What was pushed
// must have been taken, and each must have made its alert.
func reloading(ctx context.Context, binary string) error {
	const reloads = 5
	p := newPage()
	defer p.Close()
	d, err := start(ctx, binary, strings.ReplaceAll(reloadConfig, "SINK", p.URL), manyRules(0))
	if err != nil {
		return err
	}
	defer d.stop()
	load := pushers{daemon: d}
	load.begin(ctx)
	var took []time.Duration
	for generation := range reloads {
		text := manyRules(generation + 1)
		if err == nil {
			err = os.WriteFile(filepath.Join(d.dir, "rules.yaml"), []byte(text), 0o600)
		}
		began := time.Now()
		if err == nil {
			err = post(ctx, d.base+"/-/reload", "")
		}
		took = append(took, time.Since(began))
	}
	pushed, slowest, pushErr := load.end()
	if err != nil || pushErr != nil {
		return fmt.Errorf("reload: %w, pushes: %w", err, pushErr)
	}
	taken, fired, err := d.taken(ctx, pushed)
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d reloads of 10,000 rules, edited, under load", reloads), "drops no sample",
		fmt.Sprintf("%d samples pushed, %d taken, %d alerts of them; a reload %.2f s (median), the slowest push %s", pushed, taken, fired, median(took).Seconds(), milliseconds(slowest)))
	return nil
}

// taken waits until the daemon has made an alert of every sample, or does not
// get any further, and says how many samples it has taken and alerts it has.
func (d *daemon) taken(ctx context.Context, pushed int) (samples, fired int, err error) {
	for limit := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		body, err := fetch(ctx, d.base+"/metrics")
		if err != nil {
			return 0, 0, err
		}
		samples = int(metric(body, "tocsin_samples_total"))
		fired = int(metric(body, `tocsin_alerts{severity="critical",state="firing"}`))
		if samples >= pushed && fired >= pushed || time.Now().After(limit) {
			return samples, fired, nil
		}
	}
}

// pushers are two clients that push one sample after the other, ten a request.
type pushers struct {
	daemon  *daemon
	stop    atomic.Bool
	wait    sync.WaitGroup
	mu      sync.Mutex
	pushed  int
	slowest time.Duration
	err     error
}

func (l *pushers) begin(ctx context.Context) {
	for client := range 2 {
		l.wait.Go(func() {
			for n := 0; !l.stop.Load(); n++ {
				l.push(ctx, client, n)
				time.Sleep(10 * time.Millisecond) // a load, not a flood
			}
		})
	}
}

func (l *pushers) push(ctx context.Context, client, n int) {
	const samples = 10
	var b strings.Builder
	for i := range samples {
		fmt.Fprintf(&b, `, {"metric": "bench_load", "labels": {"n": "%d-%d-%d"}, "value": 2}`, client, n, i)
	}
	began := time.Now()
	err := post(ctx, l.daemon.base+"/api/v1/ingest", `{"instance": "bench", "samples": [`+b.String()[2:]+`]}`)
	took := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.err = err
		l.stop.Store(true)
		return
	}
	l.pushed += samples
	l.slowest = max(l.slowest, took)
}

func (l *pushers) end() (pushed int, slowest time.Duration, err error) {
	l.stop.Store(true)
	l.wait.Wait()
	return l.pushed, l.slowest, l.err
}
