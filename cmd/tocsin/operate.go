package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/engine/route"
	"github.com/tocsin-dev/tocsin/internal/client"
	"github.com/tocsin-dev/tocsin/internal/units"
)

// What the subcommands share by which people hold alerts back and take them up.

// operateAsk is what all of them take.
type operateAsk struct {
	where   where
	output  string
	comment string
	author  string
	lasts   string // as in 2h
	until   string // instead, in RFC 3339
}

func (a *operateAsk) flags(cmd *cobra.Command) {
	a.where.flags(cmd)
	cmd.Flags().StringVarP(&a.output, "output", "o", "text", "`FORMAT`: text or json")
}

func (a *operateAsk) flagsOfWho(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.comment, "comment", "", "why, in a `SENTENCE`")
	cmd.Flags().StringVar(&a.author, "author", "", "who, by `NAME`; $USER where it is left out")
}

func (a *operateAsk) flagsOfEnd(cmd *cobra.Command, otherwise string) {
	cmd.Flags().StringVar(&a.lasts, "for", "", "how `LONG`, as in 30m, 2h or 1d12h"+otherwise)
	cmd.Flags().StringVar(&a.until, "until", "", "until when instead: a `TIME` such as 2024-01-15T10:00:00Z or '2024-01-15 10:00' in UTC")
}

// who is the name that the record gets.
func (a *operateAsk) who(w world) string {
	return cmp.Or(strings.TrimSpace(a.author), lookup(w.environ, "USER"), lookup(w.environ, "USERNAME"))
}

// end adds to a document how long something lasts.
func (a *operateAsk) end(doc map[string]any, until, otherwise string) error {
	switch {
	case a.lasts != "" && a.until != "":
		return &exitError{exitUnread, "give --for or --until, not both"}
	case a.until != "":
		at, err := route.ParseMoment(a.until, time.UTC)
		if err != nil {
			return &exitError{exitUnread, fmt.Sprintf("--until %q is not a time such as 2024-01-15T10:00:00Z, or '2024-01-15 10:00' in UTC", a.until)}
		}
		doc[until] = at.Format(time.RFC3339Nano)
		return nil
	}
	lasts := cmp.Or(a.lasts, otherwise)
	if d, err := units.ParseDuration(lasts); err != nil || d <= 0 {
		return &exitError{exitUnread, fmt.Sprintf("--for %q is not a duration such as 30m, 2h or 1d12h", lasts)}
	}
	doc["duration"] = lasts
	return nil
}

func (a *operateAsk) checkOutput() error {
	if a.output != "text" && a.output != "json" {
		return &exitError{exitUnread, fmt.Sprintf("--output %q is not one of text, json", a.output)}
	}
	return nil
}

// send asks the daemon for something. What it refuses is a mistake of whoever
// asks.
func (a *operateAsk) send(ctx context.Context, w world, need configs.Scope, method, path string, doc any) (json.RawMessage, error) {
	body, err := a.where.each(w, need, func(c *client.Client) (json.RawMessage, error) { return c.Send(ctx, method, path, doc) })
	var refused *daemonRefused
	if errors.As(err, &refused) && refused.status == http.StatusBadRequest && refused.code != "" {
		return nil, &exitError{exitMistakes, refused.text}
	}
	if err != nil {
		return nil, askFailed(err)
	}
	return body, nil
}

// print writes an answer as it came, or as text makes of it.
func (a *operateAsk) print(w world, body json.RawMessage, into any, text func() string) error {
	if a.output == "json" {
		_, err := w.stdout.Write(body)
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &exitError{exitUnread, "the daemon's answer cannot be read; is it of another version?"}
	}
	_, err := fmt.Fprint(w.stdout, text())
	return err
}

// matcherTexts checks matchers before the daemon is asked, so that a slip is
// told of with its place.
func matcherTexts(args []string) ([]string, error) {
	var wrong []string
	for _, text := range args {
		if _, err := alert.ParseMatchers(text); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if len(wrong) > 0 {
		return nil, &exitError{exitUnread, strings.Join(wrong, "; ") + "; write for example category=cache"}
	}
	return args, nil
}

// isMatcher tells a matcher from an alert's id.
func isMatcher(arg string) bool { return strings.ContainsAny(arg, "=!~{") }

// momentText is a time to the minute, in UTC.
func momentText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04Z") }

// lastsText is a duration to the minute, or to the second where it is short.
func lastsText(d time.Duration) string {
	if d = d.Round(time.Second); d > time.Hour {
		d = d.Round(time.Minute)
	}
	return span(d)
}

// aligned writes rows as columns.
func aligned(rows [][]string) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	_ = table.Flush() // a builder takes everything
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// seenAlert is what is printed of an alert.
type seenAlert struct {
	ID         string
	Rule       string
	Severity   string
	Labels     alert.Labels
	Receivers  []string
	SilencedBy []string `json:"silenced_by"`
	Ack        *struct {
		By, Comment string
		Until       *time.Time
	}
}

// named is the rule and the labels that tell one alert of it from another.
func (a *seenAlert) named() []string {
	own := a.Labels.Without(alert.LabelName, alert.LabelCategory, alert.LabelSeverity)
	return []string{a.Severity, cmp.Or(a.Rule, a.Labels.Get(alert.LabelName)), own.String()}
}

func newAck(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "ack ID… | MATCHER… [--comment SENTENCE] [--author NAME] [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "Say that somebody is at it: no repeats and no escalation",
		Long: `Acknowledges alerts that fire: repeats and escalation stop until the alert ends or
its severity rises. Alerts are named by their id or fingerprint, all or none, or by
labels, as in tocsin ack category=cache.

` + whichDaemon + ` that has the scope operate.

Exit status: 0, 1 when no such alert fires, 2 when the daemon could not be asked.`,
		Args: someArguments("name alerts by their id, as in tocsin ack 0b11d49c3e500320-lreqn11c, or by labels, as category=cache"),
		RunE: func(cmd *cobra.Command, args []string) error { return ask.takeUp(cmd.Context(), w, args, false) },
	}
	ask.flags(cmd)
	ask.flagsOfWho(cmd)
	return cmd
}

func newSnooze(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "snooze ID… | MATCHER… [--for LONG | --until TIME] [--comment SENTENCE] [--author NAME] [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "Hear nothing of an alert for a while",
		Long: `Has nothing told of alerts that fire for a while, unless their severity rises; then
they are told again. Alerts are named as for tocsin ack.

` + whichDaemon + ` that has the scope operate.

Exit status: 0, 1 when no such alert fires, 2 when the daemon could not be asked.`,
		Args: someArguments("name alerts by their id, as in tocsin snooze 0b11d49c3e500320-lreqn11c --for 1h, or by labels, as category=cache"),
		RunE: func(cmd *cobra.Command, args []string) error { return ask.takeUp(cmd.Context(), w, args, true) },
	}
	ask.flags(cmd)
	ask.flagsOfWho(cmd)
	ask.flagsOfEnd(cmd, "; 1h where it is left out")
	return cmd
}

// takeUp acknowledges or snoozes.
func (a *operateAsk) takeUp(ctx context.Context, w world, args []string, snooze bool) error {
	if err := a.checkOutput(); err != nil {
		return err
	}
	doc, hint := map[string]any{"by": a.who(w), "comment": a.comment}, ""
	switch matchers := slices.ContainsFunc(args, isMatcher); {
	case !matchers:
		doc["alerts"] = args
		// The slip at which the daemon finds nothing.
		hint = "; by its name it is alertname=" + args[0]
	case slices.ContainsFunc(args, func(arg string) bool { return !isMatcher(arg) }):
		return &exitError{exitUnread, "name alerts by their ids or by labels, not by both"}
	default:
		texts, err := matcherTexts(args)
		if err != nil {
			return err
		}
		doc["matchers"] = texts
	}
	if snooze {
		if err := a.end(doc, "until", "1h"); err != nil {
			return err
		}
	}
	body, err := a.send(ctx, w, configs.ScopeOperate, http.MethodPost, "/api/v1/acks", doc)
	var exit *exitError
	if errors.As(err, &exit) && exit.code == exitMistakes && strings.Contains(exit.text, "there is no alert") {
		return &exitError{exit.code, exit.text + hint}
	}
	if err != nil {
		return err
	}
	var taken takenAlerts
	if err := a.print(w, body, &taken, taken.text); err != nil {
		return err
	}
	if a.output == "text" && taken.Count == 0 {
		return &exitError{exitMistakes, "no alert fires that has these labels"}
	}
	return nil
}

// takenAlerts is what was taken up; of very many only the first are listed.
type takenAlerts struct {
	Count  int
	Alerts []seenAlert
}

func (t *takenAlerts) text() string {
	rows := make([][]string, len(t.Alerts))
	for i := range t.Alerts {
		how := "acknowledged"
		if ack := t.Alerts[i].Ack; ack != nil && ack.Until != nil {
			how = "snoozed until " + momentText(*ack.Until)
		}
		rows[i] = append([]string{how}, t.Alerts[i].named()...)
	}
	if more := t.Count - len(t.Alerts); more > 0 {
		return aligned(rows) + fmt.Sprintf("and %d more\n", more)
	}
	return aligned(rows)
}

func newUnack(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "unack ID… [--author NAME] [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "Take an acknowledgement or a snooze back",
		Long: `Takes an acknowledgement or a snooze back: repeats and escalation go on.

` + whichDaemon + ` that has the scope operate.

Exit status: 0, 1 when no such alert fires, 2 when the daemon could not be asked.`,
		Args: idsOnly(someArguments("name alerts by their id, as in tocsin unack 0b11d49c3e500320-lreqn11c")),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := ask.checkOutput(); err != nil {
				return err
			}
			query := url.Values{"by": {ask.who(w)}}.Encode()
			for _, id := range args {
				body, err := ask.send(cmd.Context(), w, configs.ScopeOperate, http.MethodDelete, "/api/v1/alerts/"+url.PathEscape(id)+"/ack?"+query, nil)
				if err != nil {
					return err
				}
				if body == nil { // it ended in this moment
					continue
				}
				var seen seenAlert
				if err := ask.print(w, body, &seen, func() string { return aligned([][]string{append([]string{"taken back"}, seen.named()...)}) }); err != nil {
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

func someArguments(wanted string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 || slices.ContainsFunc(args, func(arg string) bool { return strings.TrimSpace(arg) == "" }) {
			return &exitError{exitUnread, wanted}
		}
		return nil
	}
}

// idsOnly refuses labels where others take them in the place of ids.
func idsOnly(ids cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if i := slices.IndexFunc(args, isMatcher); i >= 0 {
			return &exitError{exitUnread, fmt.Sprintf("%s takes ids, not labels; tocsin alerts '%s' lists them", cmd.CommandPath(), args[i])}
		}
		return ids(cmd, args)
	}
}
