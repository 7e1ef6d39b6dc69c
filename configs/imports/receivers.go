package imports

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// receiver is one of Alertmanager's, which may be several of ours.
type receiver struct {
	name string // Alertmanager's
	ours []ourReceiver
}

type ourReceiver struct {
	name, kind string
	from       string      // the list that it stood in, such as slack_configs
	settings   [][2]string // key and YAML
	needed     []string    // keys without which it cannot be
	off        bool        // written for the routes to name, and left out
	comment    string
}

func (r *receiver) names() []string {
	var out []string
	for _, one := range r.ours {
		out = append(out, one.name)
	}
	return out
}

func (a *alertmanager) receiver(name string) *receiver {
	for _, r := range a.receivers {
		if r.name == name {
			return r
		}
	}
	return nil
}

// allOff says whether every one of these receivers of ours is left out.
func (a *alertmanager) allOff(names []string) bool {
	for _, r := range a.receivers {
		for _, one := range r.ours {
			if slices.Contains(names, one.name) && !one.off {
				return false
			}
		}
	}
	return true
}

// console returns the name of a receiver that is always there.
func (a *alertmanager) console() string {
	const own = "\x00" // no receiver of Alertmanager is called so
	if r := a.receiver(own); r != nil {
		return r.ours[0].name
	}
	one := ourReceiver{
		name: a.freeName("console"), kind: "console",
		comment: "Nobody else is told by the root route. Name somebody there, and take this away.",
	}
	a.receivers = append(a.receivers, &receiver{name: own, ours: []ourReceiver{one}})
	return one.name
}

func (a *alertmanager) addReceiver(m *mapping) {
	r := &receiver{name: m.text("name")}
	a.receivers = append(a.receivers, r)
	var kinds []string
	for _, key := range m.keys {
		if strings.HasSuffix(key.Value, "_configs") {
			kinds = append(kinds, key.Value)
		}
	}
	base := name(r.name)
	if base != r.name && r.name != "" {
		a.r.remark(m.value["name"], m.at("name"), "%q is called %s here", r.name, base)
	}
	for _, kind := range kinds {
		for _, item := range m.mappings(kind) {
			wanted := base
			if len(kinds) > 1 {
				wanted += "-" + strings.TrimSuffix(kind, "_configs")
			}
			one := a.integration(kind, item, a.freeName(wanted))
			r.ours = append(r.ours, one)
		}
	}
	if len(r.ours) == 0 {
		r.ours = []ourReceiver{{name: a.freeName(base), kind: "console", comment: "Tells nobody in Alertmanager; here the daemon's output has it."}}
	}
	m.rest(true, "not known here, and not taken over")
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`) //nolint:gochecknoglobals // a constant that Go cannot spell

// name makes a name of ours of any text.
func name(text string) string {
	const most = 50 // leaves room for what is put behind it
	out := strings.TrimLeft(notInNames.ReplaceAllString(text, "-"), "-_.")
	out = strings.TrimRight(out[:min(len(out), most)], "-")
	if out == "" {
		return "receiver"
	}
	return out
}

// freeName returns the name, or the name with a number that no receiver has.
func (a *alertmanager) freeName(wanted string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(a.receivers, func(r *receiver) bool { return slices.Contains(r.names(), name) })
	}
	name := wanted
	for n := 2; taken(name); n++ {
		name = fmt.Sprintf("%s-%d", wanted, n)
	}
	return name
}

// integration turns one entry such as that of slack_configs into a receiver.
func (a *alertmanager) integration(kind string, m *mapping, name string) ourReceiver {
	turns := map[string]func(*mapping, ourReceiver) ourReceiver{
		"discord_configs": a.discord, "email_configs": a.email, "mattermost_configs": a.mattermost,
		"msteams_configs": a.teams, "msteamsv2_configs": a.teams, "opsgenie_configs": a.opsgenie,
		"pagerduty_configs": a.pagerduty, "pushover_configs": a.pushover, "rocketchat_configs": a.rocketchat,
		"slack_configs": a.slack, "telegram_configs": a.telegram, "webhook_configs": a.webhook,
	}
	if turn, ok := turns[kind]; ok {
		return a.judged(m, turn(m, ourReceiver{name: name, from: kind}))
	}
	return a.switchedOff(m, ourReceiver{name: name, from: kind}, "there is no receiver of this type"+elsewhere(kind))
}

// elsewhere says what may serve in the place of a receiver that there is none of.
func elsewhere(kind string) string {
	switch kind {
	case "wechat_configs":
		return " (the plugin shoutrrr tells a group of WeCom by its bot, with wecom://)"
	case "jira_configs", "victorops_configs", "webex_configs", "incidentio_configs":
		return " (a webhook with a body of your own may reach it)"
	case "sns_configs":
		return " (a webhook may reach what publishes to it)"
	}
	return ""
}

// judged takes away what a check refuses, or switches off the receiver that
// cannot be without it.
func (a *alertmanager) judged(m *mapping, one ourReceiver) ourReceiver {
	for a.refuses != nil {
		key, why := a.refuses(one.yaml())
		if why == "" {
			break
		}
		at := slices.IndexFunc(one.settings, func(s [2]string) bool { return s[0] == key })
		if at < 0 || slices.Contains(one.needed, key) {
			return a.switchedOff(m, one, strings.TrimPrefix(key+": "+why, ": "))
		}
		a.r.lost(m.node, m.path, "%s is left out of %s: %s", key, one.name, why)
		one.settings = slices.Delete(one.settings, at, at+1)
	}
	return one
}

// switchedOff is a receiver that cannot be, for a reason that is told.
func (a *alertmanager) switchedOff(m *mapping, one ourReceiver, why string) ourReceiver {
	a.r.lost(m.node, m.path, "%s: %s is written and switched off, and its routes tell those of the route above", why, one.name)
	return a.stub(m, one, why)
}

// toFill is a receiver of which one setting must be written by hand.
func (a *alertmanager) toFill(m *mapping, one ourReceiver, key, placeholder, why string) ourReceiver {
	a.r.lost(m.node, m.path, "%s: %s is written and switched off, and its routes tell those of the route above", why, one.name)
	one.off = true
	one.need(key, placeholder)
	one.settings = append(one.settings, [2]string{"enabled", "false"})
	one.comment = fmt.Sprintf("%s, %s:%d: %s.\nFill in %s, and take enabled: false away.\n", one.from, a.r.file, m.node.Line, why, key)
	return one
}

// stub is a receiver that routes can name, and that is left out. What it was is
// a comment, less its secrets.
func (a *alertmanager) stub(m *mapping, one ourReceiver, why string) ourReceiver {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s:%d: %s.\nTo be told here, write a receiver in its place, and take enabled: false away.\n", one.from, a.r.file, m.node.Line, why)
	for _, key := range m.keys {
		fmt.Fprintf(&b, "  %s: %s\n", key.Value, shown(key.Value, m.value[key.Value]))
		m.taken[key.Value] = true
	}
	return ourReceiver{
		name: one.name, from: one.from, kind: "webhook", off: true, comment: b.String(),
		settings: [][2]string{{"url", quoted("https://example.invalid/")}, {"enabled", "false"}},
	}
}

var secretKey = regexp.MustCompile(`(?i)key|token|password|secret|url|auth|credential|config|header`) //nolint:gochecknoglobals // a constant that Go cannot spell

// shown is a setting for a comment. What might be a secret is not repeated.
func shown(key string, n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "…"
	case secretKey.MatchString(key) && !strings.HasSuffix(key, "_file"):
		return "(not shown)"
	}
	return plainOrQuoted(n.Value)
}

func (a *alertmanager) writeReceivers(w *writer) {
	w.line(0, "")
	w.line(0, "receivers:")
	for _, r := range a.receivers {
		for _, one := range r.ours {
			w.comment(1, one.comment)
			w.item(1, one.yaml())
		}
	}
}

// yaml writes the receiver's settings as a mapping.
func (r *ourReceiver) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\ntype: %s\n", quoted(r.name), r.kind)
	for _, s := range r.settings {
		fmt.Fprintf(&b, "%s: %s\n", s[0], s[1])
	}
	return b.String()
}

// set adds a text.
func (r *ourReceiver) set(key, text string) { r.write(key, quoted(text)) }

// write adds a setting in YAML.
func (r *ourReceiver) write(key, yaml string) {
	r.settings = append(r.settings, [2]string{key, yaml})
}

// need adds a text without which the receiver cannot be.
func (r *ourReceiver) need(key, text string) {
	r.needed = append(r.needed, key)
	r.set(key, text)
}

// lines are those of a text, without their ends.
func lines(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}
