package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/units"
)

func newSilence(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "silence add MATCHER… | list | preview MATCHER… | extend ID | expire ID",
		Short: "Hold back what a running daemon would tell, for a while",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cmd.AddCommand(newSilenceAdd(w), newSilenceList(w), newSilencePreview(w), newSilenceExtend(w), newSilenceExpire(w))
	return cmd
}

const nameLabels = "name labels, as in tocsin silence %s category=cache strategy=USER_RUNS"

// seenSilence is what is printed of a silence.
type seenSilence struct {
	ID, State string
	Matchers  alert.Matchers
	StartsAt  time.Time `json:"starts_at"`
	EndsAt    time.Time `json:"ends_at"`
	CreatedBy string    `json:"created_by"`
	Comment   string
	Catches   *int
	Warnings  []string
}

func newSilenceAdd(w world) *cobra.Command {
	var ask operateAsk
	var start string
	cmd := &cobra.Command{
		Use:   "add MATCHER… --comment SENTENCE [--for LONG | --until TIME] [--start TIME] [--author NAME] [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "Silence the alerts that have these labels",
		Long: `Silences alerts: nothing is told of those that have all of these labels, until the
silence ends. Matchers are written as for Alertmanager: category=cache,
severity!=critical, host=~'web-.*' or host!~'db-.*'.

` + whichDaemon + ` that has the scope operate.

Exit status: 0, 1 when the silence is refused, 2 when the daemon could not be asked.`,
		Args: someArguments(fmt.Sprintf(nameLabels, "add") + ` --comment "filling the cache"`),
		RunE: func(cmd *cobra.Command, args []string) error { return ask.silence(cmd.Context(), w, args, start) },
	}
	ask.flags(cmd)
	ask.flagsOfWho(cmd)
	ask.flagsOfEnd(cmd, "; 1h where it is left out")
	cmd.Flags().StringVar(&start, "start", "", "from a `TIME` on such as 2024-01-15T10:00:00Z or '2024-01-15 10:00' in UTC; now where it is left out")
	return cmd
}

func (a *operateAsk) silence(ctx context.Context, w world, args []string, start string) error {
	if err := a.checkOutput(); err != nil {
		return err
	}
	matchers, err := matcherTexts(args)
	if err != nil {
		return err
	}
	if strings.TrimSpace(a.comment) == "" {
		return &exitError{exitUnread, `say why, as in --comment "filling the cache"`}
	}
	doc := map[string]any{"matchers": matchers, "comment": a.comment, "created_by": a.who(w)}
	if err := a.end(doc, "ends_at", "1h"); err != nil {
		return err
	}
	if start != "" {
		at, err := route.ParseMoment(start, time.UTC)
		if err != nil {
			return &exitError{exitUnread, fmt.Sprintf("--start %q is not a time such as 2024-01-15T10:00:00Z, or '2024-01-15 10:00' in UTC", start)}
		}
		doc["starts_at"] = at.Format(time.RFC3339Nano)
	}
	return a.put(ctx, w, "/api/v1/silences", doc)
}

// put sends what makes or changes a silence, and prints what it came to.
func (a *operateAsk) put(ctx context.Context, w world, path string, doc map[string]any) error {
	body, err := a.send(ctx, w, configs.ScopeOperate, http.MethodPost, path, doc)
	if err != nil {
		return err
	}
	var kept seenSilence
	return a.print(w, body, &kept, func() string { return kept.text(time.Now()) })
}

// text says what a silence does that was just made or changed.
func (s *seenSilence) text(now time.Time) string {
	var b strings.Builder
	when := ""
	if s.StartsAt.After(now.Add(time.Minute)) {
		when = "from " + momentText(s.StartsAt) + " "
	}
	fmt.Fprintf(&b, "silenced %suntil %s (%s): %s\n", when, momentText(s.EndsAt), lastsText(s.EndsAt.Sub(later(now, s.StartsAt))), s.Matchers)
	rows := [][]string{{"  id", s.ID}, {"  by", s.CreatedBy}, {"  comment", s.Comment}}
	if s.Catches != nil {
		rows = append(rows, []string{"  catches", units.Number(float64(*s.Catches)) + " of the alerts that fire now"})
	}
	for _, warning := range s.Warnings {
		rows = append(rows, []string{"  warning", warning})
	}
	return b.String() + aligned(rows)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func newSilenceList(w world) *cobra.Command {
	var ask operateAsk
	var expired bool
	cmd := &cobra.Command{
		Use:   "list [MATCHER…] [--expired] [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "List the silences",
		Long: `Lists the silences that have not ended, those that end next first. A matcher picks
those that are about such a label: team=web.

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
			query := url.Values{"match": match}
			if expired {
				query.Set("state", "pending,active,expired")
			}
			body, err := ask.where.ask(cmd.Context(), "/api/v1/silences", query, w)
			if err != nil {
				return askFailed(err)
			}
			var doc struct{ Silences []seenSilence }
			return ask.print(w, body, &doc, func() string { return silencesText(doc.Silences, time.Now()) })
		},
	}
	ask.flags(cmd)
	cmd.Flags().BoolVar(&expired, "expired", false, "list those too that ended in the last days")
	return cmd
}

func silencesText(silences []seenSilence, now time.Time) string {
	if len(silences) == 0 {
		return "no silences\n"
	}
	rows := [][]string{{"STATE", "ENDS", "MATCHERS", "BY", "COMMENT", "ID"}}
	for i := range silences {
		s := &silences[i]
		ends := momentText(s.EndsAt)
		switch alert.SilenceState(s.State) {
		case alert.SilenceActive:
			ends += " (in " + lastsText(s.EndsAt.Sub(now)) + ")"
		case alert.SilencePending:
			ends += " (begins in " + lastsText(s.StartsAt.Sub(now)) + ")"
		case alert.SilenceExpired:
		}
		rows = append(rows, []string{s.State, ends, s.Matchers.String(), s.CreatedBy, firstRunes(s.Comment, 60), s.ID})
	}
	return aligned(rows)
}

func newSilencePreview(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "preview MATCHER… [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "List the alerts that a silence would hold back",
		Long: `Lists the alerts that fire now and that a silence with these labels would hold
back. It silences nothing.

` + whichDaemon + `; scope read is enough.

Exit status: 0, 1 when the matchers are refused, 2 when the daemon could not be asked.`,
		Args: someArguments(fmt.Sprintf(nameLabels, "preview")),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ask.checkOutput(); err != nil {
				return err
			}
			matchers, err := matcherTexts(args)
			if err != nil {
				return err
			}
			body, err := ask.send(cmd.Context(), w, configs.ScopeRead, http.MethodPost, "/api/v1/silences/preview", map[string]any{"matchers": matchers})
			if err != nil {
				return err
			}
			var doc struct {
				Count  int
				Alerts []seenAlert
			}
			return ask.print(w, body, &doc, func() string { return previewText(doc.Count, doc.Alerts) })
		},
	}
	ask.flags(cmd)
	return cmd
}

func previewText(total int, alerts []seenAlert) string {
	var text string
	switch total {
	case 0:
		return "no alert fires that this would hold back\n"
	case 1:
		text = "1 alert fires that this would hold back\n\n"
	default:
		text = fmt.Sprintf("%d alerts fire that this would hold back\n\n", total)
	}
	rows := make([][]string, len(alerts))
	for i := range alerts {
		a := &alerts[i]
		row := a.named()
		row[0] = "  " + row[0]
		if len(a.Receivers) > 0 {
			row = append(row, "to "+strings.Join(a.Receivers, ", "))
		}
		if len(a.SilencedBy) > 0 {
			row = append(row, "(silenced already)")
		}
		rows[i] = row
	}
	text += aligned(rows)
	if more := total - len(alerts); more > 0 {
		text += fmt.Sprintf("  and %d more\n", more)
	}
	return text
}

func newSilenceExtend(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "extend ID --for LONG | --until TIME [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "Let a silence end later",
		Long: `Lets a silence end later: --for is added to its end, --until takes its place.

` + whichDaemon + ` that has the scope operate.

Exit status: 0, 1 when there is no such silence or it has ended, 2 when the daemon
could not be asked.`,
		Args: oneArgument("name a silence by its id, as in tocsin silence extend ID --for 1h"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ask.checkOutput(); err != nil {
				return err
			}
			doc := map[string]any{}
			if err := ask.end(doc, "ends_at", "1h"); err != nil {
				return err
			}
			return ask.put(cmd.Context(), w, "/api/v1/silences/"+url.PathEscape(args[0])+"/extend", doc)
		},
	}
	ask.flags(cmd)
	ask.flagsOfEnd(cmd, "; 1h where it is left out")
	return cmd
}

func newSilenceExpire(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "expire ID… [--author NAME] [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "End a silence now",
		Long: `Ends silences now. What they held back and still fires is told.

` + whichDaemon + ` that has the scope operate.

Exit status: 0, 1 when there is no such silence, 2 when the daemon could not be
asked.`,
		Args: someArguments("name a silence by its id, as tocsin silence list shows it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ask.checkOutput(); err != nil {
				return err
			}
			query := url.Values{"by": {ask.who(w)}}.Encode()
			for _, id := range args {
				body, err := ask.send(cmd.Context(), w, configs.ScopeOperate, http.MethodDelete, "/api/v1/silences/"+url.PathEscape(id)+"?"+query, nil)
				if err != nil {
					return err
				}
				var ended seenSilence
				if err := ask.print(w, body, &ended, func() string { return fmt.Sprintf("silence %s has ended: %s\n", ended.ID, ended.Matchers) }); err != nil {
					return err
				}
			}
			return nil
		},
	}
	ask.flags(cmd)
	cmd.Flags().StringVar(&ask.author, "author", "", "who, by `NAME`; $USER where it is left out")
	return cmd
}
