package slack

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/tocsin-dev/tocsin/notifiers"
)

// escape makes text inert and at most limit long: the three characters that
// begin Slack's mentions, links and entities become entities, and no entity
// is cut in two. Slack does not say what it counts; we count UTF-16 units,
// which are never fewer than characters.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func escape(text string, limit int) string {
	text = notifiers.Plain(text)
	var b strings.Builder
	used, end := 0, 0 // end: where an ellipsis still fits
	for _, r := range text {
		piece := string(r)
		switch r {
		case '&':
			piece = "&amp;"
		case '<':
			piece = "&lt;"
		case '>':
			piece = "&gt;"
		}
		size := length(piece)
		if used+size > limit {
			return b.String()[:end] + "…"
		}
		b.WriteString(piece)
		if used += size; used < limit {
			end = b.Len()
		}
	}
	return b.String()
}

// length counts UTF-16 units.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// code sets text as code, where asterisks, underscores and tildes are
// themselves. A backtick would end it, so that a look-alike stands for it.
func code(text string, limit int) string {
	return "`" + escape(strings.ReplaceAll(text, "`", "ˋ"), limit-2) + "`"
}

// link writes <url|text>, or "" when the URL is not one that a message may
// lead to (http or https, whole, and not too long to show).
func link(target, text string) string {
	const maxURL = 500
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	safe := strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", "&", "&amp;", " ", "%20").Replace(u.String())
	if length(safe) > maxURL {
		return ""
	}
	// A bar in the text needs no care: only the first one parts it.
	return "<" + safe + "|" + escape(text, 80) + ">"
}

// date writes a moment that Slack shows in each reader's own time zone, with
// UTC for clients that cannot.
func date(at time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", at.Unix(), at.UTC().Format("2006-01-02 15:04 MST"))
}
