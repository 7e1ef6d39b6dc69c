package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// amSizes is how much work Alertmanager and Tocsin are given.
type amSizes struct {
	load      int // alerts that are posted, then posted again, then read
	latencies int // alerts at 100 a second
	storms    [2]storm
	lives     int           // alerts that come and go while the server is killed
	life      time.Duration // of each
	silences  int           // that lie in the state that bytes are written over
}

type storm struct{ alerts, groups int }

func amSizesAt(scale float64) amSizes {
	of := func(n int) int { return max(1, int(float64(n)*scale)) }
	return amSizes{
		load: of(100_000), latencies: max(50, of(1500)),
		storms: [2]storm{{of(10_000), of(10_000)}, {of(100_000), of(1000)}},
		lives:  max(20, of(1200)), life: max(3*time.Second, time.Duration(15*scale*float64(time.Second))),
		silences: max(20, of(200)),
	}
}

// amBench measures each of the targets at each of the works.
type amBench struct {
	sizes   amSizes
	targets []amTarget
}

// alertmanager measures Alertmanager and Tocsin on the same work in one run.
// part is one of its works, or empty for all. What fails is told in its row and
// keeps nothing else from being measured.
func alertmanager(ctx context.Context, binary, peer, part string, scale float64) error {
	b := amBench{sizes: amSizesAt(scale), targets: []amTarget{tocsinTarget(binary), alertmanagerTarget(ctx, peer)}}
	for _, one := range []struct {
		name string
		rows func(context.Context)
	}{
		{"load", b.load}, {"latency", b.latency}, {"storm", b.storm}, {"kill", b.kill}, {"once", b.once}, {"corrupt", b.corrupt},
	} {
		if part == "" || part == one.name {
			one.rows(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// each runs one measurement on each target, each with a sink and a folder of
// its own, and returns what came of it, side by side.
func (b *amBench) each(ctx context.Context, o amOptions, measure func(*amRun) ([]string, error)) []string {
	var texts []string
	for _, target := range b.targets {
		parts, err := b.one(ctx, target, o, measure)
		if err != nil {
			parts = []string{"failed: " + firstLine(err)}
		}
		for i, part := range parts {
			part = target.name + " " + part
			if i < len(texts) {
				part = texts[i] + "; " + part
				texts[i] = part
				continue
			}
			texts = append(texts, part)
		}
	}
	return texts
}

func (b *amBench) one(ctx context.Context, target amTarget, o amOptions, measure func(*amRun) ([]string, error)) ([]string, error) {
	if target.binary == "" {
		return nil, errMissing
	}
	dir, err := os.MkdirTemp("", "tocsin-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r := &amRun{ctx: ctx, target: target, options: o, dir: dir, address: address, sink: newSink(o.alerts)}
	defer r.sink.Close()
	if err := r.start(); err != nil {
		return nil, err
	}
	defer r.stop()
	return measure(r)
}

// rows prints one row for each of the texts; a failure before the first leaves
// one text.
func rows(texts []string, names ...[2]string) {
	for i, text := range texts {
		if i < len(names) {
			row(names[i][0], names[i][1], text)
		}
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// load posts many alerts, posts them again, and reads them.
func (b *amBench) load(ctx context.Context) {
	n := b.sizes.load
	o := amOptions{alerts: n, groupBy: "[group]", groupWait: time.Hour} // nothing is sent meanwhile
	texts := b.each(ctx, o, func(r *amRun) ([]string, error) {
		first, err := r.posts(batches(n, groupsOf(n, 1000), time.Now(), time.Now().Add(30*time.Minute)))
		if err != nil {
			return nil, err
		}
		again, err := r.posts(batches(n, groupsOf(n, 1000), first.began, time.Now().Add(31*time.Minute)))
		if err != nil {
			return nil, err
		}
		loaded, err := residentMB(r.pid())
		if err != nil {
			return nil, err
		}
		one, err := r.reads(11, fmt.Sprintf("/api/v2/alerts?filter=n%%3D%d", n/2), 1)
		if err != nil {
			return nil, err
		}
		all, err := r.reads(3, "/api/v2/alerts", n)
		if err != nil {
			return nil, err
		}
		read, err := residentMB(r.pid())
		if err != nil {
			return nil, err
		}
		return []string{
			first.text(n), again.text(n), fmt.Sprintf("%.0f MB, %.0f MB", loaded, read),
			fmt.Sprintf("%.1f ms, %.0f ms", one.Seconds()*1000, all.Seconds()*1000),
		}, nil
	})
	rows(texts,
		[2]string{count(n) + " new alerts in batches of 64 over 4 connections: a second, CPU an alert, and until it is idle", "60,000/s, 20 µs; then 100,000/s, 10 µs"},
		[2]string{"the same sent again", "200,000/s, 5 µs"},
		[2]string{count(n) + " active: resident after the load, after reads", "60 MB, 100 MB"},
		[2]string{"GET one of " + count(n) + " by a matcher, median of 11; all, median of 3", "1 ms, 400 ms"})
}

// groupsOf says how many alerts stand in each of so many groups.
func groupsOf(alerts, groups int) int { return max(1, alerts/groups) }

// latency posts one alert every ten milliseconds, each a group of its own.
func (b *amBench) latency(ctx context.Context) {
	n := b.sizes.latencies
	texts := b.each(ctx, amOptions{alerts: n, groupBy: "['...']"}, func(r *amRun) ([]string, error) {
		requests := make([][]byte, n)
		for i := range requests {
			requests[i] = request(i, i+1, 1, time.Now(), time.Now().Add(time.Hour))
		}
		c, err := dial(r.ctx, r.address)
		if err != nil {
			return nil, err
		}
		defer c.close()
		sent := make([]time.Time, n)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for i := range requests {
			<-ticker.C
			sent[i] = time.Now()
			if err := c.post(requests[i]); err != nil {
				return nil, err
			}
		}
		if left := r.sink.await(r.ctx, n, 30*time.Second); left > 0 {
			return nil, fmt.Errorf("%d of %d alerts did not arrive", left, n)
		}
		took := make([]time.Duration, n)
		for i, at := range r.sink.arrivals() {
			took[i] = at.Sub(sent[i])
		}
		slices.Sort(took)
		return []string{fmt.Sprintf("%.1f / %.1f ms", took[n/2].Seconds()*1000, took[n*99/100].Seconds()*1000)}, nil
	})
	rows(texts, [2]string{fmt.Sprintf("POST to webhook at 100/s, %d alerts, group_wait 0 s, p50 / p99", n), "2 / 6 ms with fsync"})
}

// storm posts everything at once and waits until the last alert was delivered.
func (b *amBench) storm(ctx context.Context) {
	for i, s := range b.sizes.storms {
		o := amOptions{alerts: s.alerts, groupBy: "[group]", groupWait: 2 * time.Second, groupInterval: 5 * time.Second}
		texts := b.each(ctx, o, func(r *amRun) ([]string, error) {
			// An alert that began longer ago than group_wait is sent at once, and
			// the rest of its group a group_interval later.
			bodies := batches(s.alerts, groupsOf(s.alerts, s.groups), time.Time{}, time.Now().Add(time.Hour))
			before, err := cpuOf(r.process)
			if err != nil {
				return nil, err
			}
			began := time.Now()
			if err := load(r.ctx, r.address, bodies); err != nil {
				return nil, err
			}
			if left := r.sink.await(r.ctx, s.alerts, 2*time.Minute); left > 0 {
				return nil, fmt.Errorf("%d of %d alerts did not arrive", left, s.alerts)
			}
			after, err := cpuOf(r.process)
			last := slices.MaxFunc(r.sink.arrivals(), time.Time.Compare)
			return []string{fmt.Sprintf("%.1f s (%.1f s of CPU)", last.Sub(began).Seconds(), (after - before).Seconds())}, err
		})
		rows(texts, [2]string{
			fmt.Sprintf("storm: %s alerts in %s groups, group_wait 2 s, until the last is delivered", count(s.alerts), count(s.groups)), [...]string{"2.5 s", "3.5 s"}[i],
		})
	}
}

// count writes 100000 as 100,000.
func count(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", count(n/1000), n%1000)
}

var errNoState = errors.New("it has written no state")
