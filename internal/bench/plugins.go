package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// pluginFor is how long each way of calling a plugin is measured.
const pluginFor = 3 * time.Second

// plugins measures what a call of a plugin costs, through the daemon's own side
// of it and the plugins that `make plugins` has built: the example in Go, which
// appends a line to /dev/null, and that in Python, which posts to a server here
// that answers at once. Each notification has three alerts, and TLS is on.
func plugins(ctx context.Context, binary string) error {
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	for _, p := range []struct{ name, language, settings, wanted string }{
		{"example", "Go", `{"path":"/dev/null"}`, "3,000/s; 10,000/s"},
		{"example-python", "Python", `{"url":"` + sink.URL + `"}`, ""},
	} {
		path, err := filepath.Abs(filepath.Join("plugins", "bin", p.name))
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w: make plugins builds it", err)
		}
		m, err := measurePlugin(ctx, path, p.settings)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		row("calls of a plugin in "+p.language+", one after the other; 64 at a time", p.wanted,
			fmt.Sprintf("%.0f/s, p50 %.2f ms, p99 %.2f ms; %.0f/s", m.serial, m.p50.Seconds()*1000, m.p99.Seconds()*1000, m.concurrent))
		row("a plugin in "+p.language+", from its declaration to the first answer, median of 11", "", milliseconds(m.cold))
	}
	return twentyPlugins(ctx, binary)
}

// pluginCost is what was measured of one plugin.
type pluginCost struct {
	serial, concurrent float64 // calls a second
	p50, p99, cold     time.Duration
}

func measurePlugin(ctx context.Context, path, settings string) (pluginCost, error) {
	var m pluginCost
	n := notifiers.Sample(alert.Firing, 3)
	use := pluginhost.Use{Plugin: "plugin", Kind: pluginpb.Kind_KIND_NOTIFIER, Name: "ops", Settings: []byte(settings)}
	spec := pluginhost.Spec{Name: "plugin", Path: path, MTLS: true, Timeout: time.Minute, Concurrency: 64}
	call := func(h *pluginhost.Host) error {
		answer, err := h.Notify(ctx, use, pluginpb.NewNotification(&n))
		if err == nil && answer.GetOutcome() != pluginpb.Outcome_OUTCOME_OK {
			err = errors.New(answer.GetMessage())
		}
		return err
	}
	var colds []time.Duration
	var host *pluginhost.Host
	for range 11 {
		if host != nil {
			host.Close()
		}
		host = pluginhost.New(pluginhost.Options{Log: slog.New(slog.DiscardHandler)})
		began := time.Now()
		if err := host.Apply([]pluginhost.Spec{spec}); err != nil {
			return m, err
		}
		if err := call(host); err != nil {
			return m, err
		}
		colds = append(colds, time.Since(began))
	}
	defer host.Close()
	slices.Sort(colds)
	m.cold = colds[len(colds)/2]
	var each []time.Duration
	for began := time.Now(); time.Since(began) < pluginFor; {
		one := time.Now()
		if err := call(host); err != nil {
			return m, err
		}
		each = append(each, time.Since(one))
	}
	slices.Sort(each)
	m.serial, m.p50, m.p99 = float64(len(each))/pluginFor.Seconds(), each[len(each)/2], each[len(each)*99/100]
	var calls atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for began := time.Now(); time.Since(began) < pluginFor && failed.Load() == nil; calls.Add(1) {
				if err := call(host); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	m.concurrent = float64(calls.Load()) / pluginFor.Seconds()
	if err := failed.Load(); err != nil {
		return m, *err
	}
	return m, nil
}

// twentyPlugins measures what the daemon itself weighs beside twenty processes of
// plugins, against one without any.
func twentyPlugins(ctx context.Context, binary string) error {
	path, err := filepath.Abs(filepath.Join("plugins", "bin", "example"))
	if err != nil {
		return err
	}
	var list, receivers []string
	for i := range 20 {
		list = append(list, fmt.Sprintf("  - {name: p%d, path: %q}", i, path))
		receivers = append(receivers, fmt.Sprintf("  - {name: r%d, type: p%d, path: /dev/null}", i, i))
	}
	with := "\nplugins:\n" + strings.Join(list, "\n") + "\n" +
		strings.Replace(quietConfig, "receivers: [{name: console, type: console}]", "receivers:\n  - {name: console, type: console}\n"+strings.Join(receivers, "\n"), 1)
	var rested [2]float64
	for i, config := range []string{quietConfig, with} {
		d, err := start(ctx, binary, config, quietRules)
		if err != nil {
			return err
		}
		time.Sleep(10 * time.Second)
		rested[i], err = residentMB(d.cmd.Process.Pid)
		d.stop()
		if err != nil {
			return err
		}
	}
	row("the daemon's resident memory with 20 plugins, idle for 10 s", "", fmt.Sprintf("%.1f MB; %.1f MB without", rested[1], rested[0]))
	return nil
}
