package notifiers

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
)

// NamedURL is a link with what it leads to.
type NamedURL struct {
	Name string `json:"text"`
	URL  string `json:"href"`
}

// maxURL is the longest link that messages carry: what is longer was hardly
// meant to be followed.
const maxURL = 2000

// maxAlertLinks is how many links of one alert a message shows.
const maxAlertLinks = 8

// AnnotationURLs are the annotations of an alert that are links which a message
// may lead to (http or https, whole), the first few in the order of their names;
// runbook_url is called "Runbook".
func AnnotationURLs(a *alert.Alert) []NamedURL {
	var out []NamedURL
	for name, value := range a.Annotations {
		if target := WebURL(value); target != "" {
			out = append(out, NamedURL{linkName(name), target})
		}
	}
	slices.SortFunc(out, func(a, b NamedURL) int { return strings.Compare(a.Name+a.URL, b.Name+b.URL) })
	return out[:min(len(out), maxAlertLinks)]
}

// WebURL is a link that a message may lead to, in the form in which it can stand
// in any text; empty for what is none.
func WebURL(text string) string {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return ""
	}
	if whole := strings.NewReplacer("<", "%3C", ">", "%3E", `"`, "%22", "'", "%27", " ", "%20").Replace(u.String()); len(whole) <= maxURL {
		return whole
	}
	return ""
}

// Note is an annotation that says something: its name and one line.
type Note struct{ Name, Text string }

// maxAlertNotes is how many of one alert a message shows.
const maxAlertNotes = 5

// Notes are the annotations of an alert that are neither links nor what its message
// says already, the first few in the order of their names.
func Notes(a *alert.Alert) []Note {
	var out []Note
	for _, name := range slices.Sorted(maps.Keys(a.Annotations)) {
		text := Plain(a.Annotations[name])
		if isLink := strings.HasSuffix(name, "_url") || strings.HasSuffix(name, "_link") || WebURL(text) != ""; isLink || text == "" || text == Plain(a.Message) {
			continue
		}
		if len(out) < maxAlertNotes {
			out = append(out, Note{noteName(name), text})
		}
	}
	return out
}

// noteName makes "Description" of description.
func noteName(name string) string {
	name = Plain(strings.ReplaceAll(name, "_", " "))
	first, size := utf8.DecodeRuneInString(name)
	return Clip(string(unicode.ToUpper(first))+name[size:], 40)
}

// linkName makes "Runbook" of runbook_url, and "Grafana panel" of grafana_panel.
func linkName(name string) string {
	name = Plain(strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(name, "_url"), "_link"), "_", " "))
	if name == "" {
		return "Link"
	}
	first, size := utf8.DecodeRuneInString(name)
	return Clip(string(unicode.ToUpper(first))+name[size:], 40)
}

// LinksOf are the links of a notification, each once and at most most: those of
// its alerts' annotations, the page of its alert or the list of them.
func LinksOf(n *alert.Notification, most int) []NamedURL {
	var out []NamedURL
	add := func(l NamedURL) {
		if l.URL != "" && len(out) < most && !slices.ContainsFunc(out, func(o NamedURL) bool { return o.URL == l.URL }) {
			out = append(out, l)
		}
	}
	if len(n.Alerts) == 1 && n.Truncated == 0 {
		add(NamedURL{"Alert", PageURL(n, &n.Alerts[0])})
	} else {
		add(NamedURL{"Alerts", ListURL(n)})
	}
	for i := range n.Alerts {
		for _, l := range AnnotationURLs(&n.Alerts[i]) {
			add(l)
		}
	}
	return out
}

// AckOf says who has taken an alert up that fires: "acknowledged by ada: looking",
// "snoozed until 11:00 UTC by ada"; empty for nobody.
func AckOf(n *alert.Notification, a *alert.Alert) string {
	for i := range n.Acks {
		ack := &n.Acks[i]
		if ack.AlertID != a.ID || !a.Active() {
			continue
		}
		text := "acknowledged"
		if ack.Snooze() {
			text = "snoozed until " + stamp(ack.Until)
		}
		if ack.By != "" {
			text += " by " + Clip(Plain(ack.By), 100)
		}
		if ack.Comment != "" {
			text += ": " + Clip(Plain(ack.Comment), 300)
		}
		return text
	}
	return ""
}

// AllTaken says whether somebody has acknowledged everything of the group that
// fires; a snooze is no acknowledgement.
func AllTaken(n *alert.Notification) bool {
	firing := len(n.Firing()) + n.StillFiring + n.Truncated
	taken := 0
	for i := range n.Acks {
		if !n.Acks[i].Snooze() {
			taken++
		}
	}
	return firing > 0 && taken >= firing
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 MST") }

// maxTextValue bounds one text of PlainText: a label of 10 KB helps nobody.
const maxTextValue = 1000

// PlainText tells of a notification in lines, for receivers that show text: an
// alert a paragraph, at most limit bytes, the rest counted. The same notification
// gives the same text.
func PlainText(n *alert.Notification, limit int) string {
	var b strings.Builder
	tail := plainTail(n)
	shown := 0
	switch {
	case n.Kind == alert.KindWarning:
		fmt.Fprintf(&b, "NOTICE: %s\n\n", Clip(Plain(n.Reason), maxTextValue))
	case n.Kind != alert.KindAlerts, n.Digest != nil:
		b.WriteString(Title(n) + "\n\n") // it is no news of one group
	}
	for i := range n.Alerts {
		piece := plainAlert(n, &n.Alerts[i])
		// What says how many are left out must have room.
		if b.Len()+len(piece)+len(tail)+maxListPath+200 > limit && i > 0 {
			break
		}
		b.WriteString(piece)
		shown++
	}
	if left := len(n.Alerts) - shown + n.Truncated; left > 0 {
		b.WriteString(AndMore(n, left) + "\n\n")
	}
	b.WriteString(tail)
	return strings.ToValidUTF8(clipBytes(strings.TrimRight(b.String(), "\n")+"\n", limit), "")
}

func plainAlert(n *alert.Notification, a *alert.Alert) string {
	var b strings.Builder
	text := func(s string) string { return Clip(Plain(s), maxTextValue) }
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&b, "%s: %s\n", StateWord(a), text(Message(a)))
	if a.Value.Known() {
		line("Value", text(Measured(a)))
	}
	line("Peak", Peak(a))
	if began := Began(a); !began.IsZero() && a.Active() {
		line("Since", stamp(began)+" ("+LastedText(a, n.At)+")")
	} else if !began.IsZero() {
		line("Fired", stamp(began)+" for "+LastedText(a, n.At))
	}
	line("Rule", text(a.Rule))
	if labels := OwnLabels(a); len(labels) > 0 {
		line("Labels", text(labels.String()))
	}
	for _, note := range Notes(a) {
		line(note.Name, Clip(note.Text, maxTextValue))
	}
	line("Taken up", AckOf(n, a))
	for _, l := range AnnotationURLs(a) {
		line(l.Name, l.URL)
	}
	line("Alert", PageURL(n, a))
	return b.String() + "\n"
}

func plainTail(n *alert.Notification) string {
	var b strings.Builder
	if n.StillFiring > 0 {
		fmt.Fprintf(&b, "Still firing in the group: %s.\n", Counted(n.StillFiring, "other alert"))
	}
	if n.Reason != "" && n.Kind == alert.KindAlerts {
		fmt.Fprintf(&b, "Sent because: %s\n", Clip(Plain(n.Reason), maxTextValue))
	}
	return b.String()
}

// clipBytes cuts at a whole character.
func clipBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "…\n"
	if limit < len(mark) {
		return ""
	}
	return strings.ToValidUTF8(s[:limit-len(mark)], "") + mark
}
