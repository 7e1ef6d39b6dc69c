package ruletest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
)

// parseName reads the name of a series as Prometheus writes it:
// cache.hit_rate{strategy="A",source="b"}. The problem carries the byte offset
// into the text, and stands in a key.
func parseName(text string) (metric string, labels map[string]string, p *problem.Problem) {
	labels = map[string]string{}
	open := strings.IndexByte(text, '{')
	if open < 0 {
		return strings.TrimSpace(text), labels, nil
	}
	metric = strings.TrimSpace(text[:open])
	n := nameParser{text: text, at: open + 1, labels: labels}
	n.pairs()
	return metric, labels, n.mistake
}

type nameParser struct {
	text    string
	at      int
	labels  map[string]string
	mistake *problem.Problem
}

func (n *nameParser) fail(at int, hint, format string, args ...any) {
	n.mistake = &problem.Problem{Offset: min(at, len(n.text)), InKey: true, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func (n *nameParser) blank() {
	for n.at < len(n.text) && (n.text[n.at] == ' ' || n.text[n.at] == '\t') {
		n.at++
	}
}

// take moves over a byte, if it stands here.
func (n *nameParser) take(c byte) bool {
	n.blank()
	if n.at < len(n.text) && n.text[n.at] == c {
		n.at++
		return true
	}
	return false
}

// pairs reads name="value", … up to the closing brace.
func (n *nameParser) pairs() {
	for !n.take('}') {
		if !n.pair() {
			return
		}
		if !n.take(',') {
			if !n.take('}') {
				n.fail(n.at, `write for example cache.hit_rate{strategy="A"}`, "the labels do not close")
				return
			}
			break
		}
	}
	if n.blank(); n.at < len(n.text) {
		n.fail(n.at, "", "%s cannot stand after the labels", strconv.Quote(clip(n.text[n.at:])))
	}
}

func (n *nameParser) pair() bool {
	n.blank()
	begin := n.at
	for n.at < len(n.text) && !strings.ContainsRune(` =!~,}"`, rune(n.text[n.at])) {
		n.at++
	}
	name := n.text[begin:n.at]
	_, twice := n.labels[name]
	switch {
	case begin == len(n.text):
		n.fail(begin, `write for example cache.hit_rate{strategy="A"}`, "the labels do not close")
		return false
	case !alert.IsLabelName(name):
		n.fail(begin, "", "%s is not a label name", strconv.Quote(clip(name)))
		return false
	case twice:
		n.fail(begin, "", "the label %s is given twice", name)
		return false
	case !n.take('='):
		n.fail(n.at, `write `+name+`="…"`, "a label wants a value")
		return false
	}
	n.blank()
	quoted, err := strconv.QuotedPrefix(n.text[n.at:])
	value, invalid := strconv.Unquote(quoted)
	if err != nil || invalid != nil || quoted[0] != '"' {
		n.fail(n.at, `write `+name+`="…"`, "a label's value stands in double quotes")
		return false
	}
	n.labels[name] = value
	n.at += len(quoted)
	return true
}
