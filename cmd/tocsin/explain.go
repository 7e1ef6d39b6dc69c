package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/engine/rule"
)

// explainAsk is what is asked.
type explainAsk struct {
	rule   string
	match  []string
	limit  int
	output string
	where  where
}

func newExplain(w world) *cobra.Command {
	var ask explainAsk
	cmd := &cobra.Command{
		Use:   "explain RULE [LABEL=VALUE]… [--config FILE | --url URL] [--token TOKEN] [--limit N] [--output FORMAT]",
		Short: "Say why a rule fires, or why it does not",
		Long: `Asks a running daemon how a rule stands: the last samples, each condition with
the values of its operands, the state, and why it is no other. Labels pick some
of its series: strategy=USER_RUNS, team!=web, host=~'web-.*' or host!~'db-.*'.

` + whichDaemon + `; scope read is enough.

Exit status: 0 when there is something to tell, 1 when there is no such rule or no
series with such labels, 2 when the daemon could not be asked.`,
		Args: func(_ *cobra.Command, args []string) error { return ask.arguments(args) },
		RunE: func(cmd *cobra.Command, _ []string) error { return explain(cmd.Context(), ask, w) },
	}
	ask.where.flags(cmd)
	cmd.Flags().IntVar(&ask.limit, "limit", 10, "show at most `N` series, 1 to 100")
	cmd.Flags().StringVarP(&ask.output, "output", "o", "text", "`FORMAT`: text or json")
	return cmd
}

// arguments reads the rule and the matchers.
func (a *explainAsk) arguments(args []string) error {
	if len(args) == 0 {
		return &exitError{exitUnread, "name a rule by its id, as in tocsin explain cache-hit-rate"}
	}
	a.rule, a.match = args[0], args[1:]
	var wrong []string
	for _, text := range a.match {
		if _, err := alert.ParseMatcher(text); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if len(wrong) > 0 {
		return &exitError{exitUnread, strings.Join(wrong, "; ") + "; write for example strategy=USER_RUNS"}
	}
	return nil
}

func explain(ctx context.Context, ask explainAsk, w world) error {
	switch {
	case ask.output != "text" && ask.output != "json":
		return &exitError{exitUnread, fmt.Sprintf("--output %q is not one of text, json", ask.output)}
	case ask.limit < 1 || ask.limit > 100:
		return &exitError{exitUnread, fmt.Sprintf("--limit %d is not from 1 to 100", ask.limit)}
	}
	query := url.Values{"rule": {ask.rule}, "match": ask.match, "limit": {strconv.Itoa(ask.limit)}}
	body, err := ask.where.ask(ctx, "/api/v1/explain", query, w)
	if err != nil {
		return explainFailed(err)
	}
	var doc rule.Explained
	if err := json.Unmarshal(body, &doc); err != nil {
		return &exitError{exitUnread, "the daemon's answer cannot be read; is it of another version?"}
	}
	if ask.output == "json" {
		_, err = w.stdout.Write(body)
	} else {
		err = writeExplained(w.stdout, &doc, colours(w))
	}
	if err == nil && doc.Total == 0 && len(ask.match) > 0 {
		return &exitError{code: exitMistakes}
	}
	return err
}

func explainFailed(err error) error {
	var refused *daemonRefused
	if errors.As(err, &refused) && refused.status == http.StatusNotFound && refused.code == "not_found" && strings.HasPrefix(refused.text, "there is no rule") {
		return &exitError{exitMistakes, refused.text}
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit
	}
	return &exitError{exitUnread, err.Error()}
}

// colours says whether the output is for eyes that like them.
func colours(w world) bool {
	file, ok := w.stdout.(*os.File)
	for _, entry := range w.environ {
		if name, value, _ := strings.Cut(entry, "="); name == "NO_COLOR" && value != "" {
			return false
		}
	}
	return ok && isatty.IsTerminal(file.Fd())
}
