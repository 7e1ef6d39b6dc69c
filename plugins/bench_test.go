package plugins_test

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/plugins/plugintest"
)

// BenchmarkNotify is a notification of three alerts through a plugin that does
// nothing, mutual TLS and the making of the message included.
func BenchmarkNotify(b *testing.B) {
	cmd := exec.Command(plugintest.Build(b, "testdata/loud"))
	cmd.Env = []string{plugin.EnvUnixSocketDir + "=" + b.TempDir()}
	host := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: pluginpb.Handshake(), VersionedPlugins: pluginpb.ClientPlugins(), Cmd: cmd, AutoMTLS: os.Getenv("MTLS") != "off", SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Logger: hclog.NewNullLogger(),
	})
	b.Cleanup(host.Kill)
	conn, err := host.Client()
	if err != nil {
		b.Fatal(err)
	}
	raw, err := conn.Dispense(pluginpb.Name)
	if err != nil {
		b.Fatal(err)
	}
	client, ok := raw.(*pluginpb.Client)
	if !ok {
		b.Fatalf("dispensed %T", raw)
	}
	n := notifiers.Sample(alert.Firing, 3)
	send := func(b *testing.B) {
		resp, err := client.Notifier.Notify(b.Context(), &pluginpb.NotifyRequest{
			DeliveryId: n.ID, ConfigJson: []byte(`{}`), Notification: pluginpb.NewNotification(&n), Attempt: 1,
		})
		if err != nil || resp.GetOutcome() != pluginpb.Outcome_OUTCOME_OK {
			b.Errorf("%v, %v", resp, err)
		}
	}
	b.Run("serial", func(b *testing.B) {
		took := make([]time.Duration, 0, 1<<16)
		for b.Loop() {
			begun := time.Now()
			send(b)
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	})
	b.Run("concurrent", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				send(b)
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	})
}
