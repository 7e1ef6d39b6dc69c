package main

import (
	"net/http"
	"time"

	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/discord"
	"github.com/tocsin-dev/tocsin/notifiers/googlechat"
	"github.com/tocsin-dev/tocsin/notifiers/mattermost"
	"github.com/tocsin-dev/tocsin/notifiers/ntfy"
	"github.com/tocsin-dev/tocsin/notifiers/pushover"
	"github.com/tocsin-dev/tocsin/notifiers/rocketchat"
	"github.com/tocsin-dev/tocsin/notifiers/teams"
	"github.com/tocsin-dev/tocsin/notifiers/telegram"
)

// chatKinds names the receivers for chats and phones. Their services take few
// messages at a time of one sender, so that few are on their way.
func chatKinds() map[string]receiverKind {
	return map[string]receiverKind{
		"discord":    chatKind(discord.Default, (*discord.Config).Client, discord.New, 2),          // 5 messages in 2 s, says its rate limit
		"googlechat": chatKind(googlechat.Default, (*googlechat.Config).Client, googlechat.New, 1), // a message a second for a space
		"mattermost": chatKind(mattermost.Default, (*mattermost.Config).Client, mattermost.New, 4),
		"ntfy":       chatKind(ntfy.Default, (*ntfy.Config).Client, ntfy.New, 4),
		"pushover":   chatKind(pushover.Default, (*pushover.Config).Client, pushover.New, 2), // two connections at a time
		"rocketchat": chatKind(rocketchat.Default, (*rocketchat.Config).Client, rocketchat.New, 2),
		"teams":      chatKind(teams.Default, (*teams.Config).Client, teams.New, 2),          // four messages a second for a channel
		"telegram":   chatKind(telegram.Default, (*telegram.Config).Client, telegram.New, 1), // a message a second, 20 a minute for a group
	}
}

// chatKind is a receiver that speaks HTTP and whose messages have links.
func chatKind[C any, N notifiers.Notifier](
	defaults func() C, client func(*C, time.Duration) (*http.Client, error),
	construct func(C, *http.Client, *notifiers.Links) (N, error), concurrency int,
) receiverKind {
	return receiverKind{
		settings:    settingsOf(defaults),
		concurrency: concurrency,
		build: func(settings any, with receiverNeeds) (notifiers.Notifier, error) {
			c, err := as[C](settings)
			if err != nil {
				return nil, err
			}
			hc, err := client(c, with.timeout)
			if err != nil {
				return nil, err
			}
			return construct(*c, hc, with.links)
		},
	}
}
