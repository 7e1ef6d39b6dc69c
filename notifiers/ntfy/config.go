package ntfy

import (
	"net/http"
	"regexp"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type ntfy.
type Config struct {
	// URL is the server's, without a topic.
	URL secret.URL `yaml:"url"`
	// Topic is what phones subscribe to. Without access control on the server whoever
	// knows it can read and write.
	Topic secret.String `yaml:"topic"`
	// Title is a template for the title, in the place of "🔥 CRITICAL: …".
	Title notifiers.Text `yaml:"title"`
	// Message is a template for what stands below: plain text.
	Message notifiers.Text `yaml:"message"`
	// Priority is 1 (min) to 5 (max, with a long vibration), by what is told.
	Priority Priority `yaml:"priority"`
	// Tags are put beside the one of the severity; a short code of an emoji shows it.
	Tags []string `yaml:"tags"`
	// Update shows a group's news in the place of the last, in the same notification
	// of the phone.
	Update bool `yaml:"update"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// Priority is that of a message, by what it tells.
type Priority struct {
	Critical int `yaml:"critical"` // while a critical alert fires
	Warning  int `yaml:"warning"`  // while a warning fires
	Info     int `yaml:"info"`     // while nothing worse than info fires
	Resolved int `yaml:"resolved"` // when nothing of what is told fires
}

// Default returns the configuration before the operator's settings.
func Default() Config {
	return Config{URL: secret.NewURL("https://ntfy.sh"), Priority: Priority{Critical: 5, Warning: 4, Info: 2, Resolved: 3}, Update: true}
}

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// The names of topics. https://docs.ntfy.sh/publish/#publish-as-json
const topicPattern = `^[-_A-Za-z0-9]{1,64}$`

const minPriority, maxPriority = 1, 5

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	switch u, err := httpx.ParseURL(c.URL, "http", "https"); {
	case err != nil:
		ps.AddHint("url", "write for example https://ntfy.sh", "%s", err)
	case u.Hostname() == "ntfy.sh" && u.Path != "" && u.Path != "/":
		ps.AddHint("url", "write https://ntfy.sh, and what follows as topic", "has a topic in it")
	}
	switch {
	case c.Topic.Empty():
		ps.AddHint("topic", "it is the name that phones subscribe to", "missing")
	case !regexp.MustCompile(topicPattern).MatchString(c.Topic.Reveal()):
		ps.Add("topic", "want at most 64 of letters, digits, - and _")
	}
	for _, p := range [...]struct {
		path  string
		value int
	}{
		{"critical", c.Priority.Critical}, {"warning", c.Priority.Warning}, {"info", c.Priority.Info}, {"resolved", c.Priority.Resolved},
	} {
		if p.value < minPriority || p.value > maxPriority {
			ps.Add("priority."+p.path, "%d is not between %d (min) and %d (max)", p.value, minPriority, maxPriority)
		}
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Message.Check("message")...)
	ps = append(ps, c.ValidateAddresses("url", c.URL)...)
	return append(ps, c.Options.Validate()...)
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"url": schema.URL("http", "https"), "topic": schema.Text(topicPattern, "at most 64 of letters, digits, - and _"),
	}, "topic")
}

// JSONSchema says what reflection cannot of the settings.
func (Priority) JSONSchema() schema.Schema {
	p := schema.Between(minPriority, maxPriority)
	return schema.Object(schema.Schema{"critical": p, "warning": p, "info": p, "resolved": p})
}

// of is the priority of what n tells. A test comes as what is resolved does.
func (p *Priority) of(n *alert.Notification) int {
	switch {
	case n.Kind != alert.KindAlerts || !n.Fires():
		return p.Resolved
	case n.Severity() == alert.Critical:
		return p.Critical
	case n.Severity() == alert.Warning:
		return p.Warning
	}
	return p.Info
}
