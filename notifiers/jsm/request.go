package jsm

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// The limits of the API, in characters.
// https://docs.opsgenie.com/docs/alert-api#create-alert
// https://docs.opsgenie.com/docs/alerts-and-alert-fields
const (
	maxMessage     = 130
	maxDescription = 15000
	maxTags        = 20
	maxTag         = 50
	maxEntity      = 512
	maxDetails     = 8000 // all of them together
	maxNote        = 25000
	maxUser        = 100
)

// request is one request of the API.
type request struct {
	alias, action string // empty for a new alert
	body          any
}

// create opens an alert. Where one of the alias is open, it is counted there.
type create struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias"`
	Description string            `json:"description,omitempty"`
	Responders  []Responder       `json:"responders,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Details     map[string]string `json:"details"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

// change closes or acknowledges an alert, or adds a note.
type change struct {
	Source string `json:"source"`
	User   string `json:"user,omitempty"`
	Note   string `json:"note"`
}

const source = "Tocsin"

// aliasOf names the alert for ever, in what can stand in a path.
func aliasOf(n *alert.Notification) string { return "tocsin-" + notifiers.GroupID(n.GroupKey) }

// request makes the request of a notification; nil where there is none for it, and
// the note says why. A canary closes an alert that nobody opened: the key and the
// way there are tried, and nobody is called.
func (j *Notifier) request(n *alert.Notification) (r *request, note string) {
	change := func(action string) *request {
		return &request{aliasOf(n), action, changeOf(n)}
	}
	switch {
	case n.Kind == alert.KindCanary, n.Status == alert.Resolved:
		return change("close"), ""
	case n.Quiet && notifiers.AllTaken(n):
		return change("acknowledge"), ""
	case n.Quiet:
		return nil, "nothing was sent: there is no request for an acknowledgement of some alerts, a snooze, or one taken back"
	case n.Kind == alert.KindAlerts && !n.Fires():
		return change("notes"), "" // some of the group ended, the rest fires on
	}
	texts := notifiers.TextsOf(n)
	c := create{
		Message: notifiers.Clip(notifiers.Plain(texts.Text("title", &j.cfg.Title, func() string { return titleOf(n) })), maxMessage),
		Alias:   aliasOf(n), Responders: j.cfg.Responders, Tags: j.tags(n), Details: detailsOf(n), Source: source, Priority: j.priority(n),
		Description: clean(texts.Text("description", &j.cfg.Description, func() string { return notifiers.PlainText(n, maxDescription) }), maxDescription),
		Entity:      notifiers.Clip(notifiers.Plain(entityOf(n)), maxEntity),
	}
	if c.Message == "" {
		c.Message = notifiers.Clip(titleOf(n), maxMessage) // it must not be empty
	}
	return &request{body: c}, texts.Failed()
}

func changeOf(n *alert.Notification) change {
	c := change{Source: source, Note: clean(string(n.Status)+": "+notifiers.PlainText(n, maxNote/4)+"\n"+n.ID, maxNote)}
	if len(n.Acks) > 0 && n.Quiet {
		c.User = notifiers.Clip(notifiers.Plain(n.Acks[0].By), maxUser)
	}
	return c
}

// clean takes control characters out of a text of several lines, and cuts it.
func clean(s string, limit int) string {
	lines := strings.Split(strings.ToValidUTF8(s, ""), "\n")
	for i, line := range lines {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		lines[i] = indent + notifiers.Plain(line)
	}
	return notifiers.Clip(strings.TrimSpace(strings.Join(lines, "\n")), limit)
}

func titleOf(n *alert.Notification) string {
	switch {
	case n.Kind == alert.KindWarning:
		return notifiers.Plain(notifiers.Title(n) + ": " + n.Reason)
	case len(n.Alerts) == 1 && n.Truncated == 0 && n.Digest == nil && n.Kind == alert.KindAlerts:
		return notifiers.Plain(notifiers.Message(&n.Alerts[0]))
	}
	return notifiers.Plain(notifiers.Title(n))
}

// priority is P1, P3 or P5 where the operator says nothing else.
func (j *Notifier) priority(n *alert.Notification) string {
	s := max(n.Severity(), alert.Info)
	if n.Kind != alert.KindAlerts {
		s = alert.Info // no news of an alert
	}
	if p := j.cfg.Priorities[s.String()]; p != "" {
		return p
	}
	switch s {
	case alert.Critical:
		return "P1"
	case alert.Warning:
		return "P3"
	case alert.Info, alert.OK:
	}
	return "P5"
}

// tags are the operator's, and the severity, for the rules of teams to go by.
func (j *Notifier) tags(n *alert.Notification) []string {
	var out []string
	for _, tag := range append(append([]string{}, j.cfg.Tags...), n.Severity().String()) {
		if len(out) < maxTags {
			out = append(out, notifiers.Clip(notifiers.Plain(tag), maxTag))
		}
	}
	return out
}

// entityOf is the system that has the problem, by the labels that name one.
func entityOf(n *alert.Notification) string {
	common := n.CommonLabels()
	for _, name := range [...]string{"instance", "host", alert.LabelSource, "job"} {
		if value := common.Get(name); value != "" {
			return value
		}
	}
	return ""
}

// detailsOf are the common labels and what is said beside; what does not fit any
// more is left out, for the description has it.
func detailsOf(n *alert.Notification) map[string]string {
	out, used := map[string]string{}, 0
	add := func(name, value string) {
		name, value = notifiers.Plain(name), notifiers.Plain(value)
		size := utf8.RuneCountInString(name) + utf8.RuneCountInString(value)
		if _, taken := out[name]; value != "" && !taken && used+size <= maxDetails {
			out[name] = value
			used += size
		}
	}
	add("notification_id", n.ID)
	add("receiver", n.Receiver)
	add("reason", n.Reason)
	add("num_firing", strconv.Itoa(len(n.Firing())+n.StillFiring))
	for _, l := range notifiers.LinksOf(n, 5) {
		add(strings.ToLower(l.Name), l.URL)
	}
	for _, l := range n.CommonLabels() {
		add(l.Name, l.Value)
	}
	return out
}
