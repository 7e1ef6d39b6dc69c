package imports

import "strings"

// secret writes a secret, or the file that holds it, under a key of ours; false
// where there is neither.
func (a *alertmanager) secret(out *ourReceiver, ours string, m *mapping, key string) bool {
	text, file := m.text(key), m.text(key+"_file")
	switch {
	case text != "":
		out.need(ours, text)
	case file != "":
		out.need(ours+"_file", file)
	}
	return text != "" || file != ""
}

// plain writes a text that is no template here. Where it decides who is told,
// one that cannot be written is lost.
func (a *alertmanager) plain(m *mapping, out *ourReceiver, key, ours string, decides bool) {
	switch text := m.text(key); {
	case text == "" || isDefault(text):
	case strings.Contains(text, "{{"):
		a.r.note(decides, m.value[key], m.at(key), "a template cannot stand here: not taken over")
	default:
		out.set(ours, text)
	}
}

// timeout is 0 where it is not bounded by itself.
func (a *alertmanager) timeout(m *mapping, out *ourReceiver) {
	if timeout := m.duration("timeout"); timeout != "" && timeout != "0s" {
		out.write("timeout", timeout)
	}
}

// shared takes what every integration by HTTP has.
func (a *alertmanager) shared(m *mapping, out *ourReceiver, sendsResolved bool) {
	a.resolved(m, out, sendsResolved)
	n := m.take("http_config")
	path := m.at("http_config")
	if n == nil {
		n, path = a.global.take("http_config"), "global.http_config"
	}
	if n != nil {
		a.http(a.r.mapping(n, path), out)
	}
}

// resolved writes send_resolved where it is not ours, given what it is there by
// default.
func (a *alertmanager) resolved(m *mapping, out *ourReceiver, otherwise bool) {
	if text := m.text("send_resolved"); text == "false" || text == "" && !otherwise {
		out.write("send_resolved", "false")
	}
}

// others notes the settings of a message's form that there is nothing like.
func (a *alertmanager) others(m *mapping) {
	for _, key := range m.keys {
		if n := m.value[key.Value]; isNull(n) || (n.Value == "" || n.Value == "false") && len(n.Content) == 0 || isDefault(n.Value) {
			m.taken[key.Value] = true
		}
	}
	m.rest(false, "not taken over: Tocsin renders the message itself")
}

// bySeverity are texts by our severities.
type bySeverity struct{ critical, warning, info, resolved string }

// write writes them as a mapping, unless they are what ours are anyway.
func (b bySeverity) write(out *ourReceiver, key string, otherwise bySeverity) {
	if b == otherwise {
		return
	}
	text := "critical: " + quotedNumber(b.critical) + ", warning: " + quotedNumber(b.warning) + ", info: " + quotedNumber(b.info)
	if b.resolved != "" {
		text += ", resolved: " + quotedNumber(b.resolved)
	}
	out.write(key, "{"+text+"}")
}

// quotedNumber writes a number without quotes.
func quotedNumber(text string) string {
	if strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") == "" && text != "" {
		return text
	}
	return quoted(text)
}
