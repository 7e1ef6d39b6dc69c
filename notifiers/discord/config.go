package discord

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/notifiers/internal/chat"
)

// Config is a receiver of type discord.
type Config struct {
	// WebhookURL is the channel's webhook; whoever has it can post.
	WebhookURL secret.URL `yaml:"webhook_url"`
	// ThreadID is a thread of the channel to post to: its number.
	ThreadID string `yaml:"thread_id"`
	// Username and AvatarURL show another sender than the webhook's own.
	Username  string `yaml:"username"`
	AvatarURL string `yaml:"avatar_url"`
	// Title is a template for the title, in the place of "🔥 CRITICAL: …".
	Title notifiers.Text `yaml:"title"`
	// Message is a template for what stands below, in Discord's Markdown. It cannot
	// mention anyone.
	Message notifiers.Text `yaml:"message"`
	// Update changes the group's last message when the group has ended or was
	// acknowledged.
	Update bool `yaml:"update"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Update: true} }

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// TellsAcks says whether messages are changed to show who has taken an alert up.
func (c *Config) TellsAcks() bool { return c.Update }

const (
	threadPattern = `^$|^[0-9]+$`
	// maxUsername is Discord's.
	// https://docs.discord.com/developers/resources/webhook#create-webhook
	maxUsername = 80
)

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if u, err := httpx.ParseURL(c.WebhookURL, "http", "https"); err != nil {
		ps.AddHint("webhook_url", "Discord shows it under Integrations of the channel's settings", "%s", err)
	} else if end := path.Base(u.Path); end == "slack" || end == "github" {
		ps.AddHint("webhook_url", "take /"+end+" away from its end", "takes the payload of another service")
	}
	if !regexp.MustCompile(threadPattern).MatchString(c.ThreadID) {
		ps.AddHint("thread_id", "copy it with Copy Thread ID, which Developer Mode shows", "%q is not the number of a thread", c.ThreadID)
	}
	if chat.Runes(c.Username) > maxUsername {
		ps.Add("username", "longer than %d characters", maxUsername)
	}
	if c.AvatarURL != "" && chat.WebURL(c.AvatarURL) == "" {
		ps.Add("avatar_url", "%q is not the URL of a picture", c.AvatarURL)
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Message.Check("message")...)
	ps = append(ps, c.ValidateAddresses("webhook_url", c.WebhookURL)...)
	return append(ps, c.Options.Validate()...)
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"webhook_url": schema.URL("http", "https"),
		"thread_id":   schema.Text(threadPattern, "the number of a thread"),
	}, "webhook_url")
}

// endpoint is the URL to post to, or that of one message. What follows the path of
// webhook_url stays.
func (c *Config) endpoint(message string) secret.URL {
	u, err := url.Parse(c.WebhookURL.Reveal())
	if err != nil {
		return c.WebhookURL // Validate has refused it
	}
	q := u.Query()
	if message == "" {
		q.Set("wait", "true") // the answer is the message, with its number
	} else {
		u = u.JoinPath("messages", message)
	}
	if c.ThreadID != "" {
		q.Set("thread_id", c.ThreadID)
	}
	u.RawQuery = q.Encode()
	return secret.NewURL(u.String())
}
