package pagerduty

import (
	"maps"
	"net/http"
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

// Config is a receiver of type pagerduty.
type Config struct {
	// RoutingKey is the integration key of an Events API v2 integration of a
	// service, or of an event orchestration: 32 characters.
	RoutingKey secret.String `yaml:"routing_key"`
	// Region is us or eu, where the account is.
	Region string `yaml:"region"`
	// URL takes the events in the place of the region's, for a proxy or what speaks
	// like PagerDuty.
	URL secret.URL `yaml:"url"`
	// Title is a template of an incident's title.
	Title notifiers.Text `yaml:"title"`
	// Severities are PagerDuty's severities by ours, as in {warning: error}.
	Severities map[string]string `yaml:"severities"`
	// Details are templates of further custom details, by their names.
	Details map[string]notifiers.Text `yaml:"details"`
	// Acknowledge acknowledges the incident once all that fires in its group is
	// acknowledged here.
	Acknowledge bool `yaml:"acknowledge"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// The regions, by where they take events.
// https://support.pagerduty.com/main/docs/service-regions
const (
	RegionUS = "us"
	RegionEU = "eu"

	urlUS = "https://events.pagerduty.com/v2/enqueue"
	urlEU = "https://events.eu.pagerduty.com/v2/enqueue"
)

// severities are PagerDuty's.
func severities() []string { return []string{"critical", "error", "warning", "info"} }

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// TellsAcks says whether PagerDuty is told who has taken an alert up.
func (c *Config) TellsAcks() bool { return c.Acknowledge }

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Region: RegionUS, Acknowledge: true} }

// url is where events go.
func (c *Config) url() secret.URL {
	switch {
	case !c.URL.Empty():
		return c.URL
	case c.Region == RegionEU:
		return secret.NewURL(urlEU)
	}
	return secret.NewURL(urlUS)
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	const where = "PagerDuty shows it as Integration Key under Integrations of a service, for Events API V2"
	switch key := c.RoutingKey.Reveal(); {
	case key == "":
		ps.AddHint("routing_key", where, "missing")
	case key != strings.TrimSpace(key):
		ps.AddHint("routing_key", "is there a line break at its end?", "begins or ends with white space")
	case len(key) != 32 && c.URL.Empty():
		ps.AddHint("routing_key", where, "has %d characters, not 32", len(key))
	}
	switch c.Region {
	case "", RegionUS, RegionEU:
	default:
		ps.AddHint("region", problem.DidYouMean(c.Region, []string{RegionUS, RegionEU}), "%q is not us or eu", c.Region)
	}
	if _, err := httpx.ParseURL(c.url(), "http", "https"); err != nil {
		ps.AddHint("url", "leave it out, or write for example "+urlUS, "%s", err)
	}
	ps = append(ps, c.validateSeverities()...)
	ps = append(ps, c.Title.Check("title")...)
	c.Details = maps.Clone(c.Details) // which copies of the settings share
	for _, name := range slices.Sorted(maps.Keys(c.Details)) {
		t := c.Details[name]
		ps = append(ps, t.Check(problem.Join("details", name))...)
		c.Details[name] = t // parsed
	}
	ps = append(ps, c.ValidateAddresses("url", c.url())...)
	ps = append(ps, c.Options.Validate()...)
	return ps
}

func (c *Config) validateSeverities() problem.List {
	var ps problem.List
	ours := []string{alert.Critical.String(), alert.Warning.String(), alert.Info.String()}
	for _, name := range slices.Sorted(maps.Keys(c.Severities)) {
		if !slices.Contains(ours, name) {
			ps.AddHint(problem.Join("severities", name), problem.DidYouMean(name, ours), "%q is not one of %s", name, strings.Join(ours, ", "))
		}
		if to := c.Severities[name]; !slices.Contains(severities(), to) {
			ps.AddHint(problem.Join("severities", name), problem.DidYouMean(to, severities()), "%q is none of PagerDuty's: %s", to, strings.Join(severities(), ", "))
		}
	}
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"region": schema.Enum("", RegionUS, RegionEU), "url": schema.URL("http", "https"),
		"severities": schema.Schema{
			"propertyNames":        schema.Enum(alert.Critical.String(), alert.Warning.String(), alert.Info.String()),
			"additionalProperties": schema.Enum(severities()...),
		},
	}, "routing_key")
}
