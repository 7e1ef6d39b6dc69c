package ruletest

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// The text of a series, poll by poll:
//
//	series = run { space run }
//	run    = what [ "x" count ]
//	what   = number [ unit ] [ ".." number [ unit ] ] | "_" | "down"
//	count  = digits | "*"
//	number = [ "-" | "+" ] digits [ "." digits ] [ "e" [ "-" | "+" ] digits ]
//
// 90x4 is 90 in four polls, 90..60x10 goes from 90 to 60 in ten, _ is a poll
// without a sample, down one in which the source cannot be read. x* goes on
// to the end of the test, and ends the text.

// What a test may ask for, so that no text eats the machine.
const (
	MaxPolls     = 100_000 // of one series
	maxTextBytes = 64 << 10
)

// toTheEnd is the count of x*.
const toTheEnd = -1

// action is what a series does in a run of polls.
type action uint8

const (
	gives  action = iota // samples
	misses               // no sample
	fails                // no sample, for the source cannot be read
)

const (
	missWord = "_"
	failWord = "down"
)

// run is a number of polls in which a series does one thing.
type run struct {
	action   action
	from, to quantity // the first and the last sample
	ramp     bool
	polls    int // toTheEnd for x*
	offset   int // of the run in the text
}

// quantity is a number as it is written; without unit it is in the metric's.
type quantity struct {
	number float64
	unit   string
	offset int
}

// String writes the run so that parseText reads it back.
func (r run) String() string {
	what := r.from.String()
	switch {
	case r.action == misses:
		what = missWord
	case r.action == fails:
		what = failWord
	case r.ramp:
		what += ".." + r.to.String()
	}
	switch r.polls {
	case toTheEnd:
		return what + "x*"
	case 1:
		return what
	}
	return what + "x" + strconv.Itoa(r.polls)
}

func (q quantity) String() string { return strconv.FormatFloat(q.number, 'g', -1, 64) + q.unit }

// parseText reads the text of a series. Problems carry the byte offset; each
// run has at most one, and one never hides the next.
func parseText(text string) ([]run, problem.List) {
	if len(text) > maxTextBytes {
		return nil, problem.List{{Message: fmt.Sprintf("the text of a series is at most %d KB long", maxTextBytes>>10)}}
	}
	var runs []run
	var problems problem.List
	polls := 0
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if unicode.IsSpace(r) {
			at += size
			continue
		}
		end := len(text)
		if space := strings.IndexFunc(text[at:], unicode.IsSpace); space >= 0 {
			end = at + space
		}
		one := runParser{text: text[at:end], base: at}
		one.parse()
		switch {
		case one.mistake != nil:
			problems = append(problems, *one.mistake)
		case len(runs) > 0 && runs[len(runs)-1].polls == toTheEnd:
			problems = append(problems, problem.Problem{Offset: at, Message: "nothing can follow x*, which goes on to the end"})
			return runs, problems
		default:
			polls += max(one.run.polls, 0)
			runs = append(runs, one.run)
		}
		if polls > MaxPolls {
			problems = append(problems, problem.Problem{Offset: at, Message: fmt.Sprintf("a series has at most %d polls", MaxPolls)})
			return runs, problems
		}
		at = end
	}
	if len(runs) == 0 && len(problems) == 0 {
		problems = append(problems, problem.Problem{Message: "the series says nothing", Hint: "write for example 90x4 60x8"})
	}
	return runs, problems
}

// runParser reads one run.
type runParser struct {
	text    string
	at      int
	base    int // of text in the whole
	run     run
	mistake *problem.Problem
}

func (p *runParser) fail(at int, hint, format string, args ...any) bool {
	p.mistake = &problem.Problem{Offset: p.base + at, Message: fmt.Sprintf(format, args...), Hint: hint}
	return false
}

func (p *runParser) rest() string { return p.text[p.at:] }

func (p *runParser) parse() {
	p.run = run{offset: p.base, polls: 1}
	if p.what() {
		p.count()
	}
}

func (p *runParser) what() bool {
	switch {
	case strings.HasPrefix(p.text, failWord):
		p.run.action, p.at = fails, len(failWord)
		return true
	case strings.HasPrefix(p.text, missWord):
		p.run.action, p.at = misses, len(missWord)
		return true
	case !beginsNumber(p.text):
		return p.strange()
	case !p.quantity(&p.run.from):
		return false
	}
	p.run.to = p.run.from
	if !strings.HasPrefix(p.rest(), "..") {
		return true
	}
	p.at += len("..")
	p.run.ramp = true
	if !beginsNumber(p.rest()) {
		return p.fail(p.at, "write for example 90..60x10", "a ramp wants a number to go to")
	}
	return p.quantity(&p.run.to)
}

func beginsNumber(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return s != "" && (s[0] >= '0' && s[0] <= '9' || len(s) > 1 && s[0] == '.' && s[1] >= '0' && s[1] <= '9')
}

// strange says what a run that begins with none of the known things was meant
// to be.
func (p *runParser) strange() bool {
	word := strings.ToLower(p.text)
	hint := problem.DidYouMean(word, []string{failWord})
	switch {
	case strings.HasPrefix(word, "x") && len(word) > 1:
		hint = "write 90" + word + ", without a space before the x"
	case strings.Trim(word, "-~?") == "" || strings.HasPrefix(word, "na") || strings.HasPrefix(word, "nul") || strings.HasPrefix(word, "no") || strings.HasPrefix(word, "stale") || strings.HasPrefix(word, "miss"):
		hint = "a poll without a sample is _"
	case strings.HasPrefix(word, "up"):
		hint = "a source is up in every poll that is not down; write the samples"
	case hint == "":
		hint = "write a number such as 90x4, _ for no sample, or down"
	}
	return p.fail(0, hint, "%s is not a poll", strconv.Quote(clip(p.text)))
}

func clip(s string) string {
	if r := []rune(s); len(r) > 20 {
		return string(r[:20]) + "…"
	}
	return s
}

// quantity reads a number and its unit.
func (p *runParser) quantity(q *quantity) bool {
	q.offset = p.base + p.at
	begin := p.at
	p.at += numberLength(p.rest())
	number, err := strconv.ParseFloat(p.text[begin:p.at], 64)
	if err != nil || math.IsInf(number, 0) {
		return p.fail(begin, "", "%s is no number that a sample can have", strconv.Quote(clip(p.text[begin:p.at])))
	}
	q.number = number
	at := p.at
	for p.at < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.rest())
		if r == 'x' || r != '%' && !unicode.IsLetter(r) {
			break
		}
		p.at += size
	}
	q.unit = p.text[at:p.at]
	if _, _, ok := units.Suffix(q.unit); !ok && q.unit != "" {
		return p.fail(at, problem.DidYouMean(q.unit, units.SuffixNames()), "unknown unit %s", strconv.Quote(clip(q.unit)))
	}
	return true
}

// numberLength is how much of the text is a number: 90 of 90..60, 1e3 of 1e3x4.
func numberLength(s string) int {
	i := 0
	digits := func() {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
	}
	if s[0] == '-' || s[0] == '+' {
		i++
	}
	digits()
	if i < len(s) && s[i] == '.' && !strings.HasPrefix(s[i:], "..") {
		i++
		digits()
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		before := i
		i++
		if i < len(s) && (s[i] == '-' || s[i] == '+') {
			i++
		}
		first := i
		if digits(); i == first {
			i = before
		}
	}
	return i
}

// count reads xN or x*.
func (p *runParser) count() bool {
	counted := strings.HasPrefix(p.rest(), "x")
	switch {
	case p.rest() == "" && !p.run.ramp:
		return true
	case p.rest() == "":
		return p.fail(0, "write "+clip(p.text)+"x10", "a ramp wants a number of polls")
	case !counted:
		return p.trailing()
	}
	p.at++
	digits := p.rest()
	n, err := strconv.Atoi(digits)
	switch {
	case digits == "*" && p.run.ramp:
		return p.fail(p.at, "write "+p.text[:p.at]+"10", "a ramp wants a number of polls")
	case digits == "*":
		n = toTheEnd
	case strings.Trim(digits, "0123456789") != "" || digits == "":
		return p.fail(p.at, "write for example 90x4, or 90x* to the end", "x wants a number of polls")
	case err != nil || n > MaxPolls:
		return p.fail(p.at, "", "a series has at most %d polls", MaxPolls)
	case n == 0:
		return p.fail(p.at, "", "a run has one poll at least")
	case n == 1 && p.run.ramp:
		return p.fail(p.at, "", "a ramp has two polls at least")
	}
	p.run.polls = n
	return true
}

// trailing says what was meant by something else than x after the value.
func (p *runParser) trailing() bool {
	rest := p.rest()
	hint := "separate polls by spaces, as in 90x4 60x8"
	switch {
	case rest[0] == '*' || strings.HasPrefix(rest, "×") || rest[0] == 'X':
		hint = "write " + p.text[:p.at] + "x4 for four polls"
	case p.run.action != gives && rest[0] >= '0' && rest[0] <= '9':
		hint = "write " + p.text[:p.at] + "x" + clip(rest)
	case rest[0] == '+' || rest[0] == '-':
		hint = "a ramp is its first value, its last and its polls: 90..60x10"
	}
	return p.fail(p.at, hint, "%s cannot stand here", strconv.Quote(clip(rest)))
}
