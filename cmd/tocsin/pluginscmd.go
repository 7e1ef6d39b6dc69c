package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newPlugins(w world) *cobra.Command {
	var ask operateAsk
	cmd := &cobra.Command{
		Use:   "plugins [--config FILE | --url URL] [--token TOKEN] [--output FORMAT]",
		Short: "List the plugins of a running daemon, and how each fares",
		Long: `Lists the plugins of a running daemon: what each says that it is, its process,
how often that was started again, its calls and those that failed, and why it does
not run where it does not.

` + whichDaemon + `; scope read is enough.

Exit status: 0, and 2 when the daemon could not be asked.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := ask.checkOutput(); err != nil {
				return err
			}
			body, err := ask.where.ask(cmd.Context(), "/api/v1/plugins", nil, w)
			if err != nil {
				return askFailed(err)
			}
			var doc struct{ Plugins []listedPlugin }
			return ask.print(w, body, &doc, func() string { return pluginsText(doc.Plugins, time.Now()) })
		},
	}
	ask.flags(cmd)
	return cmd
}

// listedPlugin is what is printed of one plugin.
type listedPlugin struct {
	Name        string
	Version     *string
	Kinds       []string
	State       string
	Since       *time.Time
	PID         *int
	SHA256      *string
	Restarts    uint64
	Calls       uint64
	Failures    uint64
	LastError   *string    `json:"last_error"`
	LastErrorAt *time.Time `json:"last_error_at"`
}

func pluginsText(plugins []listedPlugin, now time.Time) string {
	if len(plugins) == 0 {
		return "no plugins\n"
	}
	rows := [][]string{{"STATE", "PLUGIN", "VERSION", "KINDS", "PID", "FOR", "RESTARTS", "CALLS", "FAILED", "SHA256"}}
	var errors strings.Builder
	for i := range plugins {
		p := &plugins[i]
		pid, lasts := "-", "-"
		if p.PID != nil {
			pid = strconv.Itoa(*p.PID)
		}
		if p.Since != nil {
			lasts = lastsText(max(0, now.Sub(*p.Since)))
		}
		sum := orDash(p.SHA256)
		rows = append(rows, []string{
			p.State, p.Name, orDash(p.Version), cmp.Or(strings.Join(p.Kinds, ","), "-"), pid, lasts,
			strconv.FormatUint(p.Restarts, 10), strconv.FormatUint(p.Calls, 10), strconv.FormatUint(p.Failures, 10), sum[:min(12, len(sum))],
		})
		if p.LastError != nil && p.LastErrorAt != nil {
			fmt.Fprintf(&errors, "%s, %s ago: %s\n", p.Name, lastsText(max(0, now.Sub(*p.LastErrorAt))), *p.LastError)
		}
	}
	return aligned(rows) + errors.String()
}

func orDash(text *string) string {
	if text == nil || *text == "" {
		return "-"
	}
	return *text
}
