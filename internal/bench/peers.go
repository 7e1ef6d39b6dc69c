package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// peer is a rule evaluator of somebody else, which reads the page.
type peer struct {
	name   string // with its version
	reader string // what it calls itself to the page
	*process
	// behind is what evaluates or keeps the series for it, if that is another
	// process: its time counts too.
	behind *process
	rules  string // the file that it reads its rules from
	// duration is the name of its summary of how long a group took.
	duration string
	every    func(work) time.Duration // how often it is made to evaluate
}

// processes are all that work for the peer.
func (p *peer) processes() []*process {
	if p.behind != nil {
		return []*process{p.process, p.behind}
	}
	return []*process{p.process}
}

func (p *peer) stop() {
	for _, one := range p.processes() {
		one.stop()
	}
}

// use gives the peer other rules, each load as a group; none at all stop it.
func (p *peer) use(ctx context.Context, every time.Duration, loads ...work) error {
	if err := os.WriteFile(p.rules, []byte(group(every, loads...)), 0o600); err != nil {
		return err
	}
	return post(ctx, p.base+"/-/reload", "")
}

const scrapeConfig = `
global: {scrape_interval: 15s}
scrape_configs:
- {job_name: bench, honor_labels: true, metrics_path: PATH, static_configs: [{targets: [TARGET]}]}
`

// scrapes writes a scrape configuration for the page and returns its file.
func (p *page) scrapes(dir, reader, more string) (file string, err error) {
	text := strings.NewReplacer("PATH", "/history/"+reader, "TARGET", "'"+p.Listener.Addr().String()+"'").Replace(scrapeConfig)
	file = filepath.Join(dir, reader+".yaml")
	return file, os.WriteFile(file, []byte(text+more), 0o600)
}

// errMissing says that a peer is not installed; its name is returned beside.
var errMissing = errors.New("it is not installed")

// startPrometheus starts Prometheus with all as it comes.
func startPrometheus(ctx context.Context, dir string, p *page) (*peer, error) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		return &peer{name: "Prometheus"}, errMissing
	}
	rules := filepath.Join(dir, "prometheus-rules.yaml")
	if err := os.WriteFile(rules, []byte("groups: []\n"), 0o600); err != nil {
		return nil, err
	}
	config, err := p.scrapes(dir, "prometheus", "rule_files: ['"+rules+"']\n")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	process, err := launch(ctx, address, binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "prometheus"),
		"--web.listen-address="+address, "--web.enable-lifecycle", "--log.level=warn")
	if err != nil {
		return nil, err
	}
	if err := process.ready(ctx, "/-/ready"); err != nil {
		return nil, err
	}
	return &peer{
		name: "Prometheus " + versionOf(ctx, "prometheus", binary), reader: "prometheus", process: process, rules: rules, duration: "prometheus_rule_group_duration_seconds",
		every: func(w work) time.Duration { return everyRules(w, time.Second) },
	}, nil
}

// startVmalert starts VictoriaMetrics and vmalert before it.
func startVmalert(ctx context.Context, dir string, p *page) (*peer, error) {
	database, err := exec.LookPath("victoria-metrics")
	if err != nil {
		return &peer{name: "vmalert"}, errMissing
	}
	binary, err := exec.LookPath("vmalert")
	if err != nil {
		return &peer{name: "vmalert"}, errMissing
	}
	rules := filepath.Join(dir, "vmalert-rules.yaml")
	if err := os.WriteFile(rules, []byte("groups: []\n"), 0o600); err != nil {
		return nil, err
	}
	config, err := p.scrapes(dir, "victoria", "")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	// Its answers leave out the last 30 s by default, which would only make the
	// comparison of the alerts wait.
	behind, err := launch(ctx, address, database, "-httpListenAddr="+address, "-storageDataPath="+filepath.Join(dir, "victoria"),
		"-promscrape.config="+config, "-search.latencyOffset=1ms", "-loggerLevel=WARN")
	if err != nil {
		return nil, err
	}
	if err := behind.ready(ctx, "/health"); err != nil {
		return nil, err
	}
	if address, err = freeAddress(ctx); err == nil {
		var process *process
		// Without a step of five minutes, a group that is evaluated each second
		// would look for samples of the last second only.
		process, err = launch(ctx, address, binary, "-httpListenAddr="+address, "-datasource.url="+behind.base, "-datasource.queryStep=5m",
			"-notifier.url="+p.URL, "-rule="+rules, "-loggerLevel=WARN")
		if err == nil {
			v := &peer{
				name: "vmalert " + versionOf(ctx, "victoria-metrics", binary), reader: "victoria", process: process, behind: behind, rules: rules, duration: "vmalert_iteration_duration_seconds",
				every: func(w work) time.Duration { return everyRules(w, 5*time.Second) },
			}
			if err = process.ready(ctx, "/health"); err == nil {
				return v, nil
			}
		}
	}
	behind.stop()
	return nil, err
}

// everyRules is half a second for one rule, and long for many.
func everyRules(w work, long time.Duration) time.Duration {
	if w.rules > 1 {
		return long
	}
	return 500 * time.Millisecond
}

// versionOf is the version of a Debian package, or else what the binary says;
// empty where neither tells.
func versionOf(ctx context.Context, pkg, binary string) string {
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}", pkg).Output()
	if err != nil {
		out, _ = exec.CommandContext(ctx, binary, "--version").CombinedOutput()
	}
	return find(out, `(\d+\.\d+\.\d+)`)
}

// alerts returns the alerts that fire, each as rule/instance. All three answer
// with a list of alerts with labels, at different depths.
func alerts(ctx context.Context, url string) (map[string]bool, error) {
	body, err := fetch(ctx, url)
	if err != nil {
		return nil, err
	}
	type list struct {
		Alerts []struct {
			State  string            `json:"state"`
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	var answer struct {
		list
		Data list `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", url, err)
	}
	firing := map[string]bool{}
	for _, a := range append(answer.Alerts, answer.Data.Alerts...) {
		if a.State == "firing" {
			firing[a.Labels["alertname"]+"/"+a.Labels["instance"]] = true
		}
	}
	return firing, nil
}

// fetch gets a page.
func fetch(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return send(request)
}
