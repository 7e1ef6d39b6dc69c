package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// amTarget is a server that takes Alertmanager's API. An empty binary is not
// installed.
type amTarget struct {
	name, binary string
	// config writes the configuration; args start the binary with it.
	config func(*amRun) string
	args   func(r *amRun, config string) []string
	state  string // a pattern of the files that it keeps
}

// amOptions are how a server is to group and send.
type amOptions struct {
	alerts                   int // that the sink knows
	groupBy                  string
	groupWait, groupInterval time.Duration // an interval of 0 is Alertmanager's default
}

func (o amOptions) interval() time.Duration {
	if o.groupInterval == 0 {
		return 5 * time.Minute
	}
	return o.groupInterval
}

func tocsinTarget(binary string) amTarget {
	absolute, err := filepath.Abs(binary)
	if err != nil {
		absolute = binary
	}
	return amTarget{
		name: "Tocsin", binary: absolute, state: "tocsin.db*",
		config: func(r *amRun) string {
			return fmt.Sprintf(`
server: {listen: %q}
store: {path: %q}
rules: []
sources: [{name: push, type: push, interval: 10s}]
receivers: [{name: hook, type: webhook, url: %q, format: alertmanager}]
route: {receivers: [hook], group_by: %s, group_wait: %s, group_interval: %s, repeat_interval: 4h}
log: {level: warn}
`, r.address, filepath.Join(r.dir, "tocsin.db"), r.sink.URL, r.options.groupBy, r.options.groupWait, r.options.interval())
		},
		args: func(_ *amRun, config string) []string { return []string{"serve", "--config", config} },
	}
}

// alertmanagerTarget starts Alertmanager as it comes, but for the cluster.
func alertmanagerTarget(ctx context.Context, name string) amTarget {
	binary, err := exec.LookPath(name)
	if err != nil {
		return amTarget{name: "Alertmanager"}
	}
	out, _ := exec.CommandContext(ctx, binary, "--version").CombinedOutput()
	return amTarget{
		name: "Alertmanager " + find(out, `version (\d+\.\d+\.\d+)`), binary: binary, state: filepath.Join("data", "*"),
		config: func(r *amRun) string {
			return fmt.Sprintf(`
route: {receiver: hook, group_by: %s, group_wait: %s, group_interval: %s, repeat_interval: 4h}
receivers: [{name: hook, webhook_configs: [{url: %q, send_resolved: true}]}]
`, r.options.groupBy, r.options.groupWait, r.options.interval(), r.sink.URL)
		},
		args: func(r *amRun, config string) []string {
			return []string{"--config.file=" + config, "--storage.path=" + filepath.Join(r.dir, "data"), "--cluster.listen-address=", "--web.listen-address=" + r.address}
		},
	}
}

// amRun is one server at one work.
type amRun struct {
	ctx     context.Context
	target  amTarget
	options amOptions
	dir     string
	address string
	sink    *sink
	process *process
}

func (r *amRun) pid() int { return r.process.cmd.Process.Pid }

// start starts the server, again with what it has kept after it was killed.
func (r *amRun) start() error {
	config := filepath.Join(r.dir, "config.yaml")
	if err := os.WriteFile(config, []byte(r.target.config(r)), 0o600); err != nil {
		return err
	}
	var err error
	if r.process, err = launch(r.ctx, r.address, r.target.binary, r.target.args(r, config)...); err != nil {
		return err
	}
	return r.process.ready(r.ctx, "/-/ready")
}

func (r *amRun) stop() { r.process.stop() }

// kill ends the server as a crash does, and returns when it is gone.
func (r *amRun) kill() {
	_ = r.process.cmd.Process.Signal(syscall.SIGKILL)
	<-r.process.ended
}

// files are those that the server keeps its state in.
func (r *amRun) files() ([]string, error) {
	names, err := filepath.Glob(filepath.Join(r.dir, r.target.state))
	if err == nil && len(names) == 0 {
		err = errNoState
	}
	return names, err
}

// posted is what posting took.
type posted struct {
	began           time.Time
	took, cpu, rest time.Duration
}

func (p posted) text(alerts int) string {
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(alerts) }
	return fmt.Sprintf("%s/s, %.1f µs, and %.1f µs", count(int(float64(alerts)/p.took.Seconds())), each(p.cpu), each(p.rest))
}

// posts sends the requests, and waits until the server is idle.
func (r *amRun) posts(requests [][]byte) (posted, error) {
	p := posted{began: time.Now()}
	before, err := cpuOf(r.process)
	if err != nil {
		return p, err
	}
	p.began = time.Now()
	if err := load(r.ctx, r.address, requests); err != nil {
		return p, err
	}
	p.took = time.Since(p.began)
	answered, err := cpuOf(r.process)
	if err != nil {
		return p, err
	}
	p.cpu = answered - before
	idle, err := r.idle(answered)
	p.rest = idle - answered
	return p, err
}

// idle waits until the server uses next to nothing, and returns what it has
// used by then.
func (r *amRun) idle(used time.Duration) (time.Duration, error) {
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); {
		time.Sleep(500 * time.Millisecond)
		now, err := cpuOf(r.process)
		if err != nil {
			return 0, err
		}
		if now-used <= 10*time.Millisecond {
			return used, nil
		}
		used = now
	}
	return used, nil
}

// reads gets a path several times, and returns the median of what it took. The
// answer must hold so many alerts, which is looked at once and not measured.
func (r *amRun) reads(times int, path string, alerts int) (time.Duration, error) {
	body, err := fetch(r.ctx, r.process.base+path)
	if err != nil {
		return 0, err
	}
	if got := strings.Count(string(body), `"fingerprint":`); got != alerts {
		return 0, fmt.Errorf("%s: %d alerts, not %d", path, got, alerts)
	}
	took := make([]time.Duration, times)
	for i := range took {
		began := time.Now()
		if err := drain(r.ctx, r.process.base+path); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	return median(took), nil
}

// drain gets a page and throws it away.
func drain(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// try posts to a server that may be dead; false when it did not take it.
func (r *amRun) try(path, body string) (answer string, ok bool) {
	ctx, cancel := context.WithTimeout(r.ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.address+path, strings.NewReader(body))
	if err != nil {
		return "", false
	}
	request.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", false
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return string(text), err == nil && res.StatusCode == http.StatusOK
}

var errUnready = errors.New("refuses to start")
