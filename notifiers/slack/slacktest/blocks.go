package slacktest

import (
	"slices"
	"unicode/utf8"
)

// Block is one block of a message.
type Block struct {
	Type     string    `json:"type"`
	BlockID  string    `json:"block_id,omitempty"`
	Text     *Text     `json:"text,omitempty"`
	Fields   []Text    `json:"fields,omitempty"`
	Elements []Element `json:"elements,omitempty"`
}

// Text is a text of a block.
type Text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// Element is a button, whose text is an object, or a text of a context block.
type Element struct {
	Type     string `json:"type"`
	Text     any    `json:"text"`
	ActionID string `json:"action_id,omitempty"`
	Value    string `json:"value,omitempty"`
	URL      string `json:"url,omitempty"`
	Style    string `json:"style,omitempty"`
}

// check holds a message against Slack's limits and returns the error that it
// answers, or "".
// https://docs.slack.dev/reference/block-kit/blocks
func check(b body) string {
	if b.Text == "" && len(b.Blocks) == 0 && len(b.Attachments) == 0 {
		return "no_text"
	}
	if runes(b.Text) > 40_000 {
		return "msg_too_long"
	}
	blocks := slices.Clone(b.Blocks)
	for _, a := range b.Attachments {
		if len(a.Blocks) > 20 {
			return "invalid_attachments"
		}
		blocks = append(blocks, a.Blocks...)
	}
	if len(blocks) > 50 {
		return "invalid_blocks"
	}
	for i := range blocks {
		if !blocks[i].valid() {
			return "invalid_blocks"
		}
	}
	return ""
}

func (b *Block) valid() bool {
	if runes(b.BlockID) > 255 {
		return false
	}
	switch b.Type {
	case "divider":
		return true
	case "header":
		return b.Text.valid(150, "plain_text")
	case "section":
		if b.Text == nil && len(b.Fields) == 0 || len(b.Fields) > 10 {
			return false
		}
		for i := range b.Fields {
			if !b.Fields[i].valid(2000, "mrkdwn", "plain_text") {
				return false
			}
		}
		return b.Text == nil || b.Text.valid(3000, "mrkdwn", "plain_text")
	case "context":
		return len(b.Elements) > 0 && len(b.Elements) <= 10 && !slices.ContainsFunc(b.Elements, func(e Element) bool {
			text, ok := e.Text.(string)
			return !ok || !(&Text{e.Type, text}).valid(3000, "mrkdwn", "plain_text")
		})
	case "actions":
		return len(b.Elements) > 0 && len(b.Elements) <= 25 && !slices.ContainsFunc(b.Elements, func(e Element) bool { return !e.button() })
	}
	return false
}

func (t *Text) valid(limit int, types ...string) bool {
	return t != nil && t.Text != "" && runes(t.Text) <= limit && slices.Contains(types, t.Type)
}

// button says whether the element is a valid one.
// https://docs.slack.dev/reference/block-kit/block-elements/button-element
func (e *Element) button() bool {
	label := e.Label()
	return e.Type == "button" && label != "" && runes(label) <= 75 && runes(e.ActionID) <= 255 &&
		runes(e.Value) <= 2000 && runes(e.URL) <= 3000
}

// Label is what a button says.
func (e *Element) Label() string {
	text, _ := e.Text.(map[string]any)
	label, _ := text["text"].(string)
	return label
}

// Buttons returns the message's buttons in their order.
func (m *Message) Buttons() []Element {
	all := slices.Clone(m.Blocks)
	for _, a := range m.Attachments {
		all = append(all, a.Blocks...)
	}
	var out []Element
	for _, b := range all {
		if b.Type == "actions" {
			out = append(out, b.Elements...)
		}
	}
	return out
}

// Header is the text of the message's first header; "" when it has none.
func (m *Message) Header() string {
	for _, b := range m.Blocks {
		if b.Type == "header" {
			return b.Text.Text
		}
	}
	return ""
}

func runes(s string) int { return utf8.RuneCountInString(s) }
