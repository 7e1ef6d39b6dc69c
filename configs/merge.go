package configs

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/tocsin-dev/tocsin/engine/rule"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

// entry is one item of a file's rules.
type entry struct {
	file *RuleFile
	at   string // rules[3]
}

func (e entry) line() int { return e.file.doc.Line(e.at) }

// place is where the entry stands, for messages.
func (e entry) place() string { return fmt.Sprintf("%s:%d", e.file.Name, e.line()) }

// stack is one rule with everything that files say of it: the entry that makes
// it, and those that change it, each on top of the one before. Several files
// may use it: but for twice it does not change once it is made.
type stack struct {
	entries []entry
	specs   []rule.Spec // the rule as each entry leaves it
	twice   bool        // its id is another rule's too, which was told
}

func (s *stack) spec() rule.Spec { return s.specs[len(s.specs)-1] }

func (s *stack) top() entry { return s.entries[len(s.entries)-1] }

func (s *stack) id() string { return s.specs[0].ID }

// changedBy puts an entry on top. Only the fields that it writes change; see
// yamlpos.Document.MergeAt.
func (s *stack) changedBy(e entry) *stack {
	out := &stack{entries: append(slices.Clip(s.entries), e)}
	var spec rule.Spec
	for _, e := range out.entries {
		_ = e.file.doc.MergeAt(e.at, &spec) // its mistakes were told when the file was read
	}
	out.specs = append(slices.Clip(s.specs), spec)
	return out
}

// covers says whether the stack is the other one, or what files have made of
// it: whoever uses both means this one.
func (s *stack) covers(other *stack) bool {
	return slices.ContainsFunc(s.specs, func(spec rule.Spec) bool { return reflect.DeepEqual(spec, other.spec()) })
}

// pool holds rules in the order in which they came, by id.
type pool struct {
	stacks []*stack
	byID   map[string]int
}

func newPool() *pool { return &pool{byID: map[string]int{}} }

func (p *pool) find(id string) *stack {
	if i, ok := p.byID[id]; ok {
		return p.stacks[i]
	}
	return nil
}

func (p *pool) ids() []string {
	ids := make([]string, 0, len(p.stacks))
	for _, s := range p.stacks {
		ids = append(ids, s.id())
	}
	return ids
}

// keep takes a rule in whether its id is free or not. A rule without an id is
// nobody's: it is a mistake that judging finds.
func (p *pool) keep(s *stack) {
	if _, taken := p.byID[s.id()]; !taken && s.id() != "" {
		p.byID[s.id()] = len(p.stacks)
	}
	p.stacks = append(p.stacks, s)
}

func (p *pool) replace(before, after *stack) { p.stacks[p.byID[before.id()]] = after }

// add takes in a rule that may have come another way already. It returns the
// rule that has the same id and is another one, nil when there is none.
func (p *pool) add(s *stack) (other *stack) {
	before := p.find(s.id())
	switch {
	case before == nil || s.twice:
		p.keep(s)
	case before == s:
	case writtenTwice(before, s):
		p.keep(s)
		return before
	case before.covers(s):
	case s.covers(before):
		p.replace(before, s)
	default:
		p.keep(s)
		return before
	}
	return nil
}

// writtenTwice tells a rule that stands in two files of the operator's own
// list, even in the same words: one of them is forgotten, and an edit of it
// would change nothing.
func writtenTwice(a, b *stack) bool {
	own := func(s *stack) bool { return len(s.entries) == 1 && s.top().file.listed && !s.top().file.pack }
	return own(a) && own(b)
}

// takenTwice reports a rule of a listed file whose id another listed file's
// rule has. A pack is not to blame: whoever writes beside it is told how to
// change it.
func takenTwice(first, second *stack) yamlpos.Mistakes {
	if second.top().file.pack && !first.top().file.pack {
		first, second = second, first
	}
	second.twice = true
	e, message, hint := second.top(), "id %q is taken by the rule at %s", ""
	switch {
	case len(first.entries) > 1 && len(second.entries) > 1:
		message, hint = "rule %q is changed in another way at %s", "change it in one place"
	case first.top().file.pack && len(second.entries) == 1:
		hint = "to change that rule, write use: [" + first.top().file.Name + "] in this file"
	case first.top().file != second.top().file && len(second.entries) == 1:
		hint = "give it another id, or let this file `use` that one to change its rule"
	}
	var problems problem.List
	problems.AddHint(problem.Join(e.at, "id"), hint, message, second.id(), first.top().place()).As(problem.DuplicateName)
	return e.file.Locate(problems)
}
