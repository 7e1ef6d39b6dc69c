// Package chat is what the receivers for chats and phones share: the words of a
// message, made inert and cut to a service's limits, and how a group's message is
// brought up to date. It is called by the adapters beside it. It sends nothing,
// and no text of an alert leaves it that a service could take for markup, a link
// or a mention.
package chat

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/notifiers"
)

// Format is how one service writes a text and counts it.
type Format struct {
	// Escape writes one character so that it is no markup; nil as it stands.
	// Escaping each by itself is what lets a text be cut without cutting an escape.
	Escape func(r rune) string
	// EscapeCode is the same within code; nil as Escape does.
	EscapeCode func(r rune) string
	// Bold and Code are what stands before and behind; empty where there is none.
	Bold, Code [2]string
	// Link writes a link to a URL that WebURL returned; nil where there are none.
	Link func(target, inert string) string
	// Date writes a moment; nil as in 2024-01-15 09:45 UTC.
	Date func(at time.Time) string
	// Size counts as the service does.
	Size func(s string) int
	// Brief leaves out the annotations, and all but a few labels: for phones.
	Brief bool
}

// zeroWidth parts what would be a mention, and is not seen.
const zeroWidth = "\u200b"

// Markdown is CommonMark as chats write it. Every character that could be markup
// stands behind a backslash, which CommonMark allows for any punctuation of ASCII;
// chats look for an @name beside their markup, so that it is parted.
// https://spec.commonmark.org/0.31.2/#backslash-escapes
func Markdown() Format {
	return Format{
		Escape: func(r rune) string {
			switch {
			case r == '@':
				return "@" + zeroWidth
			case strings.ContainsRune("\\`*_~|<>[]#", r):
				return `\` + string(r)
			}
			return string(r)
		},
		// Nothing but a backtick ends code; a look-alike stands for it.
		EscapeCode: func(r rune) string {
			switch r {
			case '`':
				return "ˋ"
			case '@':
				return "@" + zeroWidth
			}
			return string(r)
		},
		Bold: [2]string{"**", "**"},
		Code: [2]string{"`", "`"},
		Link: func(target, inert string) string {
			return "[" + inert + "](" + strings.NewReplacer("(", "%28", ")", "%29", `\`, "%5C").Replace(target) + ")"
		},
		Size: UTF16,
	}
}

// HTML is the few tags that Telegram and the cards of Google Chat know.
func HTML() Format {
	return Format{
		Escape: func(r rune) string {
			switch r {
			case '&':
				return "&amp;"
			case '<':
				return "&lt;"
			case '>':
				return "&gt;"
			case '"':
				return "&quot;"
			case '@':
				return "@" + zeroWidth
			}
			return string(r)
		},
		Bold: [2]string{"<b>", "</b>"},
		Code: [2]string{"<code>", "</code>"},
		Link: func(target, inert string) string {
			return `<a href="` + strings.ReplaceAll(target, "&", "&amp;") + `">` + inert + "</a>"
		},
		Size: UTF16,
	}
}

// Plain is text without any markup.
func Plain(size func(string) int) Format { return Format{Size: size} }

// Unmentioned parts every @name of a text that a template wrote, for what
// it was given may hold one; a name that is parted already stays as it is.
func Unmentioned(text string) string {
	text = strings.ReplaceAll(text, "@"+zeroWidth, "@")
	return strings.ReplaceAll(text, "@", "@"+zeroWidth)
}

// UTF16 counts UTF-16 units, which are never fewer than characters: for services
// that say "characters" and mean either.
func UTF16(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// Bytes counts the bytes of UTF-8.
func Bytes(s string) int { return len(s) }

// JSONBytes counts the bytes of UTF-8 as they stand in JSON.
func JSONBytes(s string) int {
	return len(s) + strings.Count(s, `"`) + strings.Count(s, `\`) + strings.Count(s, "\n")
}

// Runes counts characters.
func Runes(s string) int { return utf8.RuneCountInString(s) }

// Inert writes a text on one line in which nothing is markup, at most limit long
// as the service counts. Neither a character nor an escape is cut in half.
func (f *Format) Inert(text string, limit int) string { return f.write(text, limit, f.Escape) }

// BoldText is Inert, and bold.
func (f *Format) BoldText(text string, limit int) string {
	return f.Bold[0] + f.write(text, limit-f.Size(f.Bold[0]+f.Bold[1]), f.Escape) + f.Bold[1]
}

// CodeText is Inert, set as code.
func (f *Format) CodeText(text string, limit int) string {
	escape := f.EscapeCode
	if escape == nil {
		escape = f.Escape
	}
	return f.Code[0] + f.write(text, limit-f.Size(f.Code[0]+f.Code[1]), escape) + f.Code[1]
}

func (f *Format) write(text string, limit int, escape func(rune) string) string {
	if escape == nil {
		escape = func(r rune) string { return string(r) }
	}
	var pieces []string
	for _, r := range notifiers.Plain(text) {
		pieces = append(pieces, escape(r))
	}
	return f.clip(pieces, limit)
}

// Clip cuts a text that is the service's already, between characters; its lines
// stay. It is for texts whose markup cannot break.
func (f *Format) Clip(text string, limit int) string {
	if f.Size(text) <= limit {
		return text
	}
	var pieces []string
	for _, r := range strings.ToValidUTF8(text, "") {
		pieces = append(pieces, string(r))
	}
	return f.clip(pieces, limit)
}

// clip joins as many pieces as fit, an ellipsis last when some did not.
func (f *Format) clip(pieces []string, limit int) string {
	const ellipsis = "…"
	var b strings.Builder
	used, end, room := 0, 0, limit-f.Size(ellipsis) // end: where an ellipsis still fits
	for _, piece := range pieces {
		if used += f.Size(piece); used > limit {
			return b.String()[:end] + ellipsis
		}
		b.WriteString(piece)
		if used <= room {
			end = b.Len()
		}
	}
	return b.String()
}

// LinkTo writes a link, or "" where there are none or the URL is not one that a
// message may lead to.
func (f *Format) LinkTo(target, text string) string {
	if target = WebURL(target); target == "" || f.Link == nil {
		return ""
	}
	return f.Link(target, f.Inert(text, 80))
}

func (f *Format) date(at time.Time) string {
	if f.Date != nil {
		return f.Date(at)
	}
	return at.UTC().Format("2006-01-02 15:04 MST")
}

// maxURL is the longest URL that is shown; links to acknowledge have their own.
const maxURL = 1000

// WebURL returns a URL that a message may lead to: whole, by http or https, and not
// too long to show; or "".
func WebURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return ""
	}
	if text = u.String(); len(text) > maxURL {
		return ""
	}
	return strings.NewReplacer(" ", "%20", "<", "%3C", ">", "%3E", `"`, "%22", "|", "%7C").Replace(text)
}

// UnixDate writes a moment as Discord shows it in each reader's own time zone.
// https://docs.discord.com/developers/reference#message-formatting
func UnixDate(at time.Time) string { return "<t:" + strconv.FormatInt(at.Unix(), 10) + ":f>" }
