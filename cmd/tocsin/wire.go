package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"github.com/tocsin-dev/tocsin/configs"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/console"
	"github.com/tocsin-dev/tocsin/notifiers/slack"
	"github.com/tocsin-dev/tocsin/notifiers/webhook"
	"github.com/tocsin-dev/tocsin/source"
	httpsource "github.com/tocsin-dev/tocsin/source/http"
	"github.com/tocsin-dev/tocsin/source/json"
	"github.com/tocsin-dev/tocsin/source/postgres"
	"github.com/tocsin-dev/tocsin/source/process"
	"github.com/tocsin-dev/tocsin/source/prometheus"
	"github.com/tocsin-dev/tocsin/source/push"
	"github.com/tocsin-dev/tocsin/source/redis"
)

// sourceKind is one type of polled source: its settings and its constructor.
type sourceKind struct {
	settings func() any
	build    func(settings any, name string, log *slog.Logger) (source.Source, error)
}

// receiverKind is one type of receiver.
type receiverKind struct {
	settings func() any
	build    func(settings any, with receiverNeeds) (notifiers.Notifier, error)
	// concurrency is how many notifications are on their way at a time where the
	// configuration does not say; 0 is the outbox's own.
	concurrency int
}

// receiverNeeds is what a receiver is given beside its settings.
type receiverNeeds struct {
	timeout time.Duration
	stdout  io.Writer
	links   *notifiers.Links // nil makes none
}

// typePush is the one source that is not polled.
const typePush = "push"

// sourceKinds names every polled source there is. This table and the next are
// the only places that name implementations.
func sourceKinds() map[string]sourceKind {
	return map[string]sourceKind{
		"redis": {
			settings: settingsOf(redis.Default),
			build: builder(func(c *redis.Config, name string, log *slog.Logger) (source.Source, error) {
				return redis.New(*c, name, log)
			}),
		},
		"postgres": {
			settings: settingsOf(postgres.Default),
			build: builder(func(c *postgres.Config, name string, log *slog.Logger) (source.Source, error) {
				return postgres.New(*c, name, log)
			}),
		},
		"prometheus": {
			settings: settingsOf(prometheus.Default),
			build: builder(func(c *prometheus.Config, _ string, _ *slog.Logger) (source.Source, error) {
				return prometheus.New(*c)
			}),
		},
		"json": {
			settings: settingsOf(json.Default),
			build: builder(func(c *json.Config, _ string, _ *slog.Logger) (source.Source, error) {
				return json.New(*c)
			}),
		},
		"http": {
			settings: settingsOf(httpsource.Default),
			build: builder(func(c *httpsource.Config, name string, _ *slog.Logger) (source.Source, error) {
				return httpsource.New(*c, name)
			}),
		},
		"process": {
			settings: settingsOf(process.Default),
			build: builder(func(c *process.Config, name string, _ *slog.Logger) (source.Source, error) {
				return process.New(*c, name)
			}),
		},
		"host": {
			settings: settingsOf(process.DefaultHost),
			build: builder(func(c *process.HostConfig, _ string, _ *slog.Logger) (source.Source, error) {
				return process.NewHost(*c)
			}),
		},
	}
}

// receiverKinds names every receiver there is.
func receiverKinds() map[string]receiverKind {
	kinds := map[string]receiverKind{
		"slack": {
			settings:    settingsOf(slack.Default),
			concurrency: 4, // Slack takes about one message a second for a channel
			build: func(settings any, with receiverNeeds) (notifiers.Notifier, error) {
				c, err := as[slack.Config](settings)
				if err != nil {
					return nil, err
				}
				client, err := c.Client(with.timeout)
				if err != nil {
					return nil, err
				}
				return slack.New(*c, client, with.links)
			},
		},
		"webhook": {
			settings: settingsOf(webhook.Default),
			build: func(settings any, with receiverNeeds) (notifiers.Notifier, error) {
				c, err := as[webhook.Config](settings)
				if err != nil {
					return nil, err
				}
				client, err := c.Client(with.timeout)
				if err != nil {
					return nil, err
				}
				return webhook.New(*c, client)
			},
		},
		"console": {
			settings: settingsOf(console.Default),
			build: func(settings any, with receiverNeeds) (notifiers.Notifier, error) {
				c, err := as[console.Config](settings)
				if err != nil {
					return nil, err
				}
				return console.New(*c, with.stdout)
			},
		},
	}
	maps.Copy(kinds, chatKinds())
	maps.Copy(kinds, pagingKinds())
	return kinds
}

// kindTable is every kind of source and receiver that a process knows.
type kindTable struct {
	sources   map[string]sourceKind
	receivers map[string]receiverKind
}

// kindsOf returns the tables above; a demo puts its own sources in the place of
// some.
func kindsOf(extra map[string]sourceKind) kindTable {
	t := kindTable{sources: sourceKinds(), receivers: receiverKinds()}
	maps.Copy(t.sources, extra)
	return t
}

// configs is the table as the configuration's reader needs it.
func (t kindTable) configs() configs.Kinds {
	k := configs.Kinds{
		Sources:   map[string]func() any{typePush: settingsOf(push.Default)},
		Receivers: map[string]func() any{},
	}
	for name, kind := range t.sources {
		k.Sources[name] = kind.settings
	}
	for name, kind := range t.receivers {
		k.Receivers[name] = kind.settings
	}
	return k
}

// settingsOf makes the constructor of a pointer to settings with defaults.
func settingsOf[C any](defaults func() C) func() any {
	return func() any {
		c := defaults()
		return &c
	}
}

func as[C any](settings any) (*C, error) {
	c, ok := settings.(*C)
	if !ok {
		return nil, fmt.Errorf("settings are %T", settings)
	}
	return c, nil
}

func builder[C any](build func(c *C, name string, log *slog.Logger) (source.Source, error)) func(any, string, *slog.Logger) (source.Source, error) {
	return func(settings any, name string, log *slog.Logger) (source.Source, error) {
		c, err := as[C](settings)
		if err != nil {
			return nil, err
		}
		return build(c, name, log)
	}
}
