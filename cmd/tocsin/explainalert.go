package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
)

func newExplainAlert(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "explain-alert ID [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "Say why an alert was told, or was not, and what is due next",
		Long: `Asks a running daemon what became of an alert: every decision in its order, each
attempt at telling somebody, how it stands with each receiver, and what is due.

` + whichDaemon + `; scope read is enough.

Exit status: 0, 1 when there is no such alert, 2 when the daemon could not be asked.`,
		Args: idsOnly(oneArgument("name an alert by its id, as in tocsin explain-alert 0b11d49c3e500320-lreqn11c")),
		RunE: func(cmd *cobra.Command, args []string) error { return ask.explainAlert(cmd.Context(), w, args[0]) },
	}
	ask.flags(cmd)
	return cmd
}

func (a *operateAsk) explainAlert(ctx context.Context, w world, id string) error {
	if err := a.checkOutput(); err != nil {
		return err
	}
	body, err := a.where.ask(ctx, "/api/v1/alerts/"+url.PathEscape(id)+"/explain", nil, w)
	if err != nil {
		return askFailed(err)
	}
	var doc alertExplained
	return a.print(w, body, &doc, func() string { return doc.text(colours(w)) })
}

// alertExplained is the part of the answer that is printed.
type alertExplained struct {
	At    time.Time
	Alert struct {
		seenAlert
		State, Message string
		StartsAt       *time.Time `json:"starts_at"`
		EndsAt         *time.Time `json:"ends_at"`
		PendingAt      *time.Time `json:"pending_at"`
	}
	Decisions []struct {
		At         time.Time
		Kind, Text string
		Receiver   *string
		DeliveryID *string `json:"delivery_id"`
	}
	Deliveries []explainedDelivery
	Next       []struct {
		Receiver, Group, State, Reason string
		At                             *time.Time
		What                           *string
	}
	Notes []string
}

type explainedDelivery struct {
	ID, Receiver, State string
	NextAt              *time.Time `json:"next_at"`
	Count               int        `json:"attempt_count"`
	Attempts            []struct {
		At     time.Time
		TookMs float64 `json:"took_ms"`
		Status *int
		Answer string
	}
}

// text writes the explanation for a terminal.
func (d *alertExplained) text(colours bool) string {
	t := explainText{colours: colours}
	d.head(&t)
	d.history(&t)
	d.due(&t)
	for _, note := range d.Notes {
		fmt.Fprintf(&t, "\n%s\n", note)
	}
	return t.String()
}

// head says which alert it is, and how it stands.
func (d *alertExplained) head(t *explainText) {
	a := &d.Alert
	named := a.named()
	colour := map[string]string{"firing": red, "pending": yellow}[a.State]
	state := t.in(colour, strings.ToUpper(a.State)) + " " + a.Severity
	switch {
	case a.State == string(alert.Firing) && a.StartsAt != nil:
		state += " for " + span(d.At.Sub(*a.StartsAt))
	case a.State == string(alert.Pending) && a.PendingAt != nil:
		state += " for " + span(d.At.Sub(*a.PendingAt))
	case a.StartsAt != nil && a.EndsAt != nil:
		state += " at " + momentText(*a.EndsAt) + ", after " + span(a.EndsAt.Sub(*a.StartsAt))
	}
	fmt.Fprintf(t, "%s  %s  %s\n", t.in(bold, named[1]), named[2], state)
	if a.Message != "" {
		t.line("message", a.Message)
	}
	if a.Ack != nil {
		word, text := "ack", a.Ack.By
		if a.Ack.Until != nil {
			word, text = "snoozed", "until "+momentText(*a.Ack.Until)+" by "+a.Ack.By
		}
		if a.Ack.Comment != "" {
			text += ": " + a.Ack.Comment
		}
		t.line(word, text)
	}
}

// history writes the decisions in their order, a day's date before its first,
// and the attempts below what queued their notification.
func (d *alertExplained) history(t *explainText) {
	deliveries := map[string]*explainedDelivery{}
	for i := range d.Deliveries {
		deliveries[d.Deliveries[i].ID] = &d.Deliveries[i]
	}
	day := ""
	for i := range d.Decisions {
		one := &d.Decisions[i]
		at := one.At.UTC()
		if today := at.Format("2006-01-02"); today != day {
			day = today
			fmt.Fprintf(t, "\n%s UTC\n", day)
		}
		receiver := ""
		if one.Receiver != nil && !namesReceiver(one.Text, *one.Receiver) {
			receiver = *one.Receiver + ": "
		}
		fmt.Fprintf(t, "  %s  %-12s  %s%s\n", at.Format("15:04:05"), one.Kind, receiver, one.Text)
		if one.DeliveryID == nil || one.Kind != string(alert.EventQueued) {
			continue
		}
		if delivery, ok := deliveries[*one.DeliveryID]; ok {
			delivery.text(t)
		}
	}
}

// text writes the attempts at a delivery.
func (d *explainedDelivery) text(t *explainText) {
	const indent = "                          "
	left := d.Count - len(d.Attempts)
	for i, a := range d.Attempts {
		if left > 0 && i == len(d.Attempts)/2 {
			fmt.Fprintf(t, "%s… and %s between\n", indent, count(left, "attempt"))
		}
		answer := firstRunes(a.Answer, 100)
		if a.Status != nil {
			answer = strings.TrimSpace(fmt.Sprint(*a.Status, " ", answer))
		}
		if i == len(d.Attempts)-1 && d.State == string(alert.DeliverySent) {
			answer = cmp.Or(answer, "sent") // where no HTTP is spoken
		}
		answer = cmp.Or(answer, "no answer")
		fmt.Fprintf(t, "%s%s  %s in %s\n", indent, a.At.UTC().Format("15:04:05"), answer, units.Duration(time.Duration(a.TookMs*float64(time.Millisecond)).Round(time.Millisecond/10)))
	}
	if d.NextAt != nil {
		fmt.Fprintf(t, "%snext attempt at %s\n", indent, d.NextAt.UTC().Format("15:04:05"))
	}
}

// due writes how the alert stands with each receiver, and what is due there.
func (d *alertExplained) due(t *explainText) {
	if len(d.Next) == 0 {
		return
	}
	fmt.Fprintf(t, "\nnext\n")
	rows := make([][]string, 0, len(d.Next))
	for i := range d.Next {
		n := &d.Next[i]
		reason, what := n.Reason, ""
		if n.What != nil {
			what = *n.What
		}
		if n.At != nil {
			what += " at " + momentText(*n.At)
			if in := n.At.Sub(d.At); in > 0 {
				what += " (in " + lastsText(in) + ")"
			}
		}
		if what = strings.TrimSpace(what); what != "" {
			reason += "; " + what
		}
		rows = append(rows, []string{"  " + n.Receiver, n.State, reason})
	}
	t.WriteString(aligned(rows))
}

// namesReceiver says whether a text has a receiver's name in it, as a whole: a
// receiver called am is not named by alertname.
func namesReceiver(text, name string) bool {
	for at := 0; ; at++ {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		at += i
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(name):])
		if !partOfName(before) && !partOfName(after) {
			return true
		}
	}
}

func partOfName(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-' || r == '.'
}
