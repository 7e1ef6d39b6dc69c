package imports

import (
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/units"
)

func mustDuration(text string) time.Duration {
	d, err := units.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d
}

// alertLabels takes the labels of an alert and of its group. The label severity
// picks the severity, and a category takes the place of the group's name.
func (im *Importer) alertLabels(r *reader, m *mapping, spec *rule.Spec, group *yaml.Node) alert.Severity {
	severity, given := alert.Warning, false
	for _, of := range [...]*mapping{r.mapping(orNull(group), "labels"), r.mapping(orNull(m.take("labels")), m.at("labels"))} {
		for _, key := range of.keys {
			text := of.text(key.Value)
			switch {
			case strings.Contains(text, "{{"):
				r.lost(key, of.at(key.Value), "a template cannot stand in a label: not taken over")
			case key.Value == alert.LabelSeverity:
				severity, given = severityOf(r, key, of.at(key.Value), text), true
			case key.Value == alert.LabelCategory:
				spec.Category = text
			case key.Value == alert.LabelName || key.Value == alert.LabelSource || !alert.IsLabelName(key.Value):
				r.lost(key, of.at(key.Value), "a rule cannot set this label: not taken over")
			case text == "":
			default:
				if spec.Labels == nil {
					spec.Labels = map[string]string{}
				}
				spec.Labels[key.Value] = text
			}
		}
	}
	if !given {
		r.remark(m.node, m.at("labels"), "without a label severity it is a warning here")
	}
	return severity
}

// severityOf finds the severity of ours for one of theirs.
func severityOf(r *reader, n *yaml.Node, path, text string) alert.Severity {
	switch text {
	case "critical":
		return alert.Critical
	case "warning":
		return alert.Warning
	case "info":
		return alert.Info
	}
	severity := alert.Warning
	switch strings.ToLower(text) {
	case "critical", "crit", "error", "fatal", "emergency", "page", "disaster", "high", "p1":
		severity = alert.Critical
	case "info", "information", "informational", "notice", "none", "low", "debug":
		severity = alert.Info
	}
	r.remark(n, path, "the severity %q is %s here; let routes ask for that", text, severity)
	(*r.notes)[len(*r.notes)-1].severity = text
	return severity
}

// The variables and functions of Prometheus's templates that ours have too.
//
//nolint:gochecknoglobals // constants that Go cannot spell
var (
	labelVariable  = regexp.MustCompile(`\$labels\.([A-Za-z_][A-Za-z0-9_]*)`)
	labelIndex     = regexp.MustCompile(`index\s+\$labels\s+"([A-Za-z_][A-Za-z0-9_]*)"`)
	bareLabels     = regexp.MustCompile(`\$labels\b`) // all of them, as a map is printed
	humanizedBytes = regexp.MustCompile(`(?:\$value|\.Value)\s*\|\s*humanize1024|humanize1024\s+(?:\$value|\.Value)`)
	humanizedTime  = regexp.MustCompile(`(?:\$value|\.Value)\s*\|\s*humanizeDuration|humanizeDuration\s+(?:\$value|\.Value)`)
	humanized      = regexp.MustCompile(`(?:\$value|\.Value)\s*\|\s*humanize\b|humanize\s+(?:\$value|\.Value)`)
	humanizedShare = regexp.MustCompile(`(?:\$value|\.Value)\s*\|\s*humanizePercentage|humanizePercentage\s+(?:\$value|\.Value)`)
	printedValue   = regexp.MustCompile(`printf\s+("[^"]*%[^"]*[eEfFgG][^"]*")\s+(?:\$value|\.Value)`)
	pipedValue     = regexp.MustCompile(`(?:\$value|\.Value)\s*\|\s*printf\s+("[^"]*")`)
	comparedValue  = regexp.MustCompile(`\b(gt|lt|ge|le|eq|ne)\s+(?:\$value|\.Value)`)
	bareValue      = regexp.MustCompile(`\$value\b`)
	templateAction = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	otherVariables = regexp.MustCompile(`\$(?:externalLabels|externalURL)\b|\.(?:ExternalLabels|ExternalURL)\b`)
)

// texts takes the annotations. The message is the summary, or the description
// where there is none; what is left are annotations of ours.
func (r *reader) texts(m *mapping, spec *rule.Spec) {
	of := r.mapping(orNull(m.take("annotations")), m.at("annotations"))
	for _, key := range of.keys {
		if text := r.template(of, key); text != "" {
			if spec.Annotations == nil {
				spec.Annotations = map[string]string{}
			}
			spec.Annotations[key.Value] = text
		}
	}
	for _, key := range [...]string{"summary", "description", "message"} {
		if text := spec.Annotations[key]; text != "" && spec.Message == "" {
			spec.Message = text
			delete(spec.Annotations, key)
		}
	}
}

// template turns a template into ours. What it cannot turn is found when the
// rule is compiled.
func (r *reader) template(of *mapping, key *yaml.Node) string {
	text := strings.TrimSpace(of.text(key.Value))
	return templateAction.ReplaceAllStringFunc(text, func(action string) string {
		if otherVariables.MatchString(action) {
			r.remark(key, of.at(key.Value), "%s is left out: it is not known here", action)
			return ""
		}
		if humanizedShare.MatchString(action) {
			r.remark(key, of.at(key.Value), "the value is written as it is, not as a percentage")
		}
		for _, change := range [...]struct {
			from *regexp.Regexp
			to   string
		}{
			{labelIndex, `.Labels.$1`},
			{labelVariable, `.Labels.$1`},
			{bareLabels, `.Labels`},
			{humanizedBytes, `bytes .Value`},
			{humanizedTime, `duration .Value`},
			{humanizedShare, `.Value`},
			{humanized, `.Value`},
			{printedValue, `printf $1 .Value.Float`},
			{pipedValue, `.Value.Float | printf $1`},
			{comparedValue, `$1 .Value.Float`},
			{bareValue, `.Value`},
		} {
			action = change.from.ReplaceAllString(action, change.to)
		}
		return action
	})
}
