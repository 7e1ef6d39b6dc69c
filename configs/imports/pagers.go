package imports

import (
	"maps"
	"slices"
	"strings"
)

func (a *alertmanager) pagerduty(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "pagerduty"
	if !a.secret(&out, "routing_key", m, "routing_key") {
		if m.has("service_key") || m.has("service_key_file") {
			return a.switchedOff(m, out, "a service_key is of PagerDuty's Events API v1; make an integration of Events API v2, and a receiver of type pagerduty with its routing_key")
		}
		return a.switchedOff(m, out, "no routing_key")
	}
	m.taken["service_key"], m.taken["service_key_file"] = true, true
	switch url := firstOf(m.text("url"), a.global.text("pagerduty_url")); url {
	case "", "https://events.pagerduty.com/v2/enqueue":
	case "https://events.eu.pagerduty.com/v2/enqueue":
		out.write("region", "eu")
	default:
		out.need("url", url)
	}
	a.template(m, &out, "description", "title", false)
	// What Alertmanager says where no severity is given.
	a.urgency(m, &out, urgency{
		key: "severity", ours: "severities", unset: "error", known: []string{"critical", "error", "warning", "info"},
		otherwise: bySeverity{critical: "critical", warning: "warning", info: "info"},
	})
	a.details(m, &out)
	a.timeout(m, &out)
	a.shared(m, &out, true)
	a.others(m)
	return out
}

// urgency is a setting that depends on the severity here.
type urgency struct {
	key, ours string
	unset     string   // what it is there where it is not set
	known     []string // what it may be
	otherwise bySeverity
	resolved  bool // it is said of what is resolved too
}

// urgency writes what a text comes to for each of our severities.
func (a *alertmanager) urgency(m *mapping, out *ourReceiver, u urgency) {
	by, ok := severities(firstOf(m.text(u.key), u.unset))
	given := [...]*string{&by.critical, &by.warning, &by.info}
	for _, s := range given {
		// Without a severity to go by it is what it is where it is not set.
		*s = firstOf(*s, u.unset)
		ok = ok && slices.Contains(u.known, *s)
	}
	if !u.resolved {
		by.resolved = ""
	} else if by.resolved == "" || !slices.Contains(u.known, by.resolved) {
		ok = false
	}
	if !ok {
		a.r.lost(m.value[u.key], m.at(u.key), "not taken over: it can go by the alert's severity alone here; write it into %s", u.ours)
		return
	}
	by.write(out, u.ours, u.otherwise)
}

// details are templates by name. What is said by default is said by us, too.
func (a *alertmanager) details(m *mapping, out *ourReceiver) {
	n := m.take("details")
	if n == nil {
		return
	}
	all := a.r.mapping(n, m.at("details"))
	var parts []string
	for _, key := range all.keys {
		if value := all.value[key.Value]; len(value.Content) > 0 {
			a.r.remark(key, all.at(key.Value), "a detail is one text here: not taken over")
			continue
		}
		text := all.text(key.Value)
		if text == "" || strings.Contains(text, ".default.") && strings.Contains(text, "template") {
			continue
		}
		if a.carries(all.value[key.Value], all.at(key.Value), text, false) {
			parts = append(parts, quoted(key.Value)+": "+quoted(text))
		}
	}
	if len(parts) > 0 {
		out.write("details", "{"+strings.Join(parts, ", ")+"}")
	}
}

func (a *alertmanager) opsgenie(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "jsm"
	if !a.secret(&out, "api_key", m, "api_key") && !a.secret(&out, "api_key", a.global, "opsgenie_api_key") {
		return a.switchedOff(m, out, "no api_key")
	}
	switch url := firstOf(m.text("api_url"), a.global.text("opsgenie_api_url")); strings.TrimRight(url, "/") {
	case "", "https://api.opsgenie.com":
		out.write("service", "opsgenie")
	case "https://api.eu.opsgenie.com":
		out.write("service", "opsgenie-eu")
	case "https://api.atlassian.com/jsm/ops/integration":
	default:
		out.need("url", url)
	}
	a.template(m, &out, "message", "title", false)
	a.template(m, &out, "description", "description", false)
	a.urgency(m, &out, urgency{
		// https://docs.opsgenie.com/docs/alert-api: P3 where none is given
		key: "priority", ours: "priorities", unset: "P3", known: []string{"P1", "P2", "P3", "P4", "P5"},
		otherwise: bySeverity{critical: "P1", warning: "P3", info: "P5"},
	})
	a.responders(m, &out)
	if text := m.text("tags"); strings.Contains(text, "{{") {
		a.r.remark(m.value["tags"], m.at("tags"), "a template cannot stand here: not taken over")
	} else if tags := commas(text); len(tags) > 0 {
		out.write("tags", flow(tags))
	}
	a.shared(m, &out, true)
	a.others(m)
	return out
}

func (a *alertmanager) responders(m *mapping, out *ourReceiver) {
	var all []string
	for _, r := range m.mappings("responders") {
		one := map[string]string{"type": r.text("type"), "id": r.text("id"), "name": r.text("name"), "username": r.text("username")}
		if slices.ContainsFunc(slices.Collect(maps.Values(one)), func(text string) bool { return strings.Contains(text, "{{") }) {
			a.r.lost(r.node, r.path, "a template cannot stand here: %s tells without this responder", out.name)
			continue
		}
		names := []string{one["name"]}
		if one["type"] == "teams" { // several by name
			one["type"], names = "team", commas(one["name"])
		}
		for _, name := range names {
			parts := []string{"type: " + quoted(one["type"])}
			for _, by := range [...][2]string{{"id", one["id"]}, {"name", name}, {"username", one["username"]}} {
				if by[1] != "" {
					parts = append(parts, by[0]+": "+quoted(by[1]))
					break // theirs takes the first
				}
			}
			all = append(all, "{"+strings.Join(parts, ", ")+"}")
		}
		r.rest(true, "not known here, and not taken over")
	}
	if len(all) > 0 {
		out.write("responders", "["+strings.Join(all, ", ")+"]")
	}
}

// commas are the texts between commas.
func commas(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func (a *alertmanager) pushover(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "pushover"
	for _, key := range [...]string{"token", "user_key"} {
		if !a.secret(&out, key, m, key) {
			return a.switchedOff(m, out, "no "+key)
		}
	}
	a.plain(m, &out, "device", "device", true)
	a.plain(m, &out, "sound", "sound", false)
	a.template(m, &out, "title", "title", false)
	if m.text("html") == "true" && !isDefault(m.text("message")) && m.text("message") != "" {
		a.r.remark(m.value["message"], m.at("message"), "not taken over, and the default is sent: a message is plain text here, not HTML")
	} else {
		a.template(m, &out, "message", "message", false)
	}
	a.urgency(m, &out, urgency{
		key: "priority", ours: "priority", unset: `{{ if eq .Status "firing" }}2{{ else }}0{{ end }}`,
		known: []string{"-2", "-1", "0", "1", "2"}, resolved: true,
	})
	for _, key := range [...]string{"retry", "expire"} {
		if d := m.duration(key); d != "" {
			out.write(key, d)
		}
	}
	a.shared(m, &out, true)
	a.others(m)
	return out
}
