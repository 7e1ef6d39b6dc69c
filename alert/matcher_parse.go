package alert

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MatcherError says what is wrong with the text of a matcher or a set of them.
type MatcherError struct {
	Text string
	// Offset counts the bytes of Text before the mistake.
	Offset  int
	Message string
}

// Error names the text, the place by its character and the mistake. The text's
// ends need no place.
func (e *MatcherError) Error() string {
	if e.Offset <= 0 || e.Offset >= len(e.Text) {
		return fmt.Sprintf("matcher %q: %s", e.Text, e.Message)
	}
	return fmt.Sprintf("matcher %q: at character %d: %s", e.Text, utf8.RuneCountInString(e.Text[:e.Offset])+1, e.Message)
}

// ParseMatcher reads one matcher: `name = value`, `name != "value"`,
// `name =~ re` or `name !~ "re"`, with or without braces around it. The errors
// are *MatcherError.
//
// The syntax is Alertmanager's, in both of its forms as it reads them itself.
// The newer one has any UTF-8 for a name in double quotes, and Go's escapes in
// double quotes. The older one has names of letters, digits, _ and :, anything
// for a bare value, and of escapes \\, \" and \n alone, so that "\d+" is a
// regular expression. Where both can be meant, the older one is. One thing is
// refused that Alertmanager takes: == for an operator.
func ParseMatcher(text string) (Matcher, error) {
	found, mistake := parseSet(text)
	if mistake == nil && len(found) > 1 {
		mistake = &MatcherError{text, 0, fmt.Sprintf("%d matchers where one is wanted", len(found))}
	}
	if mistake == nil && len(found) == 0 {
		mistake = &MatcherError{text, 0, "no operator; want =, !=, =~ or !~"}
	}
	if old, err := parseClassic(text, 0); err == nil && !doubled(mistake) {
		found, mistake = []written{old}, nil
	}
	if mistake != nil {
		return Matcher{}, mistake
	}
	return found[0].matcher(text)
}

// ParseMatchers reads a set of matchers: {a="b",c=~"d"}, with or without the
// braces and a comma at the end; {} and the empty text are the empty set. The
// syntax and the errors are those of ParseMatcher.
func ParseMatchers(text string) (Matchers, error) {
	found, mistake := parseSet(text)
	if old, ok := parseClassicSet(text); ok && !doubled(mistake) {
		found, mistake = old, nil
	}
	if mistake != nil {
		return nil, mistake
	}
	ms := make(Matchers, 0, len(found))
	for _, w := range found {
		m, err := w.matcher(text)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, nil
}

// written is a matcher as it was read: its value's place in the text, too.
type written struct {
	name  string
	op    MatchOp
	value string
	at    int
}

func (w *written) matcher(text string) (Matcher, error) {
	m, err := NewMatcher(w.name, w.op, w.value)
	if err != nil {
		_, why, _ := strings.Cut(err.Error(), m.String()+": ")
		return Matcher{}, &MatcherError{text, w.at, why}
	}
	return m, nil
}

const doubledEquals = "no such operator ==; did you mean =?"

func doubled(e *MatcherError) bool { return e != nil && e.Message == doubledEquals }

// reserved tells the runes that end a bare name or value.
func reserved(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("{}!=~,\\\"'`", r) }

// parser reads the newer syntax.
type parser struct {
	text string
	at   int
}

func parseSet(text string) ([]written, *MatcherError) {
	p := parser{text: text}
	var found []written
	p.space()
	braced := p.take("{")
	for p.space(); !p.ends(braced); p.space() {
		w, mistake := p.matcher()
		if mistake != nil {
			return nil, mistake
		}
		found = append(found, w)
		if p.space(); p.ends(braced) {
			break
		}
		if !p.take(",") {
			return nil, p.wrong("want a comma or the end before %q", p.rest())
		}
	}
	if braced && !p.take("}") {
		return nil, p.wrong("the brace { does not close")
	}
	if p.space(); p.at < len(text) {
		return nil, p.wrong("%q after the end", p.rest())
	}
	return found, nil
}

func (p *parser) wrong(format string, args ...any) *MatcherError {
	return &MatcherError{p.text, p.at, fmt.Sprintf(format, args...)}
}

// rest is what is left, shortened for a message.
func (p *parser) rest() string {
	const most = 20
	rest := p.text[p.at:]
	for i := range rest {
		if i > most {
			return rest[:i] + "…"
		}
	}
	return rest
}

func (p *parser) space() {
	for p.at < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[p.at:])
		if !unicode.IsSpace(r) {
			return
		}
		p.at += size
	}
}

func (p *parser) take(token string) bool {
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *parser) ends(braced bool) bool {
	return p.at == len(p.text) || braced && p.text[p.at] == '}'
}

func (p *parser) matcher() (written, *MatcherError) {
	var w written
	var mistake *MatcherError
	begin := p.at
	if w.name, mistake = p.word(); mistake != nil {
		return w, mistake
	}
	if w.name == "" {
		p.at = begin
		if strings.ContainsRune("=!~", rune(p.text[p.at])) {
			return w, p.wrong("no label name before the operator")
		}
		return w, p.wrong("want a label's name, not %q", p.rest())
	}
	p.space()
	if w.op, mistake = p.operator(); mistake != nil {
		return w, mistake
	}
	p.space()
	w.at = p.at
	if w.value, mistake = p.word(); mistake != nil {
		return w, mistake
	}
	if p.at == w.at {
		return w, p.wrong("no value after %s; an empty one is written \"\"", w.op)
	}
	return w, nil
}

// word reads a name or a value, bare or in double quotes. A bare one may turn
// out empty.
func (p *parser) word() (string, *MatcherError) {
	begin := p.at
	if !p.take(`"`) {
		for p.at < len(p.text) {
			r, size := utf8.DecodeRuneInString(p.text[p.at:])
			if r == utf8.RuneError && size == 1 {
				return "", p.wrong("not UTF-8")
			}
			if reserved(r) {
				break
			}
			p.at += size
		}
		return p.text[begin:p.at], nil
	}
	for ; p.at < len(p.text) && p.text[p.at] != '"'; p.at++ {
		if p.text[p.at] == '\\' {
			p.at++
		}
	}
	if p.at >= len(p.text) {
		p.at = begin
		return "", p.wrong("the quotes do not close")
	}
	p.at++
	word, err := strconv.Unquote(p.text[begin:p.at])
	if err != nil || !utf8.ValidString(word) {
		mistake := &MatcherError{p.text, begin, fmt.Sprintf("%s has an escape that is none; a backslash is written \\\\", p.text[begin:p.at])}
		return "", mistake
	}
	return word, nil
}

func (p *parser) operator() (MatchOp, *MatcherError) {
	for _, op := range [...]MatchOp{MatchRegexp, MatchNotRegexp, MatchNotEqual, MatchEqual} {
		if begin := p.at; p.take(string(op)) {
			if op == MatchEqual && p.take("=") {
				p.at = begin
				return "", p.wrong("%s", doubledEquals)
			}
			return op, nil
		}
	}
	switch {
	case strings.HasPrefix(p.text[p.at:], "~="):
		return "", p.wrong("no such operator ~=; did you mean =~?")
	case strings.HasPrefix(p.text[p.at:], "!") || strings.HasPrefix(p.text[p.at:], "~"):
		return "", p.wrong("no such operator; want =, !=, =~ or !~")
	case p.at < len(p.text) && !strings.ContainsRune(",}", rune(p.text[p.at])):
		return "", p.wrong("no operator before %q; want =, !=, =~ or !~ (a name with other signs stands in double quotes)", p.rest())
	}
	return "", p.wrong("no operator; want =, !=, =~ or !~")
}
