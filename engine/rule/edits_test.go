package rule

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/tocsin-dev/tocsin/alert"
)

// Whatever is edited, whenever, and restarted or not: an alert that fired ends
// once, and none is left when the rule is gone.
func TestEditsLeaveNoAlertBehind(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := histories().Draw(rt, "history")
		edit := func() []*Rule { return []*Rule{mustCompile(t, specs().Draw(rt, "rule"))} }
		rules := edit()
		p := drive(t, NewEvaluator(rules), history, func(p *played, _ int) {
			switch rapid.SampledFrom([]string{"", "", "reload", "restart", "sweep"}).Draw(rt, "then") {
			case "reload":
				rules = edit()
				p.out = append(p.out, p.e.Reload(rules, p.now)...)
			case "restart":
				if rapid.Bool().Draw(rt, "edited") {
					rules = edit()
				}
				next := NewEvaluator(rules)
				for _, s := range p.past {
					next.Preload(s, p.now)
				}
				p.out = append(p.out, next.Restore(committed(t, p.out), p.now)...)
				p.e = next
			case "sweep":
				p.e.Sweep(p.now)
			}
			seen := map[alert.Fingerprint]bool{}
			for _, a := range p.e.Alerts() {
				if seen[a.Fingerprint] {
					rt.Fatalf("twice: %s %s", a.Labels, a.Reason)
				}
				seen[a.Fingerprint] = true
			}
		})
		out := append(p.out, p.e.Reload(nil, p.now)...)
		fired, ended := map[string]bool{}, map[string]bool{}
		for _, tr := range out {
			id := tr.Alert.ID
			if ended[id] {
				rt.Fatalf("%s after its end: %s %s", id, tr.Kind, tr.Alert.Reason)
			}
			fired[id] = fired[id] || tr.Alert.State == alert.Firing
			ended[id] = tr.Alert.State == alert.Resolved || tr.Alert.State == alert.Inactive
			if tr.Alert.State == alert.Inactive && fired[id] {
				rt.Fatalf("%s fired and is inactive: %s", id, tr.Alert.Reason)
			}
		}
		for id := range fired {
			if !ended[id] {
				rt.Fatalf("%s never ends", id)
			}
		}
		if left := p.e.Alerts(); len(left) > 0 {
			rt.Fatalf("left: %+v", left)
		}
	})
}
