package plugins_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
	"github.com/tocsin-dev/tocsin/plugins/plugintest"
)

// heard keeps what a plugin writes to its standard error.
type heard struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(b)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}

func loud(t *testing.T) (*pluginpb.Client, *heard) {
	t.Helper()
	client, stderr, _ := start(t)
	return client, stderr
}

func start(t *testing.T) (*pluginpb.Client, *heard, *exec.Cmd) {
	t.Helper()
	folder, stderr := t.TempDir(), &heard{}
	cmd := exec.Command(plugintest.Build(t, "testdata/loud"))
	cmd.Env = []string{plugin.EnvUnixSocketDir + "=" + folder}
	host := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: pluginpb.Handshake(), VersionedPlugins: pluginpb.ClientPlugins(), Cmd: cmd, AutoMTLS: true, SkipHostEnv: true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, Stderr: stderr, Logger: hclog.NewNullLogger(),
	})
	t.Cleanup(host.Kill)
	conn, err := host.Client()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.Dispense(pluginpb.Name)
	if err != nil {
		t.Fatal(err)
	}
	client, ok := raw.(*pluginpb.Client)
	if !ok {
		t.Fatalf("dispensed %T", raw)
	}
	return client, stderr, cmd
}

// The answer to a call that was on its way must arrive: a notification whose answer
// is lost is told twice.
func TestACallOnItsWayIsAnsweredBeforeTheEnd(t *testing.T) {
	client, stderr, cmd := start(t)
	answer := make(chan *pluginpb.NotifyResponse, 1)
	go func() { answer <- notify(t, client, `{"do": "slow"}`) }()
	until(t, func() bool { return strings.Contains(stderr.String(), `"@message":"slow"`) })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got.GetReference() != "told" {
		t.Errorf("got %v", got)
	}
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come")
		}
	}
}

func notify(t *testing.T, c *pluginpb.Client, config string) *pluginpb.NotifyResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	n := notifiers.Sample(alert.Firing, 1)
	resp, err := c.Notifier.Notify(ctx, &pluginpb.NotifyRequest{DeliveryId: n.ID, ConfigJson: []byte(config), Attempt: 2, Notification: pluginpb.NewNotification(&n)})
	if err != nil {
		t.Errorf("%s: %v", config, err)
	}
	return resp
}

func TestANotifierKnowsTheAttempt(t *testing.T) {
	client, _ := loud(t)
	if got := notify(t, client, `{"do": "count"}`); got.GetAnswer() != "2" {
		t.Errorf("got %v", got)
	}
}

func TestWhatIsPrintedIsLogged(t *testing.T) {
	client, stderr := loud(t)
	if got := notify(t, client, `{"do": "print"}`); got.GetOutcome() != pluginpb.Outcome_OUTCOME_OK {
		t.Fatalf("got %v", got)
	}
	until(t, func() bool { return strings.Contains(stderr.String(), strings.Repeat("much ", 40_000)) })
	var line map[string]any
	for text := range strings.Lines(stderr.String()) {
		if strings.Contains(text, "by slog") {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}
	if line["@message"] != "by slog" || line["@level"] != "warn" || line["key"] != "value" || line["@timestamp"] == nil {
		t.Errorf("the line of slog is %v", line)
	}
	for _, want := range []string{"by fmt\n", "by stderr\n", `"@message":"by log"`, "by write\n", "by a child\n"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is not in the log", want)
		}
	}
}

func TestAPanicIsAFailureThatMayPass(t *testing.T) {
	client, stderr := loud(t)
	for config, says := range map[string]string{
		`{"do": "panic"}`:     "the plugin panicked: assignment to entry in nil map",
		`{"do": "panic-new"}`: "the plugin panicked: in New",
	} {
		for range 2 { // the second meets what the first has left
			got := notify(t, client, config)
			if got.GetOutcome() != pluginpb.Outcome_OUTCOME_RETRY || got.GetMessage() != says {
				t.Errorf("%s: %v", config, got)
			}
		}
	}
	_, err := client.Plugin.ValidateConfig(t.Context(), &pluginpb.ValidateConfigRequest{ConfigJson: []byte(`{"do": "panic-validate"}`)})
	if err == nil || !strings.Contains(err.Error(), "the plugin panicked: in Validate") {
		t.Errorf("ValidateConfig: %v", err)
	}
	if got := notify(t, client, `{}`); got.GetOutcome() != pluginpb.Outcome_OUTCOME_OK {
		t.Errorf("after the panics: %v", got)
	}
	if !strings.Contains(stderr.String(), "main.Config.Notify") {
		t.Error("the stack is not in the log")
	}
	about, err := client.Plugin.Describe(t.Context(), &pluginpb.DescribeRequest{})
	if err != nil || about.GetConcurrency() != 3 {
		t.Errorf("described as %v (%v), want a concurrency of 3", about, err)
	}
}
