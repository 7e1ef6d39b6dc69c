package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

func newServe(w world) *cobra.Command {
	var f files
	cmd := &cobra.Command{
		Use:   "serve --config FILE [--rules FILE]… [--listen HOST:PORT]",
		Short: "Watch, judge and tell, until stopped",
		Long: `Starts the daemon. SIGHUP, or POST /-/reload, reads the configuration and the
rules anew, all or nothing; SIGTERM ends it after what is under way is sent.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.config == "" {
				return &exitError{exitUnread, "no configuration: give --config FILE, as in tocsin serve --config configs/embedded.yaml"}
			}
			return serve(cmd.Context(), f, w)
		},
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "the configuration `FILE` (required); - is standard input")
	cmd.Flags().StringArrayVarP(&f.rules, "rules", "r", nil, "a rule `FILE`, in the place of the configuration's own; may be repeated")
	cmd.Flags().StringVar(&f.listen, "listen", "", "`HOST:PORT`, in the place of server.listen")
	return cmd
}

func serve(ctx context.Context, f files, w world) error {
	var started atomic.Pointer[daemon]
	f.plugins = func(c *configs.Config, _ *configs.Written) yamlpos.Mistakes {
		log := newLogger(c.Log, w)
		w.plugins = newPluginHost(log, func() {
			if d := started.Load(); d != nil {
				d.tellSoon()
			}
		})
		startPlugins(ctx, w.plugins, c, w.environ, log)
		return nil
	}
	defer func() { w.plugins.Close() }() // which the daemon has done, if it ran
	p, mistakes := load(f, w)
	if mistakes.Err() != nil {
		return refuse(mistakes, w)
	}
	_ = mistakes.Write(w.stderr) // warnings
	log := newLogger(p.config.Log, w)
	d, err := newDaemon(ctx, f, w, p, log)
	if err != nil {
		return &exitError{exitMistakes, err.Error()}
	}
	started.Store(d)
	d.announce(w.stdout)
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	go func() {
		for {
			select {
			case <-hangup:
				if err := d.Reload(ctx); err != nil {
					log.Error("reload refused; the old configuration goes on", "error", err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := d.run(ctx); err != nil {
		return &exitError{exitMistakes, err.Error()}
	}
	return nil
}

func newLogger(c configs.Log, w world) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w.stderr, options))
	}
	return slog.New(slog.NewTextHandler(w.stderr, options))
}
