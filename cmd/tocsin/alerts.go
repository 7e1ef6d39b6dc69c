package main

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newAlerts(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "alerts [MATCHER…] [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "List the alerts of a running daemon, with the ids that others ask for",
		Long: `Lists the alerts that fire or are pending, the worst first: since when, what holds
them back, who is at them, and the id that tocsin ack and tocsin explain-alert take.
A matcher picks those with such a label: team=web.

` + whichDaemon + `; scope read is enough.

Exit status: 0, and 2 when the daemon could not be asked.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ask.checkOutput(); err != nil {
				return err
			}
			match, err := matcherTexts(args)
			if err != nil {
				return err
			}
			body, err := ask.where.ask(cmd.Context(), "/api/v1/alerts", url.Values{"match": match}, w)
			if err != nil {
				return askFailed(err)
			}
			var doc struct{ Alerts []listedAlert }
			return ask.print(w, body, &doc, func() string { return alertsText(doc.Alerts, time.Now()) })
		},
	}
	ask.flags(cmd)
	return cmd
}

// listedAlert is what is printed of one alert among others.
type listedAlert struct {
	seenAlert
	State     string
	StartsAt  *time.Time `json:"starts_at"`
	PendingAt *time.Time `json:"pending_at"`
	Status    *struct {
		SilencedBy  []string `json:"silenced_by"`
		InhibitedBy []string `json:"inhibited_by"`
		MutedBy     []string `json:"muted_by"`
	}
}

func alertsText(alerts []listedAlert, now time.Time) string {
	if len(alerts) == 0 {
		return "no alerts\n"
	}
	rows := [][]string{{"STATE", "SEVERITY", "ALERT", "LABELS", "FOR", "HELD", "ID"}}
	for i := range alerts {
		a := &alerts[i]
		rows = append(rows, append(append([]string{a.State}, a.named()...), a.lasts(now), a.held(), a.ID))
	}
	return aligned(rows)
}

// lasts is how long it has fired, or been pending.
func (a *listedAlert) lasts(now time.Time) string {
	since := a.StartsAt
	if since == nil {
		since = a.PendingAt
	}
	if since == nil {
		return "-"
	}
	return lastsText(max(0, now.Sub(*since)))
}

// held is what keeps it from being told.
func (a *listedAlert) held() string {
	var by []string
	if s := a.Status; s != nil {
		if len(s.SilencedBy) > 0 {
			by = append(by, "silenced")
		}
		if len(s.InhibitedBy) > 0 {
			by = append(by, "inhibited")
		}
		if len(s.MutedBy) > 0 {
			by = append(by, "muted in "+strings.Join(s.MutedBy, ", "))
		}
	}
	if a.Ack != nil {
		what := "acknowledged"
		if a.Ack.Until != nil {
			what = "snoozed"
		}
		by = append(by, fmt.Sprintf("%s by %s", what, a.Ack.By))
	}
	if len(by) == 0 {
		return "-"
	}
	return strings.Join(by, ", ")
}
