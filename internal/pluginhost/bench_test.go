//go:build unix

package pluginhost_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/pluginhost"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

func benchHost(b *testing.B, plugins int, manner string) (*pluginhost.Host, pluginhost.Use) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	h := pluginhost.New(pluginhost.Options{Log: slog.New(slog.DiscardHandler)})
	b.Cleanup(h.Close)
	var specs []pluginhost.Spec
	for i := range plugins {
		specs = append(specs, pluginhost.Spec{
			Name: string(rune('a' + i)), Path: filepath.Clean(self), Args: []string{pluginWord, manner}, MTLS: true, Timeout: time.Minute, Concurrency: 256,
		})
	}
	if err := h.Apply(specs); err != nil {
		b.Fatal(err)
	}
	for _, s := range specs {
		if _, err := h.Describe(b.Context(), s.Name); err != nil {
			b.Fatal(err)
		}
	}
	return h, pluginhost.Use{Plugin: "a", Kind: pluginpb.Kind_KIND_NOTIFIER, Name: "ops", Settings: []byte(`{"to":"somebody"}`)}
}

// BenchmarkNotify is one notification of three alerts, one after the other.
func BenchmarkNotify(b *testing.B) {
	h, use := benchHost(b, 1, "well")
	n := notifiers.Sample(alert.Firing, 3)
	for b.Loop() {
		if _, err := h.Notify(b.Context(), use, pluginpb.NewNotification(&n)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNotifyAtATime is the same, 32 at a time on each processor.
func BenchmarkNotifyAtATime(b *testing.B) {
	h, use := benchHost(b, 1, "well")
	n := notifiers.Sample(alert.Firing, 3)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.Notify(b.Context(), use, pluginpb.NewNotification(&n)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkColdStart is from the declaration to the first answer, and the end.
func BenchmarkColdStart(b *testing.B) {
	for b.Loop() {
		h, use := benchHost(b, 1, "well")
		n := notifiers.Sample(alert.Firing, 1)
		if _, err := h.Notify(b.Context(), use, pluginpb.NewNotification(&n)); err != nil {
			b.Fatal(err)
		}
		h.Close()
	}
}

// BenchmarkTwentyPlugins reports what the host itself keeps for each plugin.
func BenchmarkTwentyPlugins(b *testing.B) {
	const plugins = 20
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		h, _ := benchHost(b, plugins, "well")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapInuse+after.StackInuse-before.HeapInuse-before.StackInuse)/plugins/1024, "kB/plugin")
		h.Close()
	}
}
