package alert

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// pattern is an anchored regular expression. Those that people write most are
// not run as such: a few texts, and texts that begin with one.
type pattern struct {
	texts  []string // sorted, where prefix and re are not used
	prefix *prefix
	re     *regexp.Regexp
}

// prefix is text.* or text.+; the dot is no newline.
type prefix struct {
	text  string
	least int // bytes after it
}

// maxTexts is how many texts are compared one by one at most.
const maxTexts = 64

func newPattern(value string) (*pattern, error) {
	// The value is read alone first: a)|(b would close the anchors' group.
	if _, err := regexp.Compile(value); err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(value, syntax.Perl)
	if err != nil {
		return nil, err
	}
	if texts, ok := textsOf(tree); ok {
		slices.Sort(texts)
		return &pattern{texts: slices.Compact(texts)}, nil
	}
	if p, ok := prefixOf(tree); ok {
		return &pattern{prefix: &p}, nil
	}
	re, err := regexp.Compile("^(?:" + value + ")$")
	return &pattern{re: re}, err
}

func (p *pattern) matches(text string) bool {
	switch {
	case p.re != nil:
		return p.re.MatchString(text)
	case p.prefix != nil:
		rest, ok := strings.CutPrefix(text, p.prefix.text)
		return ok && len(rest) >= p.prefix.least && !strings.Contains(rest, "\n")
	}
	_, found := slices.BinarySearch(p.texts, text)
	return found
}

// textsOf lists all that an expression matches, where that is a few texts.
func textsOf(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, re.Flags&syntax.FoldCase == 0
	case syntax.OpCapture:
		return textsOf(re.Sub[0])
	case syntax.OpQuest:
		texts, ok := textsOf(re.Sub[0])
		return append(texts, ""), ok
	case syntax.OpCharClass:
		return textsOfClass(re)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			texts, ok := textsOf(sub)
			if all = append(all, texts...); !ok || len(all) > maxTexts {
				return nil, false
			}
		}
		return all, true
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range re.Sub {
			texts, ok := textsOf(sub)
			if !ok || len(all)*len(texts) > maxTexts {
				return nil, false
			}
			var longer []string
			for _, head := range all {
				for _, tail := range texts {
					longer = append(longer, head+tail)
				}
			}
			all = longer
		}
		return all, true
	default:
		return nil, false
	}
}

func textsOfClass(re *syntax.Regexp) ([]string, bool) {
	var all []string
	for i := 0; i+1 < len(re.Rune); i += 2 {
		if re.Rune[i+1]-re.Rune[i] > maxTexts {
			return nil, false
		}
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			all = append(all, string(r))
		}
	}
	return all, len(all) > 0 && len(all) <= maxTexts
}

// prefixOf reads text.* and text.+, the text being empty or not.
func prefixOf(re *syntax.Regexp) (prefix, bool) {
	var p prefix
	last := re
	if re.Op == syntax.OpConcat && len(re.Sub) == 2 && re.Sub[0].Op == syntax.OpLiteral && re.Sub[0].Flags&syntax.FoldCase == 0 {
		p.text, last = string(re.Sub[0].Rune), re.Sub[1]
	}
	switch {
	case last.Op == syntax.OpPlus:
		p.least = 1
	case last.Op != syntax.OpStar:
		return p, false
	}
	return p, last.Sub[0].Op == syntax.OpAnyCharNotNL
}
