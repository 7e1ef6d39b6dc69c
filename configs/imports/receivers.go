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
	settings   [][2]string // key and YAML
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
	switch kind {
	case "slack_configs":
		return a.slack(m, name)
	case "webhook_configs":
		return a.webhook(m, name)
	}
	a.r.lost(m.node, m.path, "there is no receiver of this type: %s is written and switched off, and its routes tell those of the route above", name)
	return a.stub(m, kind, name, "Tocsin has no receiver of this type yet.")
}

// stub is a receiver that routes can name, and that is left out. What it was is
// a comment, less its secrets.
func (a *alertmanager) stub(m *mapping, kind, name, why string) ourReceiver {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s:%d: %s\nTo be told here, write a receiver in its place, and take enabled: false away.\n", kind, a.r.file, m.node.Line, why)
	for _, key := range m.keys {
		fmt.Fprintf(&b, "  %s: %s\n", key.Value, shown(key.Value, m.value[key.Value]))
		m.taken[key.Value] = true
	}
	return ourReceiver{
		name: name, kind: "webhook", off: true, comment: b.String(),
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

func (a *alertmanager) slack(m *mapping, name string) ourReceiver {
	out := ourReceiver{name: name, kind: "slack"}
	bot := strings.HasSuffix(m.text("api_url"), "//slack.com/api/chat.postMessage")
	switch {
	case bot: // its token stands in http_config
	case m.text("app_token") != "":
		out.set("token", m.text("app_token"))
		m.taken["app_url"] = true
	case m.text("app_token_file") != "":
		out.set("token_file", m.text("app_token_file"))
		m.taken["app_url"] = true
	case m.text("api_url") != "":
		out.set("webhook_url", m.text("api_url"))
	case m.text("api_url_file") != "":
		out.set("webhook_url_file", m.text("api_url_file"))
	case a.global.text("slack_api_url") != "":
		out.set("webhook_url", a.global.text("slack_api_url"))
	case a.global.text("slack_api_url_file") != "":
		out.set("webhook_url_file", a.global.text("slack_api_url_file"))
	default:
		a.r.lost(m.node, m.path, "no api_url and no token: %s is written and switched off, and its routes tell those of the route above", name)
		return a.stub(m, "slack_configs", name, "It has no api_url and no token.")
	}
	for _, key := range [...]string{"channel", "username"} {
		if text := m.text(key); text != "" && !strings.Contains(text, "{{") {
			out.set(key, text)
		} else if text != "" && !strings.Contains(text, "slack.default.") {
			a.r.lost(m.value[key], m.at(key), "a template cannot stand here: not taken over")
		}
	}
	if icon := m.text("icon_emoji"); len(icon) > 2 && icon[0] == ':' && icon[len(icon)-1] == ':' {
		out.set("icon_emoji", icon)
	}
	a.shared(m, &out, false)
	if bot && !out.botToken() {
		a.r.lost(m.node, m.path, "no token of the bot: %s is written and switched off, and its routes tell those of the route above", name)
		return a.stub(m, "slack_configs", name, "It has no token.")
	}
	for _, key := range m.keys {
		if !m.taken[key.Value] && strings.Contains(m.value[key.Value].Value, "slack.default.") {
			m.taken[key.Value] = true
		}
	}
	m.rest(false, "not taken over: Tocsin renders the message itself")
	return out
}

// botToken makes the bearer token that Alertmanager sends to Slack's Web API the
// bot's token; false where there is none.
func (r *ourReceiver) botToken() bool {
	for i, s := range r.settings {
		if after, ok := strings.CutPrefix(s[0], "bearer_"); ok {
			r.settings[i][0] = after
			return true
		}
	}
	return false
}

func (a *alertmanager) webhook(m *mapping, name string) ourReceiver {
	out := ourReceiver{name: name, kind: "webhook"}
	url, file := m.text("url"), m.text("url_file")
	switch {
	case strings.Contains(url, "{{"):
		a.r.lost(m.node, m.at("url"), "a template cannot stand here: %s is written and switched off", name)
		return a.stub(m, "webhook_configs", name, "Its url is a template.")
	case url != "":
		out.set("url", url)
	case file != "":
		out.set("url_file", file)
	default:
		a.r.lost(m.node, m.path, "no url: %s is written and switched off, and its routes tell those of the route above", name)
		return a.stub(m, "webhook_configs", name, "It has no url.")
	}
	out.settings = append(out.settings, [2]string{"format", "alertmanager"})
	if most := m.text("max_alerts"); most != "" && most != "0" {
		out.settings = append(out.settings, [2]string{"max_alerts", most})
	}
	if timeout := m.duration("timeout"); timeout != "" && timeout != "0s" {
		out.settings = append(out.settings, [2]string{"timeout", timeout})
	}
	a.shared(m, &out, true)
	m.rest(true, "not known here, and not taken over")
	return out
}

func (r *ourReceiver) set(key, text string) {
	r.settings = append(r.settings, [2]string{key, quoted(text)})
}

// shared takes what every integration has.
func (a *alertmanager) shared(m *mapping, out *ourReceiver, sendsResolved bool) {
	if text := m.text("send_resolved"); text == "false" || text == "" && !sendsResolved {
		out.settings = append(out.settings, [2]string{"send_resolved", "false"})
	}
	n := m.take("http_config")
	path := m.at("http_config")
	if n == nil {
		n, path = a.global.take("http_config"), "global.http_config"
	}
	if n != nil {
		a.http(a.r.mapping(n, path), out)
	}
}

func (a *alertmanager) writeReceivers(w *writer) {
	w.line(0, "")
	w.line(0, "receivers:")
	for _, r := range a.receivers {
		for _, one := range r.ours {
			var item writer
			fmt.Fprintf(&item, "name: %s\ntype: %s\n", quoted(one.name), one.kind)
			for _, s := range one.settings {
				fmt.Fprintf(&item, "%s: %s\n", s[0], s[1])
			}
			w.comment(1, one.comment)
			w.item(1, item.String())
		}
	}
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
