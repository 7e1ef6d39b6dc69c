package yamlpos

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// suspicion says how likely a value is a secret by its key and its look.
type suspicion int

const (
	innocent suspicion = iota
	doubtful           // may be one; the type that Decode finds decides
	guilty             // is treated as one whatever the type
)

// suspect judges a scalar that no type has vouched for yet. A key that ends in
// _file names a file, which is no secret.
func suspect(key, value string) suspicion {
	key = strings.ToLower(key)
	switch {
	case credentialsInURL(value):
		return guilty
	case strings.HasSuffix(key, "_file"):
		return innocent
	}
	for _, word := range [...]string{
		"token", "secret", "password", "passwd", "api_key", "apikey", "api-key", "private_key",
		"access_key", "credential", "authorization", "cookie",
	} {
		if strings.Contains(key, word) {
			return guilty
		}
	}
	if strings.Contains(key, "url") || strings.Contains(key, "dsn") {
		return doubtful
	}
	return innocent
}

func credentialsInURL(value string) bool {
	_, rest, ok := strings.Cut(value, "://")
	if !ok {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	return strings.Contains(authority, "@")
}

// suspectAll masks what looks like a secret before any type is known.
func (d *Document) suspectAll(key string, n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		if s := suspect(key, n.Value); s != innocent {
			d.markSecret(n)
			d.text.guessed[n] = s == doubtful
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			d.suspectAll(key, item)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			d.suspectAll(n.Content[i].Value, n.Content[i+1])
		}
	}
}

// markSecret keeps a scalar's literal text out of every source line that is
// printed. What it is written with stays: ${NAME} is no secret.
func (d *Document) markSecret(n *yaml.Node) {
	if d.origins[n] != nil || n.Kind != yaml.ScalarNode {
		return // of an override no line is printed
	}
	d.text.guessed[n] = false
	if _, known := d.text.secrets[n]; known {
		return
	}
	spans := d.text.literalSpans(n, d.raw(n))
	d.text.secrets[n] = spans
	for i, s := range spans {
		if i == 0 || spans[i-1].line != s.line {
			d.text.onLine[s.line] = append(d.text.onLine[s.line], n)
		}
	}
}

// Hide keeps the literal text of every scalar at the path and below out of the
// source lines that are printed: what they mean is not known here.
func (d *Document) Hide(path string) {
	f := d.find(path)
	if f.rest != "" {
		return
	}
	d.hideAll(f.node, 0)
}

func (d *Document) hideAll(n *yaml.Node, depth int) {
	n = resolve(n)
	if n.Kind == yaml.ScalarNode {
		d.markSecret(n)
		return
	}
	if depth > maxDepth { // Parse has refused it
		return
	}
	for _, e := range d.entries(n) {
		d.hideAll(e.value, depth+1)
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			d.hideAll(item, depth+1)
		}
	}
}

// markOpen lifts a guess: the type says that this is no secret.
func (d *Document) markOpen(n *yaml.Node) {
	if d.text.guessed[n] {
		delete(d.text.secrets, n)
		delete(d.text.guessed, n)
	}
}

// literalSpans finds the parts of the source that are a scalar's own text.
func (t *text) literalSpans(n *yaml.Node, value string) []span {
	places := t.places(n, value)
	if places == nil {
		return t.linesFrom(n, value)
	}
	var spans []span
	for _, l := range literals(value) {
		for i := l.from; i < l.to; i++ {
			at, next := places[i], places[i+1]
			to := next.column
			if next.line != at.line {
				to = len(t.lines[at.line-1]) + 1
			}
			if last := len(spans) - 1; last >= 0 && spans[last].line == at.line && spans[last].to >= at.column {
				spans[last].to = max(spans[last].to, to)
			} else {
				spans = append(spans, span{at.line, at.column, to})
			}
		}
	}
	return spans
}

// linesFrom is the rough answer where a scalar cannot be followed: the rest of
// its line, and as many lines as it has line breaks.
func (t *text) linesFrom(n *yaml.Node, value string) []span {
	line, column := t.clamp(n.Line, n.Column)
	spans := []span{{line, column, len(t.lines[line-1]) + 1}}
	for i := range strings.Count(value, "\n") + 1 {
		if next := line + 1 + i; next <= len(t.lines) && value != "" && n.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
			spans = append(spans, span{next, 1, len(t.lines[next-1]) + 1})
		}
	}
	return spans
}

// guessInLine masks what follows a suspicious key in a line of a file that is
// no YAML, and so has no scalars.
func guessInLine(line int, source []rune) []span {
	s := string(source)
	keys := regexp.MustCompile(`[\w.-]+["']?\s*:\s*["']?`)
	for _, at := range keys.FindAllStringIndex(s, -1) {
		key, _, _ := strings.Cut(s[at[0]:at[1]], ":")
		if suspect(strings.Trim(key, `"' `), s[at[1]:]) == innocent {
			continue
		}
		var spans []span
		for _, l := range literals(s[at[1]:]) {
			from := len([]rune(s[:at[1]+l.from])) + 1
			spans = append(spans, span{line, from, from + len([]rune(s[at[1]+l.from:at[1]+l.to]))})
		}
		return spans
	}
	if credentialsInURL(s) {
		return []span{{line, 1, len(source) + 1}}
	}
	return nil
}
