package templating

import (
	"fmt"
	"strconv"
	"text/template/parse"
)

// MaxRounds is how often the loops of a template over numbers may turn, one in
// another included. A template has no deadline: one that counts to a milliard would
// hold up whoever waits for its text.
const MaxRounds = 1_000_000

// Counts refuses a template that counts on by itself for very long: a range over a
// number, or over a variable that was given one. A range over data ends with the
// data. trees are those of the template and of all that it defines.
func Counts(trees ...*parse.Tree) error {
	for _, tree := range trees {
		if tree == nil || tree.Root == nil {
			continue
		}
		c := counting{tree: tree, known: map[string]int64{}}
		if err := c.list(tree.Root, 1); err != nil {
			return err
		}
	}
	return nil
}

// counting walks one tree.
type counting struct {
	tree  *parse.Tree
	known map[string]int64 // the largest number that a variable was given
}

func (c *counting) list(list *parse.ListNode, turns int64) error {
	if list == nil {
		return nil
	}
	for _, node := range list.Nodes {
		if err := c.node(node, turns); err != nil {
			return err
		}
	}
	return nil
}

func (c *counting) node(node parse.Node, turns int64) error {
	switch node := node.(type) {
	case *parse.ActionNode:
		c.learn(node.Pipe)
	case *parse.IfNode:
		return c.branch(&node.BranchNode, turns)
	case *parse.WithNode:
		return c.branch(&node.BranchNode, turns)
	case *parse.RangeNode:
		if n := c.number(node.Pipe); n > 0 {
			if n > MaxRounds/turns {
				place, _ := c.tree.ErrorContext(node.Pipe)
				return fmt.Errorf("template: %s: the loop turns more than %d times", place, MaxRounds)
			}
			turns *= n
		}
		return c.branch(&node.BranchNode, turns)
	}
	return nil
}

func (c *counting) branch(b *parse.BranchNode, turns int64) error {
	if b.NodeType != parse.NodeRange { // a range gives its variables something else
		c.learn(b.Pipe)
	}
	if err := c.list(b.List, turns); err != nil {
		return err
	}
	return c.list(b.ElseList, turns)
}

// learn notes which numbers variables are given.
func (c *counting) learn(pipe *parse.PipeNode) {
	n := c.number(pipe)
	for _, v := range pipe.Decl {
		c.known[v.Ident[0]] = max(c.known[v.Ident[0]], n)
	}
}

// number is the number that a pipe is, or the variable that is all of it was given;
// 0 for what is neither.
func (c *counting) number(pipe *parse.PipeNode) int64 {
	if pipe == nil || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return 0
	}
	switch arg := pipe.Cmds[0].Args[0].(type) {
	case *parse.NumberNode:
		if n, err := strconv.ParseInt(arg.Text, 0, 64); err == nil {
			return n
		}
		return arg.Int64
	case *parse.VariableNode:
		if len(arg.Ident) == 1 {
			return c.known[arg.Ident[0]]
		}
	case *parse.PipeNode:
		return c.number(arg)
	}
	return 0
}
