package telegram

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type telegram.
type Config struct {
	// BotToken is what @BotFather gave: 123456789:AA…; whoever has it is the bot.
	BotToken secret.String `yaml:"bot_token"`
	// ChatID is the chat: a number, which is negative for groups and channels, or
	// the @name of a public channel.
	ChatID string `yaml:"chat_id"`
	// MessageThreadID is the topic of a group that has topics; 0 is none.
	MessageThreadID int64 `yaml:"message_thread_id"`
	// Title is a template for the first line, in the place of "🔥 CRITICAL: …".
	Title notifiers.Text `yaml:"title"`
	// Message is a template for what stands below, in the HTML that Telegram knows
	// (b, i, u, s, code, pre, a). What it is given is escaped.
	Message notifiers.HTML `yaml:"message"`
	// Update changes the group's message when the group has ended or was
	// acknowledged, and sends later news as replies to it.
	Update bool `yaml:"update"`
	// Silent sends everything without a sound. What is resolved and what is no
	// worse than info always comes so.
	Silent bool `yaml:"silent"`
	// APIURL is where the Bot API is, for a server of your own or a proxy.
	APIURL secret.URL `yaml:"api_url"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// botAPI is where Telegram's own server is.
const botAPI = "https://api.telegram.org"

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Update: true, APIURL: secret.NewURL(botAPI)} }

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// TellsAcks says whether messages are changed to show who has taken an alert up.
func (c *Config) TellsAcks() bool { return c.Update }

// What a token and a chat look like. Telegram says of neither how long it may be.
const (
	tokenPattern = `^[0-9]+:[A-Za-z0-9_-]+$`
	chatPattern  = `^(-?[0-9]+|@[A-Za-z][A-Za-z0-9_]*)$`
)

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	switch token := c.BotToken.Reveal(); {
	case token == "":
		ps.AddHint("bot_token", "@BotFather gives it with /newbot", "missing")
	case !regexp.MustCompile(tokenPattern).MatchString(token):
		ps.AddHint("bot_token", "@BotFather shows it as 123456789:AA…", "this is not a bot's token")
	}
	switch {
	case c.ChatID == "":
		ps.AddHint("chat_id", `write the number, as in "-1001234567890", or the @name of a public channel`, "missing")
	case !regexp.MustCompile(chatPattern).MatchString(c.ChatID):
		ps.AddHint("chat_id", "want a number or the @name of a public channel", "%q is not a chat", c.ChatID)
	}
	if c.MessageThreadID < 0 {
		ps.Add("message_thread_id", "must not be negative; 0 is none")
	}
	if _, err := httpx.ParseURL(c.apiURL(), "http", "https"); err != nil {
		ps.AddHint("api_url", "write for example "+botAPI, "%s", err)
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Message.Check("message")...)
	ps = append(ps, c.ValidateAddresses("api_url", c.apiURL())...)
	return append(ps, c.Options.Validate()...)
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"bot_token":         schema.Text(tokenPattern, "a bot's token, as in 123456789:AA…"),
		"chat_id":           schema.Text(chatPattern, "a number or the @name of a public channel"),
		"message_thread_id": schema.AtLeast(0),
		"api_url":           schema.URL("http", "https"),
	}, "bot_token", "chat_id")
}

func (c *Config) apiURL() secret.URL {
	if c.APIURL.Empty() {
		return secret.NewURL(botAPI)
	}
	return c.APIURL
}

// method is the URL of one of the Bot API's methods. What follows the path of
// api_url, such as a proxy's key, stays.
func (c *Config) method(name string) secret.URL {
	u, err := url.Parse(c.apiURL().Reveal())
	if err != nil {
		return c.apiURL() // Validate has refused it
	}
	return secret.NewURL(u.JoinPath("bot"+strings.TrimSpace(c.BotToken.Reveal()), name).String())
}
