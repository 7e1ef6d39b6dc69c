package alertmanager

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Config is a receiver of type alertmanager.
type Config struct {
	// URLs are the Alertmanagers of one cluster, each without /api/v2/alerts: all
	// are told.
	URLs []secret.URL `yaml:"urls"`
	// Labels are added to every alert, as in {origin: tocsin}; those that the alert
	// has itself win.
	Labels map[string]string `yaml:"labels"`
	// ExpiresAfter is how long an alert that fires lasts there when nothing more is
	// said of it.
	ExpiresAfter time.Duration `yaml:"expires_after"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// leastExpiry is no shorter than the waits between two messages of a group.
const leastExpiry = 5 * time.Minute

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// Default returns the configuration before the operator's settings. A week is
// longer than any repeat_interval, and than most people leave an acknowledged alert
// alone, for which there are no repeats.
func Default() Config { return Config{ExpiresAfter: 7 * 24 * time.Hour} }

// endpoint is where alerts are posted. What follows the path, such as a proxy's key,
// stays.
func endpoint(base secret.URL) secret.URL {
	u, err := url.Parse(base.Reveal())
	if err != nil {
		return base // Validate has refused it
	}
	return secret.NewURL(u.JoinPath("api", "v2", "alerts").String())
}

// Validate returns what is wrong with the configuration.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if len(c.URLs) == 0 {
		ps.AddHint("urls", "write for example [http://alertmanager:9093]", "missing")
	}
	for i, text := range c.URLs {
		at := fmt.Sprintf("urls[%d]", i)
		u, err := httpx.ParseURL(text, "http", "https")
		switch {
		case err != nil:
			ps.AddHint(at, "write for example http://alertmanager:9093", "%s", err)
		case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api/v2/alerts"):
			ps.AddHint(at, "write what stands before it", "the path /api/v2/alerts is added")
		case slices.ContainsFunc(c.URLs[:i], func(o secret.URL) bool { return endpoint(o).Reveal() == endpoint(text).Reveal() }):
			ps.Add(at, "stands there twice")
		}
		ps = append(ps, c.ValidateAddresses(at, text)...)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		if labelName(name) != name {
			ps.AddHint(problem.Join("labels", name), fmt.Sprintf("write %s", labelName(name)), "%q is not a label's name", name)
		}
	}
	if c.ExpiresAfter != 0 && c.ExpiresAfter < leastExpiry {
		ps.Add("expires_after", "must be %s or more: alerts would end between two messages", leastExpiry)
	}
	return append(ps, c.Options.Validate()...)
}

func (c *Config) expiry() time.Duration {
	if c.ExpiresAfter == 0 {
		return Default().ExpiresAfter
	}
	return c.ExpiresAfter
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"urls": schema.With(schema.Schema{"minItems": 1}, schema.List(schema.URL("http", "https"))), "labels": schema.Schema{"propertyNames": schema.LabelName()},
	}, "urls")
}
