package main

import (
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/alertmanager"
	"github.com/tocsin-dev/tocsin/notifiers/email"
	"github.com/tocsin-dev/tocsin/notifiers/file"
	"github.com/tocsin-dev/tocsin/notifiers/jsm"
	"github.com/tocsin-dev/tocsin/notifiers/pagerduty"
)

// pagingKinds names the receivers that call people, and those that hand on to
// other programs.
func pagingKinds() map[string]receiverKind {
	return map[string]receiverKind{
		"alertmanager": byHTTP(alertmanager.Default, (*alertmanager.Config).Client,
			func(c *alertmanager.Config, client *http.Client) (notifiers.Notifier, error) {
				return alertmanager.New(*c, client)
			}),
		"file": {
			settings: settingsOf(file.Default),
			build: func(settings any, _ receiverNeeds) (notifiers.Notifier, error) {
				c, err := as[file.Config](settings)
				if err != nil {
					return nil, err
				}
				return file.New(*c)
			},
		},
		"jsm": byHTTP(jsm.Default, (*jsm.Config).Client,
			func(c *jsm.Config, client *http.Client) (notifiers.Notifier, error) {
				return jsm.New(*c, client)
			}),
		"email": {
			settings:    settingsOf(email.Default),
			concurrency: 2, // each message is a connection, and submission servers allow few at a time
			build: func(settings any, _ receiverNeeds) (notifiers.Notifier, error) {
				c, err := as[email.Config](settings)
				if err != nil {
					return nil, err
				}
				return email.New(*c)
			},
		},
		"pagerduty": byHTTP(pagerduty.Default, (*pagerduty.Config).Client,
			func(c *pagerduty.Config, client *http.Client) (notifiers.Notifier, error) {
				return pagerduty.New(*c, client)
			}),
	}
}

// byHTTP is a kind of receiver that needs its settings and a client made of them.
func byHTTP[C any](
	defaults func() C, client func(*C, time.Duration) (*http.Client, error), build func(*C, *http.Client) (notifiers.Notifier, error),
) receiverKind {
	return receiverKind{
		settings: settingsOf(defaults),
		build: func(settings any, with receiverNeeds) (notifiers.Notifier, error) {
			c, err := as[C](settings)
			if err != nil {
				return nil, err
			}
			made, err := client(c, with.timeout)
			if err != nil {
				return nil, err
			}
			return build(c, made)
		},
	}
}
