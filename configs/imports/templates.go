package imports

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

//nolint:gochecknoglobals // constants that Go cannot spell
var (
	// ownDefault is one of the texts that Alertmanager ships, for which we have ours.
	ownDefault = regexp.MustCompile(`^\s*\{\{-?\s*template\s+"[a-z0-9]+\.default\.\w+"\s+[.\w]+\s*-?\}\}\s*$`)
	defined    = regexp.MustCompile(`\{\{-?\s*(?:define|block)\s+["` + "`" + `]([^"` + "`" + `]+)`)
	referred   = regexp.MustCompile(`\{\{-?\s*template\s+["` + "`" + `]([^"` + "`" + `]+)`)
	// field is what a template reads of its data.
	field = regexp.MustCompile(`\.[A-Za-z_][\w.]*`)
	// bySeverityAlone are the fields of a template that is of the severity, and of
	// whether it fires, and of nothing else.
	bySeverityAlone = regexp.MustCompile(`^\.(Status|(Common|Group)?Labels\.severity|(Alerts\.)?(Firing|Resolved)|Alerts)$`)
)

func isDefault(text string) bool { return ownDefault.MatchString(text) }

// template writes a text that is a template here too, if ours takes it.
func (a *alertmanager) template(m *mapping, out *ourReceiver, key, ours string, html bool) {
	text := m.text(key)
	if strings.TrimSpace(text) == "" || isDefault(text) {
		return
	}
	if a.carries(m.value[key], m.at(key), text, html) {
		out.write(ours, block(text))
	}
}

// carries says whether ours takes a template, and notes where it does not.
func (a *alertmanager) carries(n *yaml.Node, path, text string, html bool) bool {
	why, offset := refusal(text, html)
	if why == "" {
		return true
	}
	a.r.remark(placed(n, text, offset), path, "not taken over, and the default is sent: %s", why)
	return false
}

// refusal says why ours does not take a template, and at which byte.
func refusal(text string, html bool) (why string, offset int) {
	known := map[string]bool{}
	for _, d := range defined.FindAllStringSubmatch(text, -1) {
		known[d[1]] = true
	}
	for _, at := range referred.FindAllStringSubmatchIndex(text, -1) {
		if name := text[at[2]:at[3]]; !known[name] {
			return `the template "` + notifiers.Plain(name) + `" stands in another file; write its text here`, at[0]
		}
	}
	check := notifiers.TextFrom(text)
	if html {
		var h notifiers.HTML
		if err := h.FromScalar(text); err == nil {
			check = h.Text
		}
	}
	problems := check.Check("")
	if len(problems) == 0 {
		return "", 0
	}
	why = strings.TrimPrefix(problems[0].Message, "bad template: ")
	if hint := problems[0].Hint; strings.HasPrefix(hint, "did you mean") {
		why += "; " + hint
	}
	return why, problems[0].Offset
}

// placed is the node at an offset of its text, as far as that can be told.
func placed(n *yaml.Node, text string, offset int) *yaml.Node {
	at := *n
	before := text[:min(offset, len(text))]
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		at.Line += 1 + strings.Count(before, "\n")
	case n.Style&yaml.FoldedStyle != 0:
		at.Line++
	}
	return &at
}

// severities is what a text comes to for each of our severities, where it is a
// template of the severity alone; a text without a template is the same for all.
func severities(text string) (by bySeverity, ok bool) {
	for _, f := range field.FindAllString(actions(text), -1) {
		if !bySeverityAlone.MatchString(f) {
			return by, false
		}
	}
	t := notifiers.TextFrom(text)
	if len(t.Check("")) > 0 {
		return by, false
	}
	render := func(state alert.State, s alert.Severity) string {
		n := notifiers.Sample(state, 1)
		n.Alerts[0].Severity = s
		n.GroupLabels = alert.LabelsOf(alert.LabelSeverity, s.String())
		out, err := t.Render(&n)
		ok = ok && err == nil
		return strings.TrimSpace(out)
	}
	ok = true
	by = bySeverity{
		critical: render(alert.Firing, alert.Critical), warning: render(alert.Firing, alert.Warning),
		info: render(alert.Firing, alert.Info), resolved: render(alert.Resolved, alert.Warning),
	}
	return by, ok
}

// actions are a template's, without the texts between and within them.
func actions(text string) string {
	var b strings.Builder
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "{{")
		if !found {
			return quotedText.ReplaceAllString(b.String(), `""`)
		}
		action, next, _ := strings.Cut(after, "}}")
		b.WriteString(action + " ")
		rest = next
	}
}

var quotedText = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`") //nolint:gochecknoglobals // a constant that Go cannot spell

// block writes a text of several lines as a literal block, where that reads back
// the same.
func block(text string) string {
	body, marks := strings.TrimSuffix(text, "\n"), "|"
	if body == text {
		marks = "|-"
	}
	if !strings.Contains(body, "\n") || strings.HasSuffix(body, "\n") || strings.HasPrefix(body, " ") || strings.HasPrefix(body, "\n") ||
		strings.Contains(text, " \n") || strings.ContainsFunc(body, func(r rune) bool { return r != '\n' && special(r) }) {
		return quoted(text)
	}
	var b strings.Builder
	b.WriteString(marks)
	for line := range strings.SplitSeq(dollars(body), "\n") {
		b.WriteString("\n")
		if line != "" {
			b.WriteString("  " + line)
		}
	}
	return b.String()
}
