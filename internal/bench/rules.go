package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// beside sets our evaluation of rules beside that of Prometheus and vmalert:
// each evaluates the loads over the page, one after the other. Then it compares
// their alerts with the daemon's.
func beside(ctx context.Context, binary string) error {
	ours, err := goBench(ctx, "./engine/rule", "^BenchmarkTenThousand$", 5, "0.5s")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tocsin-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p := newPage()
	defer p.Close()
	var all []*peer
	for _, begin := range [...]func(context.Context, string, *page) (*peer, error){startPrometheus, startVmalert} {
		one, err := begin(ctx, dir, p)
		switch {
		case errors.Is(err, errMissing):
			row("rule evaluation by "+one.name, "", "not measured: it is not installed")
			continue
		case err != nil:
			return err
		}
		defer one.stop()
		all = append(all, one)
	}
	if err := p.wait(ctx, all); err != nil {
		return err
	}
	all = holding(ctx, all)
	idle, err := resting(all)
	if err != nil {
		return err
	}
	for _, w := range works() {
		if err := compare(ctx, w, ours["TenThousand/"+w.key], all, idle); err != nil {
			return err
		}
	}
	if len(all) == 0 {
		return nil
	}
	return agree(ctx, binary, p, all)
}

// compare prints a row for one load: what each takes for one series or rule,
// and how many times as long as we do.
func compare(ctx context.Context, w work, ours figures, all []*peer, idle map[*peer]float64) error {
	own := time.Duration(ours["ns/series"])
	texts := []string{fmt.Sprintf("Tocsin %s, in process with the sample taken in", micro(own))}
	for _, p := range all {
		e, err := p.evaluate(ctx, w, idle[p])
		if err != nil {
			return err
		}
		took, used := e.took/seriesCount, e.cpu/seriesCount
		texts = append(texts, fmt.Sprintf("%s %s (%.0f times; %s of CPU; %d evaluations)",
			p.name, micro(took), float64(took)/float64(own), micro(used), e.runs))
		if err := p.use(ctx, time.Minute); err != nil {
			return err
		}
	}
	row(w.name+": "+w.each, w.wanted, strings.Join(texts, "; "))
	return nil
}

// wait until every peer has read the page, its history first.
func (p *page) wait(ctx context.Context, all []*peer) error {
	for _, one := range all {
		path := "/history/" + one.reader
		for limit := time.Now().Add(2 * scrapeEvery); p.readBy(path) == 0; {
			if time.Now().After(limit) || ctx.Err() != nil {
				return fmt.Errorf("%s does not read the page:\n%s", one.name, one.output.String())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}

// holding leaves out the peers that do not get to hold the series, and says so.
func holding(ctx context.Context, all []*peer) (able []*peer) {
	for _, one := range all {
		if err := one.holds(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "bench: "+err.Error())
			row("rule evaluation by "+one.name, "", "not measured: it does not hold the series")
			continue
		}
		able = append(able, one)
	}
	return able
}

// agreeConfig is the daemon's for the comparison of alerts: the same page, read
// as often. Its windows are filled by the pushes of agree.
const agreeConfig = `
server: {listen: LISTEN}
store: {path: STORE}
rules: [rules.yaml]
sources:
  - {name: page, type: prometheus, url: "PAGE", interval: 1s, timeout: 1s}
receivers: [{name: hook, type: webhook, url: "SINK"}]
route: {receivers: [hook]}
log: {level: warn}
`

// agree makes values fall, and says whether the alerts of all name the same
// rules and instances.
func agree(ctx context.Context, binary string, p *page, all []*peer) error {
	const what = "the same alerts of the three loads, when 32 of 10,000 values fall"
	config := strings.NewReplacer("PAGE", p.URL+"/now", "SINK", p.URL+"/sink").Replace(agreeConfig)
	d, err := start(ctx, binary, config, ruleFile(works()...))
	if err != nil {
		return err
	}
	defer d.stop()
	for _, one := range all {
		if err := one.use(ctx, 2*time.Second, works()...); err != nil {
			return err
		}
	}
	for limit := time.Now().Add(15 * time.Second); p.readBy("/now") < 5 && time.Now().Before(limit); {
		time.Sleep(50 * time.Millisecond)
	}
	p.fall()
	wanted := expected()
	differences := map[string]string{}
	for limit := time.Now().Add(3 * scrapeEvery); time.Now().Before(limit); time.Sleep(time.Second) {
		clear(differences)
		got, err := alerts(ctx, d.base+"/api/v1/alerts")
		if err != nil {
			return err
		}
		note(differences, "Tocsin", wanted, got)
		for _, one := range all {
			got, err := alerts(ctx, one.base+"/api/v1/alerts")
			if err != nil {
				return err
			}
			note(differences, one.name, wanted, got)
		}
		if len(differences) == 0 {
			row(what, "agree: yes", fmt.Sprintf("agree: yes, %d alerts", len(wanted)))
			return nil
		}
	}
	row(what, "agree: yes", fmt.Sprintf("agree: no: %v", differences))
	return nil
}

// expected are the alerts that the fallen values must make, as rule/instance.
func expected() map[string]bool {
	alerts := map[string]bool{}
	for i := range seriesCount {
		v := value(i, true)
		if v < 85 {
			alerts[fmt.Sprintf("value/%d", i)] = true
			alerts[fmt.Sprintf("each-%d/%d", i, i)] = true
		}
		if v < 0 {
			alerts[fmt.Sprintf("window/%d", i)] = true
		}
	}
	return alerts
}

// note writes down how one's alerts differ from those wanted.
func note(differences map[string]string, name string, wanted, got map[string]bool) {
	missing, more := "", ""
	for a := range wanted {
		if !got[a] {
			missing = a
		}
	}
	for a := range got {
		if !wanted[a] {
			more = a
		}
	}
	if missing != "" || more != "" {
		differences[name] = fmt.Sprintf("%d of %d, for example without %q and with %q", len(got), len(wanted), missing, more)
	}
}

func micro(d time.Duration) string { return fmt.Sprintf("%.2f µs", float64(d)/1e3) }
