// Command bench measures the built daemon from outside, as an operator would:
// how fast it starts, what it weighs, how many requests it answers, how long a
// sample takes to become a webhook, and what rules cost, beside Prometheus and
// vmalert where those are installed. `make bench` calls it and puts what
// it prints into docs/benchmarks.md. It talks to loopback only.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	binary := flag.String("binary", "bin/tocsin", "the daemon to measure")
	only := flag.String("only", "", "measure one part: daemon, scale, peers, polls, plugins, alertmanager, or one of the latter's: alertmanager/load, latency, storm, kill, once or corrupt")
	peer := flag.String("alertmanager", "prometheus-alertmanager", "the Alertmanager to measure beside")
	amScale := flag.Float64("scale", 1, "how much of the work beside Alertmanager is done, 0 to 1")
	flag.Parse()
	// Interrupted, it ends what it has started.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *binary, *only, func(part string) error { return alertmanager(ctx, *binary, *peer, part, *amScale) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, only string, standingIn func(part string) error) error {
	only, amPart, _ := strings.Cut(only, "/")
	fmt.Println("| what | wanted | measured |\n|---|---|---|")
	for _, part := range []struct {
		name    string
		measure []func(context.Context, string) error
	}{
		{"daemon", []func(context.Context, string) error{weigh, startAndRest, requests, latency}},
		{"scale", []func(context.Context, string) error{judging, loading, reloading}},
		{"peers", []func(context.Context, string) error{beside}},
		{"polls", []func(context.Context, string) error{polls}},
		{"plugins", []func(context.Context, string) error{plugins}},
		{"alertmanager", []func(context.Context, string) error{func(context.Context, string) error { return standingIn(amPart) }}},
	} {
		if only != "" && only != part.name {
			continue
		}
		for _, measure := range part.measure {
			if err := measure(ctx, binary); err != nil {
				return err
			}
		}
	}
	return nil
}

func row(what, wanted, measured string) { fmt.Printf("| %s | %s | %s |\n", what, wanted, measured) }

func weigh(_ context.Context, binary string) error {
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	row("binary", "under 40 MB", fmt.Sprintf("%.1f MB", float64(info.Size())/(1<<20)))
	return nil
}

// daemon is one run of the binary in a folder of its own.
type daemon struct {
	cmd     *exec.Cmd
	dir     string
	base    string
	toReady time.Duration
	output  bytes.Buffer
}

// start runs the daemon with a configuration and rules, and waits until it is
// ready, asking every millisecond.
func start(ctx context.Context, binary, config, rules string) (*daemon, error) {
	dir, err := os.MkdirTemp("", "tocsin-bench-")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: dir}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	d.base = "http://" + address
	config = strings.NewReplacer("LISTEN", address, "STORE", filepath.Join(dir, "tocsin.db")).Replace(config)
	for name, text := range map[string]string{"tocsin.yaml": config, "rules.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	absolute, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	d.cmd = exec.CommandContext(ctx, absolute, "serve", "--config", filepath.Join(dir, "tocsin.yaml"))
	d.cmd.Stdout, d.cmd.Stderr = &d.output, &d.output
	began := time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	for time.Since(began) < 20*time.Second {
		if ask(ctx, d.base+"/-/ready") {
			d.toReady = time.Since(began)
			return d, nil
		}
		time.Sleep(time.Millisecond)
	}
	d.stop()
	return nil, errors.New("the daemon did not become ready:\n" + d.output.String())
}

func ask(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode == http.StatusOK
}

func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(os.Interrupt)
	_ = d.cmd.Wait()
	_ = os.RemoveAll(d.dir)
}

// residentMB reads the resident memory of a process.
func residentMB(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}

const quietConfig = `
server: {listen: LISTEN}
store: {path: STORE}
rules: [rules.yaml]
sources:
  - {name: tocsin, type: process}
  - {name: host, type: host}
  - {name: push, type: push, interval: 1s}
receivers: [{name: console, type: console}]
route: {receivers: [console], group_wait: 0s}
log: {level: warn}
`

const quietRules = `
rules:
  - {id: low, metric: cache.hit_rate, warning: value < 85, message: 'Cache hit rate {{ .Verb }} {{ .Threshold }}% for {{ .Labels.strategy }} strategy'}
  - {id: slow, metric: postgres.avg_query_time, info: value > 10ms}
`

// startAndRest takes the median of eleven starts, and the memory of a daemon
// that has been idle for ten seconds.
func startAndRest(ctx context.Context, binary string) error {
	var starts []time.Duration
	for range 11 {
		d, err := start(ctx, binary, quietConfig, quietRules)
		if err != nil {
			return err
		}
		starts = append(starts, d.toReady)
		d.stop()
	}
	slices.Sort(starts)
	row("start to ready, median of 11", "under 100 ms", milliseconds(starts[5]))
	d, err := start(ctx, binary, quietConfig, quietRules)
	if err != nil {
		return err
	}
	defer d.stop()
	time.Sleep(10 * time.Second)
	resident, err := residentMB(d.cmd.Process.Pid)
	if err != nil {
		return err
	}
	row("resident memory, idle for 10 s", "under 40 MB", fmt.Sprintf("%.1f MB", resident))
	return nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
