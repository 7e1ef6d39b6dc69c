package slack

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
)

const (
	blockActions  = "tocsin_actions"
	actionAck     = "tocsin_ack"
	actionSilence = "tocsin_silence"
	actionRunbook = "tocsin_runbook"
	actionOpen    = "tocsin_open"

	// silenceFor is what the button says.
	silenceFor = time.Hour

	// Slack's limits: 2,000 characters of a button's value, which hold twenty ids
	// with room to spare, and 3,000 of its URL.
	// https://docs.slack.dev/reference/block-kit/block-elements/button-element
	maxValue       = 2000
	maxButtonURL   = 3000
	maxValueAlerts = 20
)

// buttonsOf is what can be done: taken up and silenced while anything fires,
// read about and looked at always. Slack signs what is pressed, so that the
// values are not.
func buttonsOf(n *alert.Notification) []slack.Block {
	var buttons []slack.BlockElement
	target := notifiers.TargetOf(n, maxValueAlerts)
	value, err := json.Marshal(target)
	if err == nil && !target.Empty() && length(string(value)) <= maxValue {
		if !allTaken(n) {
			buttons = append(buttons, slack.NewButtonBlockElement(actionAck, string(value), label("Acknowledge")).WithStyle(slack.StylePrimary))
		}
		buttons = append(buttons,
			slack.NewButtonBlockElement(actionSilence, string(value), label("Silence 1h")))
	}
	if u := runbook(n); u != "" {
		buttons = append(buttons, slack.NewButtonBlockElement(actionRunbook, "", label("Runbook")).WithURL(u))
	}
	if u := page(n); u != "" {
		buttons = append(buttons, slack.NewButtonBlockElement(actionOpen, "", label("Open")).WithURL(u))
	}
	if len(buttons) == 0 {
		return nil
	}
	return []slack.Block{slack.NewActionBlock(blockActions, buttons...)}
}

// allTaken says whether somebody has taken up all that fires.
func allTaken(n *alert.Notification) bool {
	taken := 0
	for i := range n.Acks {
		if !n.Acks[i].Snooze() {
			taken++
		}
	}
	return taken > 0 && taken >= len(n.Firing())+n.StillFiring+n.Truncated
}

// linksOf is the same as links, each of which asks before it does anything. The
// rest stands below the alerts already.
func linksOf(n *alert.Notification, links *notifiers.Links) []slack.Block {
	var all []string
	for _, one := range [...]struct{ url, text string }{
		{links.Acknowledge(n), "Acknowledge"},
		{links.Snooze(n, time.Hour), "Snooze 1h"},
		{links.Snooze(n, 8*time.Hour), "Snooze 8h"},
	} {
		if l := link(one.url, one.text); l != "" {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return []slack.Block{slack.NewSectionBlock(markdown(strings.Join(all, " · ")), nil, nil)}
}

func label(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// runbook is the first alert's that has one.
func runbook(n *alert.Notification) string {
	for i := range n.Alerts {
		for _, name := range [...]string{"runbook_url", "runbook"} {
			if u := webURL(n.Alerts[i].Annotations[name]); u != "" {
				return u
			}
		}
	}
	return ""
}

// page is where Tocsin shows the one alert, or all.
func page(n *alert.Notification) string {
	if total(n) == 1 && n.StillFiring == 0 && n.Kind == alert.KindAlerts {
		return webURL(notifiers.AlertURL(n, &n.Alerts[0]))
	}
	return webURL(notifiers.ListURL(n))
}

// webURL returns a URL that a button may lead to, or "".
func webURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) || length(u.String()) > maxButtonURL {
		return ""
	}
	return u.String()
}
