package pushover

import (
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type pushover.
type Config struct {
	// Token is the application's API token.
	Token secret.String `yaml:"token"`
	// UserKey is the key of a user or of a group.
	UserKey secret.String `yaml:"user_key"`
	// Device is the name of one of the user's devices, several with commas between;
	// without it all are told.
	Device string `yaml:"device"`
	// Title is a template for the title, in the place of "CRITICAL: …".
	Title notifiers.Text `yaml:"title"`
	// Message is a template for what stands below: plain text.
	Message notifiers.Text `yaml:"message"`
	// Priority is -2 (no notification) to 1 (past quiet hours), by what is told; 2 is
	// an emergency, which comes again until somebody acknowledges it.
	Priority Priority `yaml:"priority"`
	// Retry is how often an emergency comes again, at least 30s.
	Retry time.Duration `yaml:"retry"`
	// Expire is how long an emergency comes again, at most 3h.
	Expire time.Duration `yaml:"expire"`
	// Sound is the name of a sound, in the place of the user's own choice.
	Sound string `yaml:"sound"`
	// APIURL is where Pushover's API is, for a proxy.
	APIURL secret.URL `yaml:"api_url"`

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

// api is where Pushover is.
const api = "https://api.pushover.net/1"

// Default returns the configuration before the operator's settings.
func Default() Config {
	return Config{
		APIURL: secret.NewURL(api), Priority: Priority{Critical: 1, Warning: 0, Info: -1, Resolved: -1},
		Retry: time.Minute, Expire: time.Hour,
	}
}

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// TellsAcks says whether an acknowledgement is of any use to it: it ends an
// emergency.
func (c *Config) TellsAcks() bool {
	p := &c.Priority
	return max(p.Critical, p.Warning, p.Info) == emergency
}

// Pushover's rules. https://pushover.net/api#registration,
// https://pushover.net/api#priority
const (
	keyPattern                    = `^[A-Za-z0-9]{30}$`
	minPriority, emergency        = -2, 2
	minRetry, longest             = 30 * time.Second, 3 * time.Hour
	devicePattern                 = `^$|^[A-Za-z0-9_-]{1,25}(,[A-Za-z0-9_-]{1,25})*$`
	keyWanted, keyWhere    string = "30 letters and digits", "it stands on Pushover's dashboard"
)

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	key := regexp.MustCompile(keyPattern)
	for _, k := range [...]struct {
		path, where string
		value       secret.String
	}{{"token", "create an application on Pushover's dashboard", c.Token}, {"user_key", keyWhere, c.UserKey}} {
		switch {
		case k.value.Empty():
			ps.AddHint(k.path, k.where, "missing")
		case !key.MatchString(k.value.Reveal()):
			ps.AddHint(k.path, k.where, "want %s", keyWanted)
		}
	}
	if !regexp.MustCompile(devicePattern).MatchString(c.Device) {
		ps.Add("device", "%q is not the name of a device", c.Device)
	}
	for _, p := range [...]struct {
		path  string
		value int
	}{
		{"critical", c.Priority.Critical}, {"warning", c.Priority.Warning}, {"info", c.Priority.Info}, {"resolved", c.Priority.Resolved},
	} {
		switch {
		case p.value < minPriority || p.value > emergency:
			ps.Add("priority."+p.path, "%d is not between %d and %d", p.value, minPriority, emergency)
		case p.path == "resolved" && p.value == emergency:
			ps.Add("priority.resolved", "what is resolved is no emergency")
		}
	}
	if c.Retry < minRetry || c.Retry > longest {
		ps.Add("retry", "must be between 30s and 3h")
	}
	if c.Expire < minRetry || c.Expire > longest {
		ps.Add("expire", "must be between 30s and 3h")
	}
	if _, err := httpx.ParseURL(c.apiURL(), "http", "https"); err != nil {
		ps.AddHint("api_url", "write for example "+api, "%s", err)
	}
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Message.Check("message")...)
	ps = append(ps, c.ValidateAddresses("api_url", c.apiURL())...)
	return append(ps, c.Options.Validate()...)
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"token": schema.Text(keyPattern, keyWanted), "user_key": schema.Text(keyPattern, keyWanted),
		"device": schema.Text(devicePattern, "the name of a device"), "api_url": schema.URL("http", "https"),
	}, "token", "user_key")
}

// JSONSchema says what reflection cannot of the settings.
func (Priority) JSONSchema() schema.Schema {
	p := schema.Between(minPriority, emergency)
	return schema.Object(schema.Schema{"critical": p, "warning": p, "info": p, "resolved": schema.Between(minPriority, emergency-1)})
}

// of is the priority of what n tells. A test is an ordinary message.
func (p *Priority) of(n *alert.Notification) int {
	switch {
	case n.Kind != alert.KindAlerts:
		return 0
	case !n.Fires():
		return p.Resolved
	case n.Severity() == alert.Critical:
		return p.Critical
	case n.Severity() == alert.Warning:
		return p.Warning
	}
	return p.Info
}

func (c *Config) apiURL() secret.URL {
	if c.APIURL.Empty() {
		return secret.NewURL(api)
	}
	return c.APIURL
}

// method is the URL of one of the API's methods. What follows the path of api_url,
// such as a proxy's key, stays.
func (c *Config) method(path ...string) secret.URL {
	u, err := url.Parse(c.apiURL().Reveal())
	if err != nil {
		return c.apiURL() // Validate has refused it
	}
	return secret.NewURL(u.JoinPath(path...).String())
}
