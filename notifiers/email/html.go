package email

import (
	_ "embed"
	"html/template"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

//go:embed message.html
var page string

// view is what message.html shows.
type view struct {
	Title                     string
	Color                     string // of the bar
	Word                      string // CRITICAL, RESOLVED, …
	Alerts                    []viewAlert
	LeftOut                   int
	ListURL                   string
	Still                     string
	Reason                    string
	Receiver, ID, ExternalURL string
}

type viewAlert struct {
	Color, Word, Message, Rule string
	Rows                       []row
	Links                      []notifiers.NamedURL
}

type row struct{ Name, Text string }

// parsePage makes the HTML part's template: tables and inline styles, for mail
// programs know little else; no picture is fetched, and nothing but a reader's click
// leads anywhere.
func parsePage() (*template.Template, error) { return template.New("message.html").Parse(page) }

func (e *Notifier) htmlOf(n *alert.Notification) string {
	var out strings.Builder
	if err := e.page.Execute(&out, viewOf(n)); err != nil { // its tests rule that out
		return "<pre>" + template.HTMLEscapeString(notifiers.PlainText(n, maxTextBytes)) + "</pre>"
	}
	return out.String()
}

func viewOf(n *alert.Notification) view {
	v := view{
		Title: clip(notifiers.Headline(n)), Receiver: clip(n.Receiver), ID: clip(n.ID), ExternalURL: notifiers.WebURL(n.ExternalURL), Reason: clip(n.Reason),
		LeftOut: n.Truncated, ListURL: notifiers.ListURL(n),
	}
	word, title, _ := strings.Cut(notifiers.Title(n), ": ")
	if v.Word = word; len(n.Alerts)+n.Truncated > 1 && n.Kind == alert.KindAlerts {
		v.Title = clip(title) // the worst alert's message stands right below
	}
	v.Title = strings.TrimPrefix(v.Title, "["+v.Word+"] ")
	v.Color = color(n.Fires(), n.Severity())
	if n.StillFiring > 0 {
		v.Still = "Still firing in the group: " + notifiers.Counted(n.StillFiring, "other alert")
	}
	for i := range n.Alerts {
		if i == maxListed {
			v.LeftOut += len(n.Alerts) - maxListed
			break
		}
		v.Alerts = append(v.Alerts, viewOfAlert(n, &n.Alerts[i]))
	}
	return v
}

func viewOfAlert(n *alert.Notification, a *alert.Alert) viewAlert {
	out := viewAlert{
		Color: color(a.Active(), a.Severity), Word: notifiers.StateWord(a), Message: clip(notifiers.Message(a)), Rule: clip(a.Rule),
		Links: notifiers.AnnotationURLs(a),
	}
	add := func(name, text string) {
		if text != "" {
			out.Rows = append(out.Rows, row{name, text})
		}
	}
	if a.Value.Known() {
		add("Value", clip(notifiers.Measured(a)))
	}
	add("Peak", notifiers.Peak(a))
	if began := notifiers.Began(a); !began.IsZero() {
		at, lasted := began.UTC().Format("2006-01-02 15:04 MST"), notifiers.LastedText(a, n.At)
		if a.Active() {
			add("Since", at+" ("+lasted+")")
		} else {
			add("Fired", at+" for "+lasted)
		}
	}
	for i, label := range notifiers.OwnLabels(a) {
		if i == maxLabels {
			add("…", "more labels")
			break
		}
		add(clip(label.Name), clip(label.Value))
	}
	for _, note := range notifiers.Notes(a) {
		add(note.Name, notifiers.Clip(note.Text, maxNote))
	}
	add("Taken up", notifiers.AckOf(n, a))
	if u := notifiers.PageURL(n, a); u != "" {
		out.Links = append(out.Links, notifiers.NamedURL{Name: "Alert", URL: u})
	}
	return out
}

// maxLabels and maxValue bound what one alert shows.
const (
	maxLabels = 30
	maxValue  = 300
	maxNote   = 500
)

func clip(s string) string { return notifiers.Clip(notifiers.Plain(s), maxValue) }

// color is dark enough for white text on it (WCAG 2, contrast 4.5).
func color(fires bool, s alert.Severity) string {
	if !fires {
		return "#2e7d32"
	}
	switch s {
	case alert.Critical:
		return "#b71c1c"
	case alert.Warning:
		return "#9a5b00"
	case alert.Info, alert.OK:
	}
	return "#0d5ea8"
}
