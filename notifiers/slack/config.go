package slack

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type slack: by an incoming webhook, or by an app's
// bot token.
type Config struct {
	// WebhookURL is the incoming webhook's; whoever has it can post.
	WebhookURL secret.URL `yaml:"webhook_url"`
	// Token is the Bot User OAuth Token of a Slack app; then Channel is required.
	Token secret.String `yaml:"token"`
	// SigningSecret is the app's. With it messages have buttons, and what Slack
	// says of a pressed one is believed.
	SigningSecret secret.String `yaml:"signing_secret"`
	// Channel is "#ops" or, which outlives a rename, C0123456789. Beside a webhook
	// it is heeded by legacy webhooks, Mattermost and Rocket.Chat only; a webhook
	// of a Slack app has its own.
	Channel string `yaml:"channel"`
	// Broadcast says which news of a group are shown in the channel too, beside
	// the thread of the group's message.
	Broadcast string `yaml:"broadcast"`
	// APIURL is where Slack's Web API is, for a proxy or a test.
	APIURL secret.URL `yaml:"api_url"`
	// Username and IconEmoji need the scope chat:write.customize with a token.
	Username string `yaml:"username"`
	// Title and Text are templates in the place of the header and of what is said
	// of the alerts. Text is written in Slack's markup.
	Title     notifiers.Text `yaml:"title"`
	Text      notifiers.Text `yaml:"text"`
	IconEmoji string         `yaml:"icon_emoji"` // as in :bell:

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// TellsAcks says whether messages are changed to show who has taken an alert up.
func (c *Config) TellsAcks() bool { return !c.Token.Empty() }

// What Broadcast may be.
const (
	BroadcastCritical = "critical" // where a critical alert fires
	BroadcastFiring   = "firing"   // where any alert fires
	BroadcastNone     = "none"
)

// slackAPI is where the Web API is.
const slackAPI = "https://slack.com/api"

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Broadcast: BroadcastCritical, APIURL: secret.NewURL(slackAPI)} }

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	switch {
	case !c.Token.Empty() && !c.WebhookURL.Empty():
		ps.AddHint("token", "a webhook only posts; with a token messages are updated and have buttons", "only one of webhook_url and token can be used")
	case !c.Token.Empty():
		ps = append(ps, c.validateToken()...)
	case c.WebhookURL.Empty() && c.Channel != "":
		// Whoever names a channel means an app; its token may be a variable.
		ps.AddHint("token", "it is the app's Bot User OAuth Token; or give webhook_url", "missing beside channel")
	default:
		ps = append(ps, c.validateWebhook()...)
	}
	if e := c.IconEmoji; e != "" && (len(e) < 3 || e[0] != ':' || e[len(e)-1] != ':') {
		ps.AddHint("icon_emoji", "write for example :bell:", "%q is not the name of an emoji", e)
	}
	switch c.Broadcast {
	case "", BroadcastCritical, BroadcastFiring, BroadcastNone:
	default:
		ps.AddHint("broadcast", "want critical, firing or none", "%q is none of them", c.Broadcast)
	}
	path, to := "webhook_url", c.WebhookURL
	if !c.Token.Empty() {
		path, to = "api_url", c.apiURL()
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Text.Check("text")...)
	ps = append(ps, c.ValidateAddresses(path, to)...)
	ps = append(ps, c.Options.Validate()...)
	return ps
}

func (c *Config) validateWebhook() problem.List {
	var ps problem.List
	if _, err := httpx.ParseURL(c.WebhookURL, "http", "https"); err != nil {
		ps.AddHint("webhook_url", "Slack shows it under Incoming Webhooks of your app; or give token and channel", "%s", err)
	}
	if !c.SigningSecret.Empty() {
		ps.AddHint("signing_secret", "give token and channel instead of webhook_url", "a webhook's messages have no buttons, so that nothing is signed")
	}
	return ps
}

func (c *Config) validateToken() problem.List {
	var ps problem.List
	switch token := c.Token.Reveal(); {
	case strings.HasPrefix(token, "xapp-"):
		ps.AddHint("token", "take the Bot User OAuth Token under OAuth & Permissions, it begins with xoxb-", "this is an app-level token, which cannot post")
	case !strings.HasPrefix(token, "xoxb-") && !strings.HasPrefix(token, "xoxe.xoxb-"):
		ps.AddHint("token", "take it from OAuth & Permissions of your app after installing it to the workspace", "a bot token begins with xoxb-")
	case strings.ContainsAny(token, " \t\r\n"):
		ps.AddHint("token", "is there a line break at its end?", "the token cannot stand in a header")
	}
	if c.Channel == "" {
		ps.AddHint("channel", `write for example "#ops", or the channel's ID`, "missing beside token")
	} else if strings.ContainsAny(c.Channel, " \t\r\n/") {
		ps.AddHint("channel", `write for example "#ops", or the channel's ID`, "%q is not the name of a channel", c.Channel)
	}
	if s := c.SigningSecret.Reveal(); s != strings.TrimSpace(s) {
		ps.AddHint("signing_secret", "is there a line break at its end?", "begins or ends with white space")
	}
	if _, err := httpx.ParseURL(c.apiURL(), "http", "https"); err != nil {
		ps.Add("api_url", "%s", err)
	}
	if !c.BearerToken.Empty() {
		ps.Add("bearer_token", "only one of token and bearer_token can be sent")
	}
	if c.BasicAuth.Username != "" {
		ps.Add("basic_auth", "only one of token and basic_auth can be sent")
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.With(schema.Object(schema.Schema{
		"webhook_url": schema.URL("http", "https"), "api_url": schema.URL("http", "https"),
		"token":      schema.Text(`^xoxb-|^xoxe\.xoxb-`, "a bot token, which begins with xoxb-"),
		"broadcast":  schema.Enum(BroadcastCritical, BroadcastFiring, BroadcastNone),
		"icon_emoji": schema.Text(`^$|^:.+:$`, "the name of an emoji such as :bell:"),
	}), schema.Schema{"allOf": []any{
		schema.Schema{"anyOf": []any{
			schema.Required("webhook_url"), schema.Required("webhook_url_file"),
			schema.Required("token", "channel"), schema.Required("token_file", "channel"),
		}, "errorMessage": "give webhook_url, or token and channel"},
	}})
}

func (c *Config) apiURL() secret.URL {
	if c.APIURL.Empty() {
		return secret.NewURL(slackAPI)
	}
	return c.APIURL
}

// method is the URL of one of the Web API's methods. What follows the path of
// api_url, such as a proxy's key, stays.
func (c *Config) method(name string) secret.URL {
	u, err := url.Parse(c.apiURL().Reveal())
	if err != nil {
		return c.apiURL() // Validate has refused it
	}
	return secret.NewURL(u.JoinPath(name).String())
}

// isChannelID says whether channel is what Slack calls a channel for ever, unlike its name.
func isChannelID(channel string) bool {
	return len(channel) > 6 && strings.ContainsRune("CGD", rune(channel[0])) &&
		strings.Trim(channel, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
}
