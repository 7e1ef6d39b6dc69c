package rule

import (
	"strings"
	"unicode"

	"github.com/expr-lang/expr/ast"
)

// textOf is what stands in the condition for a node, in one spelling. The
// parser only tells where a node's own token is.
func (c *compiler) textOf(n ast.Node) string {
	from, to := c.balanced(c.span(n))
	return spelled(c.runes[from:to])
}

// spelled writes a text of the language in one spelling: outside of quotes, one
// blank between words, after a comma, and around operators that had any; none
// inside of brackets.
func spelled(written []rune) string {
	var b strings.Builder
	var quoted, last rune
	blank := false
	for i, r := range written {
		switch {
		case quoted != 0:
			b.WriteRune(r)
			if r == quoted && (quoted == '`' || !escaped(written[:i])) {
				quoted = 0
			}
			last = r
			continue
		case unicode.IsSpace(r):
			blank = true
			continue
		case r == '"' || r == '\'' || r == '`':
			quoted = r
		}
		closes := r == ')' || r == ']' || r == ','
		if (blank && !closes && last != '(' && last != '[' || last == ',') && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last, blank = r, false
	}
	return b.String()
}

// escaped says whether what follows is behind an odd number of backslashes.
func escaped(before []rune) bool {
	n := 0
	for n < len(before) && before[len(before)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// span returns the first and the last rune of a node, less the parentheses
// around it.
func (c *compiler) span(n ast.Node) (from, to int) {
	from, to = n.Location().From, n.Location().To
	cover := func(parts ...ast.Node) {
		for _, part := range parts {
			partFrom, partTo := c.span(part)
			from, to = min(from, partFrom), max(to, partTo)
		}
	}
	switch n := n.(type) {
	case *ast.BinaryNode:
		cover(n.Left, n.Right)
	case *ast.UnaryNode:
		cover(n.Node)
	case *ast.MemberNode:
		cover(n.Node, n.Property)
	case *ast.ConditionalNode:
		cover(n.Cond, n.Exp1, n.Exp2)
	case *ast.ArrayNode:
		cover(n.Nodes...)
	case *ast.ChainNode:
		cover(n.Node)
	case *ast.CallNode:
		cover(n.Callee)
		_, to = c.balanced(from, c.openedAfter(to)) // its own parentheses
		cover(n.Arguments...)
	}
	return c.within(from), c.within(to)
}

func (c *compiler) within(i int) int { return max(0, min(i, len(c.runes))) }

// openedAfter returns where the parenthesis that follows is behind.
func (c *compiler) openedAfter(i int) int {
	for ; i < len(c.runes); i++ {
		if c.runes[i] == '(' {
			return i + 1
		}
	}
	return i
}

// balanced widens a span until its brackets are matched.
func (c *compiler) balanced(from, to int) (int, int) {
	open, missing := 0, 0
	c.brackets(from, to, func(_ int, closes bool) bool {
		switch {
		case !closes:
			open++
		case open > 0:
			open--
		default:
			missing++
		}
		return true
	})
	if open > 0 {
		c.brackets(to, len(c.runes), func(at int, closes bool) bool {
			if closes {
				open--
			} else {
				open++
			}
			to = at + 1
			return open > 0
		})
	}
	for ; from > 0 && missing > 0; from-- {
		switch c.runes[from-1] {
		case '(', '[':
			missing--
		case ')', ']':
			missing++
		}
	}
	return from, to
}

// brackets calls on each bracket outside of quotes, until that returns false.
func (c *compiler) brackets(from, to int, on func(at int, closes bool) bool) {
	for i := from; i < to; i++ {
		switch r := c.runes[i]; r {
		case '"', '\'', '`':
			for i++; i < len(c.runes) && c.runes[i] != r; i++ {
				if c.runes[i] == '\\' && r != '`' {
					i++
				}
			}
		case '(', '[', ')', ']':
			if !on(i, r == ')' || r == ']') {
				return
			}
		}
	}
}
