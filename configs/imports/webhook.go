package imports

import "strings"

func (a *alertmanager) webhook(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "webhook"
	switch {
	case strings.Contains(m.text("url"), "{{"):
		return a.switchedOff(m, out, "its url is a template, which cannot stand here")
	case !a.secret(&out, "url", m, "url"):
		return a.switchedOff(m, out, "no url")
	}
	out.write("format", "alertmanager")
	if most := m.text("max_alerts"); most != "" && most != "0" {
		out.write("max_alerts", most)
	}
	a.timeout(m, &out)
	a.shared(m, &out, true)
	m.rest(true, "not known here, and not taken over")
	return out
}
