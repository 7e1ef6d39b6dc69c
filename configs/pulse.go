package configs

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// Canary is a message through every receiver on a schedule, to see that each
// still works.
type Canary struct {
	// Every is how often; 0s is never.
	Every time.Duration `yaml:"every"`
	// Receivers get it; left out, all of them.
	Receivers []string `yaml:"receivers"`
}

// Deadman is a ping outward while all is well.
type Deadman struct {
	// URL is pinged; empty is none. Whoever has it can ping.
	URL secret.URL `yaml:"url"`
	// Every is how often.
	Every time.Duration `yaml:"every"`
	// Timeout bounds one ping.
	Timeout time.Duration `yaml:"timeout"`
	Method  string        `yaml:"method"` // GET, HEAD or POST

	// A ping goes where a message of a receiver may.
	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// minPulse keeps a slip of the pen from becoming a flood.
const (
	minCanary  = time.Minute
	minDeadman = time.Second
)

func defaultDeadman() Deadman {
	return Deadman{Every: time.Minute, Timeout: 10 * time.Second, Method: http.MethodGet}
}

func pingMethods() []string { return []string{http.MethodGet, http.MethodHead, http.MethodPost} }

func (c *Config) validateCanary() problem.List {
	var ps problem.List
	if e := c.Canary.Every; e != 0 && e < minCanary {
		ps.AddHint("every", "write for example 24h; 0s is never", "want at least %s", units.Duration(minCanary))
	}
	names := make([]string, len(c.Receivers))
	for i, r := range c.Receivers {
		names[i] = r.Name
	}
	for i, name := range c.Canary.Receivers {
		if !slices.Contains(names, name) {
			ps.AddHint(fmt.Sprintf("receivers[%d]", i), cmp.Or(problem.DidYouMean(name, names), "define it under receivers"), "no receiver is called %q", name).As(problem.UnknownName)
		}
	}
	return ps
}

// CanaryReceivers are the receivers that a canary goes through.
func (c *Config) CanaryReceivers() []string {
	var names []string
	for _, r := range c.Receivers {
		if len(c.Canary.Receivers) == 0 || slices.Contains(c.Canary.Receivers, r.Name) {
			names = append(names, r.Name)
		}
	}
	return names
}

func (d *Deadman) validate() problem.List {
	var ps problem.List
	if !d.URL.Empty() {
		if _, err := httpx.ParseURL(d.URL, "http", "https"); err != nil {
			ps.AddHint("url", "write for example https://hc-ping.com/…", "%s", err)
		}
	}
	if d.Every < minDeadman {
		ps.AddHint("every", "to send none, leave url empty", "want at least %s", units.Duration(minDeadman))
	}
	if d.Timeout <= 0 || d.Timeout > maxTimeout {
		ps.Add("timeout", "want more than 0s and at most %s", units.Duration(maxTimeout))
	}
	oneOf(&ps, "method", d.Method, pingMethods()...)
	ps = append(ps, d.ValidateAddresses("url", d.URL)...)
	return append(ps, d.Validate()...)
}

// JSONSchema says what reflection cannot of the ping's settings.
func (Deadman) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"url": schema.Text(`^$|^https?://.+`, "a URL such as https://hc-ping.com/…"), "every": schema.MoreThanZero(), "timeout": schema.MoreThanZero(),
		"method": schema.Enum(pingMethods()...),
	})
}
