package imports

import "strings"

// slack goes by a bot's token or by a webhook, as there.
func (a *alertmanager) slack(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "slack"
	bot := strings.HasSuffix(m.text("api_url"), "//slack.com/api/chat.postMessage")
	m.taken["app_url"] = true
	switch {
	case bot: // its token stands in http_config
	case a.secret(&out, "token", m, "app_token") || a.secret(&out, "webhook_url", m, "api_url"):
	case a.secret(&out, "token", a.global, "slack_app_token") || a.secret(&out, "webhook_url", a.global, "slack_api_url"):
	default:
		return a.switchedOff(m, out, "no api_url and no token")
	}
	a.plain(m, &out, "channel", "channel", true)
	a.plain(m, &out, "username", "username", false)
	a.plain(m, &out, "icon_emoji", "icon_emoji", false)
	a.template(m, &out, "title", "title", false)
	a.template(m, &out, "text", "text", false)
	a.timeout(m, &out)
	a.shared(m, &out, false)
	if bot && !out.botToken() {
		return a.switchedOff(m, out, "no token of the bot")
	}
	a.others(m)
	return out
}

// botToken makes the bearer token that Alertmanager sends to Slack's Web API the
// bot's token; false where there is none.
func (r *ourReceiver) botToken() bool {
	for i, s := range r.settings {
		if after, ok := strings.CutPrefix(s[0], "bearer_"); ok {
			r.settings[i][0] = after
			r.needed = append(r.needed, after)
			return true
		}
	}
	return false
}
