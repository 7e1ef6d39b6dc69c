package imports

import (
	"strconv"
	"strings"
)

func (a *alertmanager) discord(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "discord"
	if !a.secret(&out, "webhook_url", m, "webhook_url") {
		return a.switchedOff(m, out, "no webhook_url")
	}
	a.plain(m, &out, "username", "username", false)
	a.plain(m, &out, "avatar_url", "avatar_url", false)
	a.template(m, &out, "title", "title", false)
	a.template(m, &out, "message", "message", false)
	if text := m.text("content"); strings.Contains(text, "@") {
		a.r.lost(m.value["content"], m.at("content"), "not taken over: messages mention nobody here")
	} else if text != "" {
		a.r.remark(m.value["content"], m.at("content"), "not taken over: write it into message")
	}
	a.shared(m, &out, true)
	a.others(m)
	return out
}

// teams takes both of Alertmanager's: a connector's URL, which is what the elder
// wants, leads nowhere any more.
func (a *alertmanager) teams(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "teams"
	url := m.text("webhook_url")
	const workflow = "make a workflow in Teams, \"Send webhook alerts to a channel\", for its URL"
	if isConnector(url) {
		a.messageOf(m, &out)
		return a.toFill(m, out, "webhook_url", "https://example.invalid/", "Microsoft has retired the connector's URL; "+workflow)
	}
	if !a.secret(&out, "webhook_url", m, "webhook_url") {
		return a.switchedOff(m, out, "no webhook_url")
	}
	if url == "" && out.from == "msteams_configs" {
		a.r.remark(m.node, m.path, "a connector's URL in the file is refused, for Microsoft has retired it; %s", workflow)
	}
	a.messageOf(m, &out)
	return out
}

func (a *alertmanager) messageOf(m *mapping, out *ourReceiver) {
	a.template(m, out, "title", "title", false)
	a.template(m, out, "text", "message", false)
	a.shared(m, out, true)
	a.others(m)
}

func isConnector(url string) bool {
	return strings.Contains(url, ".webhook.office.com/") || strings.Contains(url, "//outlook.office.com/")
}

func (a *alertmanager) telegram(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "telegram"
	if !a.secret(&out, "bot_token", m, "bot_token") && !a.secret(&out, "bot_token", a.global, "telegram_bot_token") {
		return a.switchedOff(m, out, "no bot_token")
	}
	chat := m.text("chat_id")
	switch {
	case chat == "" && m.text("chat_id_file") != "":
		a.telegramMessage(m, &out)
		return a.toFill(m, out, "chat_id", "0", "chat_id stands in a file, from which it cannot be read here")
	case chat == "":
		return a.switchedOff(m, out, "no chat_id")
	}
	out.need("chat_id", chat)
	a.telegramMessage(m, &out)
	return out
}

func (a *alertmanager) telegramMessage(m *mapping, out *ourReceiver) {
	thread := m.text("message_thread_id")
	switch n, err := strconv.ParseInt(thread, 10, 64); {
	case thread == "":
	case err != nil:
		a.r.lost(m.value["message_thread_id"], m.at("message_thread_id"), "%q is not the number of a topic", thread)
	case n != 0:
		out.write("message_thread_id", strconv.FormatInt(n, 10))
	}
	if url := firstOf(m.text("api_url"), a.global.text("telegram_api_url")); url != "" && strings.TrimRight(url, "/") != "https://api.telegram.org" {
		out.need("api_url", url)
	}
	if m.text("disable_notifications") == "true" {
		out.write("silent", "true")
	}
	// Ours is HTML, and theirs unless parse_mode says otherwise.
	mode, given := m.text("parse_mode"), m.has("parse_mode")
	if text := m.text("message"); given && mode != "HTML" && !isDefault(text) && strings.ContainsAny(text, "<>&*_[]`\\") {
		a.r.remark(m.value["message"], m.at("message"), "not taken over, and the default is sent: a message is HTML here, not %s", firstOf(mode, "plain text"))
	} else {
		a.template(m, out, "message", "message", true)
	}
	a.shared(m, out, true)
	a.others(m)
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func (a *alertmanager) mattermost(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "mattermost"
	if !a.secret(&out, "webhook_url", m, "webhook_url") && !a.secret(&out, "webhook_url", a.global, "mattermost_webhook_url") {
		return a.switchedOff(m, out, "no webhook_url")
	}
	a.plain(m, &out, "channel", "channel", true)
	a.plain(m, &out, "username", "username", false)
	a.plain(m, &out, "icon_url", "icon_url", false)
	a.messageOf(m, &out)
	return out
}

// rocketchat posts by a webhook here, and as a user there.
func (a *alertmanager) rocketchat(m *mapping, out ourReceiver) ourReceiver {
	out.kind = "rocketchat"
	for _, key := range [...]string{"api_url", "token", "token_file", "token_id", "token_id_file"} {
		m.taken[key] = true
	}
	a.plain(m, &out, "channel", "channel", true)
	a.plain(m, &out, "emoji", "emoji", false)
	a.template(m, &out, "title", "title", false)
	a.template(m, &out, "text", "message", false)
	a.shared(m, &out, false)
	a.others(m)
	return a.toFill(m, out, "webhook_url", "https://example.invalid/",
		"Rocket.Chat takes messages by an incoming webhook here, not by a user's token; make one for its URL")
}
