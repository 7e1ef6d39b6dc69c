package main

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/internal/demo"
	"github.com/tocsin-dev/tocsin/source"
	"github.com/tocsin-dev/tocsin/store"
)

//go:embed demo/demo.yaml demo/rules.yaml
var demoFiles embed.FS

func newDemo(w world) *cobra.Command {
	var listen string
	var stay bool
	cmd := &cobra.Command{
		Use:   "demo [--listen HOST:PORT] [--stay]",
		Short: "Play an incident, with no server installed",
		Long: `Plays an incident of a minute and a half: an application, its cache and its
database degrade and recover on a script. Alerts are printed as they go out,
and every endpoint is live meanwhile. Nothing is left behind.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return playDemo(cmd.Context(), listen, stay, w)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "`HOST:PORT` of the endpoints (default 127.0.0.1:9590)")
	cmd.Flags().BoolVar(&stay, "stay", false, "keep serving when the incident is over")
	return cmd
}

func playDemo(ctx context.Context, listen string, stay bool, w world) error {
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return &exitError{exitMistakes, err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, name := range []string{"demo.yaml", "rules.yaml"} {
		data, err := demoFiles.ReadFile("demo/" + name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), data, 0o600)
		}
		if err != nil {
			return &exitError{exitMistakes, err.Error()}
		}
	}
	w.environ = append(w.environ, "TOCSIN_STORE__PATH="+filepath.Join(dir, "demo.db"))
	incident := demo.New(time.Now())
	w.kinds = kindsOf(demoSources(incident))
	f := files{config: filepath.Join(dir, "demo.yaml"), listen: listen}
	p, mistakes := load(f, w)
	if mistakes.Err() != nil {
		return refuse(mistakes, w)
	}
	d, err := newDaemon(ctx, f, w, p, newLogger(p.config.Log, w))
	if err != nil {
		return &exitError{exitMistakes, err.Error()}
	}
	d.announce(w.stdout)
	fmt.Fprintf(w.stdout, "  the incident  takes %s; Ctrl-C ends it\n\n", demo.Length)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if !stay {
		end := time.AfterFunc(demo.Length, func() {
			tellHistory(ctx, d, w)
			stop()
		})
		defer end.Stop()
	}
	if err := d.run(ctx); err != nil {
		return &exitError{exitMistakes, err.Error()}
	}
	return nil
}

// demoSources play the incident in the place of the real kinds of source.
func demoSources(i *demo.Incident) map[string]sourceKind {
	kind := func(s source.Source) sourceKind {
		return sourceKind{
			settings: func() any { return &struct{}{} },
			build:    func(any, string, *slog.Logger) (source.Source, error) { return s, nil },
		}
	}
	return map[string]sourceKind{
		"redis": kind(i.Cache()), "postgres": kind(i.Database()), "prometheus": kind(i.App()),
	}
}

// tellHistory prints what the history keeps of the incident.
func tellHistory(ctx context.Context, d *daemon, w world) {
	page, err := d.store.History(ctx, store.HistoryQuery{Limit: 100})
	if err != nil {
		return
	}
	fmt.Fprintf(w.stdout, "\nThe incident is over. The history keeps %s:\n", count(len(page.Alerts), "alert"))
	for i := range page.Alerts {
		a := page.Alerts[len(page.Alerts)-1-i]
		lasted := "still firing"
		if !a.EndsAt.IsZero() {
			lasted = "for " + a.EndsAt.Sub(a.StartsAt).Round(time.Second).String()
		}
		fmt.Fprintf(w.stdout, "  %s  %-8s  %-12s  %s\n", a.StartsAt.Local().Format(time.TimeOnly), a.Worst, lasted, a.Message)
	}
}
