package jsm

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type jsm.
type Config struct {
	// APIKey is that of an API integration.
	APIKey secret.String `yaml:"api_key"`
	// Service is jsm, opsgenie or opsgenie-eu.
	Service string `yaml:"service"`
	// URL is where the API is, in the place of the service's: what stands before
	// /v2/alerts.
	URL secret.URL `yaml:"url"`
	// Title is a template of the alert's message.
	Title notifiers.Text `yaml:"title"`
	// Description is a template of what the alert says beside its message.
	Description notifiers.Text `yaml:"description"`
	// Priorities are P1 to P5 by our severities.
	Priorities map[string]string `yaml:"priorities"`
	// Responders are told in the place of whom the integration names.
	Responders []Responder `yaml:"responders"`
	// Tags are added to each alert.
	Tags []string `yaml:"tags"`
	// Acknowledge acknowledges the alert once all that fires in its group is
	// acknowledged here.
	Acknowledge bool `yaml:"acknowledge"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// Responder is who is told, by exactly one of id, name and username.
type Responder struct {
	// Type is team, user, escalation or schedule.
	Type string `yaml:"type" json:"type"`
	// ID names any of them.
	ID string `yaml:"id" json:"id,omitempty"`
	// Name names a team, an escalation or a schedule; Opsgenie only.
	Name string `yaml:"name" json:"name,omitempty"`
	// Username is a user's mail address; Opsgenie only.
	Username string `yaml:"username" json:"username,omitempty"`
}

// The services. Opsgenie ends on 5 April 2027.
// https://support.atlassian.com/opsgenie/docs/what-happens-when-opsgenie-is-turned-off/
const (
	ServiceJSM        = "jsm"
	ServiceOpsgenie   = "opsgenie"
	ServiceOpsgenieEU = "opsgenie-eu"
)

func services() map[string]string {
	return map[string]string{
		ServiceJSM:        "https://api.atlassian.com/jsm/ops/integration",
		ServiceOpsgenie:   "https://api.opsgenie.com",
		ServiceOpsgenieEU: "https://api.eu.opsgenie.com",
	}
}

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// TellsAcks says whether the service is told who has taken an alert up.
func (c *Config) TellsAcks() bool { return c.Acknowledge }

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Service: ServiceJSM, Acknowledge: true} }

func (c *Config) base() secret.URL {
	if !c.URL.Empty() {
		return c.URL
	}
	if c.Service == "" {
		return secret.NewURL(services()[ServiceJSM])
	}
	return secret.NewURL(services()[c.Service])
}

// endpoint is the URL of the alerts, or of one of them by its alias. What follows
// the path of url, such as a proxy's key, stays.
func (c *Config) endpoint(alias, action string) secret.URL {
	u, err := url.Parse(c.base().Reveal())
	if err != nil {
		return c.base() // Validate has refused it
	}
	u = u.JoinPath("v2", "alerts")
	if alias != "" {
		u = u.JoinPath(alias, action)
		query := u.Query()
		query.Set("identifierType", "alias")
		u.RawQuery = query.Encode()
	}
	return secret.NewURL(u.String())
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	switch key := c.APIKey.Reveal(); {
	case key == "":
		ps.AddHint("api_key", "it is shown by an integration of type API", "missing")
	case strings.ContainsAny(key, " \t\r\n"):
		ps.AddHint("api_key", "is there a line break at its end?", "the key cannot stand in a header")
	}
	names := slices.Sorted(maps.Keys(services()))
	if c.Service != "" && !slices.Contains(names, c.Service) {
		ps.AddHint("service", problem.DidYouMean(c.Service, names), "%q is not one of %s", c.Service, strings.Join(names, ", "))
	} else if _, err := httpx.ParseURL(c.base(), "http", "https"); err != nil {
		ps.AddHint("url", "leave it out, or write for example https://api.opsgenie.com", "%s", err)
	}
	ps = append(ps, c.validateAlert()...)
	ps = append(ps, c.Title.Check("title")...)
	ps = append(ps, c.Description.Check("description")...)
	if !c.BearerToken.Empty() || c.BasicAuth.Username != "" {
		ps.Add("api_key", "only one of api_key, bearer_token and basic_auth can be sent")
	}
	ps = append(ps, c.ValidateAddresses("url", c.base())...)
	ps = append(ps, c.Options.Validate()...)
	return ps
}

func priorities() []string { return []string{"P1", "P2", "P3", "P4", "P5"} }

func (c *Config) validateAlert() problem.List {
	var ps problem.List
	ours := []string{alert.Critical.String(), alert.Warning.String(), alert.Info.String()}
	for _, name := range slices.Sorted(maps.Keys(c.Priorities)) {
		if !slices.Contains(ours, name) {
			ps.AddHint(problem.Join("priorities", name), problem.DidYouMean(name, ours), "%q is not one of %s", name, strings.Join(ours, ", "))
		}
		if !slices.Contains(priorities(), c.Priorities[name]) {
			ps.Add(problem.Join("priorities", name), "%q is not one of P1 to P5", c.Priorities[name])
		}
	}
	types := []string{"team", "user", "escalation", "schedule"}
	for i, r := range c.Responders {
		at := fmt.Sprintf("responders[%d]", i)
		if !slices.Contains(types, r.Type) {
			ps.AddHint(problem.Join(at, "type"), problem.DidYouMean(r.Type, types), "%q is not one of %s", r.Type, strings.Join(types, ", "))
		}
		if given := len(slices.DeleteFunc([]string{r.ID, r.Name, r.Username}, func(s string) bool { return s == "" })); given != 1 {
			ps.Add(at, "want exactly one of id, name and username")
		}
	}
	if len(c.Tags) > maxTags {
		ps.Add("tags", "%d tags; an alert has %d at most", len(c.Tags), maxTags)
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"service": schema.Enum("", ServiceJSM, ServiceOpsgenie, ServiceOpsgenieEU), "url": schema.URL("http", "https"),
		"priorities": schema.Schema{
			"propertyNames":        schema.Enum(alert.Critical.String(), alert.Warning.String(), alert.Info.String()),
			"additionalProperties": schema.Enum(priorities()...),
		},
		"tags": schema.Schema{"maxItems": maxTags},
	}, "api_key")
}

// JSONSchema says what reflection cannot of a responder.
func (Responder) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{"type": schema.Enum("team", "user", "escalation", "schedule")}, "type")
}
