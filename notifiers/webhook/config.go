package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/net/http/httpguts"

	"github.com/tocsin-dev/tocsin/internal/httpx"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// The formats of a body.
const (
	// FormatAlertmanager is the payload of Alertmanager's webhook receiver,
	// version 4, so that what receives it already works.
	FormatAlertmanager = "alertmanager"
	// FormatStandard is {type, timestamp, data} as the Standard Webhooks
	// specification recommends; data is the whole alert.Notification.
	FormatStandard = "standard"
	// FormatCloudEvents is a CloudEvent 1.0 in JSON, with the same data.
	FormatCloudEvents = "cloudevents"
	// FormatCloudEventsBinary has the event's attributes in headers, and its data
	// alone as the body.
	FormatCloudEventsBinary = "cloudevents-binary"
	// FormatTemplate is what Body makes of the notification.
	FormatTemplate = "template"
)

const jsonType = "application/json"

// Config is a receiver of type webhook.
type Config struct {
	// URL takes the requests: http:// or https://.
	URL secret.URL `yaml:"url"`
	// Format is alertmanager, standard, cloudevents, cloudevents-binary or
	// template; empty is alertmanager, or template when there is a Body.
	Format string `yaml:"format"`
	Method string `yaml:"method"` // POST or PUT
	// Body is a text/template over alert.Notification, with the functions
	// json, quantity, duration, upper, lower, join, title and list_url.
	Body        string `yaml:"body"`
	ContentType string `yaml:"content_type"` // empty is what the format has, most often application/json

	// Secret signs by the Standard Webhooks specification, in every format:
	// whsec_ and base64, base64 of 24 bytes or more, or any other text as it is.
	Secret secret.String `yaml:"secret"`
	// PreviousSecret signs too, so that receivers can change over one by one.
	PreviousSecret secret.String `yaml:"previous_secret"`
	// Secrets are both in one list instead, the new one first.
	Secrets []secret.String `yaml:"secrets"`

	// MaxAlerts is how many alerts one message carries; the rest is counted.
	// 0 is all of them.
	MaxAlerts int `yaml:"max_alerts"`

	notifiers.Addresses `yaml:",inline"`
	httpx.Options       `yaml:",inline"`
}

// Client makes a client that goes where the configuration lets it.
func (c *Config) Client(timeout time.Duration) (*http.Client, error) {
	return c.HTTPClient(c.Options, timeout)
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Method: http.MethodPost} }

// format returns the format in force.
func (c *Config) format() string {
	switch {
	case c.Format != "":
		return c.Format
	case c.Body != "":
		return FormatTemplate
	}
	return FormatAlertmanager
}

func (c *Config) contentType() string {
	switch {
	case c.ContentType != "":
		return c.ContentType
	case c.format() == FormatCloudEvents:
		return cloudEventsType
	}
	return jsonType
}

func formats() []string {
	return []string{FormatAlertmanager, FormatStandard, FormatCloudEvents, FormatCloudEventsBinary, FormatTemplate}
}

// Validate returns what is wrong with the configuration, the template's
// mistakes included: it is parsed, and executed with a sample.
func (c *Config) Validate() problem.List {
	var ps problem.List
	if _, err := httpx.ParseURL(c.URL, "http", "https"); err != nil {
		ps.AddHint("url", "write for example https://host/hook", "%s", err)
	}
	switch c.format() {
	case FormatAlertmanager, FormatStandard, FormatCloudEvents, FormatCloudEventsBinary:
		if c.Body != "" {
			ps.AddHint("body", "take format away, or write format: template", "format %s has a body of its own", c.Format)
		}
	case FormatTemplate:
		if _, err := parseBody(c); err != nil {
			ps.Add("body", "%s", err)
		}
	default:
		ps.AddHint("format", problem.DidYouMean(c.Format, formats()),
			"unknown format %q; want %s", c.Format, strings.Join(formats(), ", "))
	}
	if c.Method != "" && c.Method != http.MethodPost && c.Method != http.MethodPut {
		ps.Add("method", "%q is not POST or PUT", c.Method)
	}
	if _, _, err := mime.ParseMediaType(c.contentType()); err != nil || !httpguts.ValidHeaderFieldValue(c.contentType()) {
		ps.AddHint("content_type", "write for example text/plain", "%q is not a media type", c.ContentType)
	}
	if c.MaxAlerts < 0 {
		ps.Add("max_alerts", "must not be negative; 0 is all")
	}
	ps = append(ps, c.validateSecrets()...)
	ps = append(ps, c.ValidateAddresses("url", c.URL)...)
	ps = append(ps, c.Options.Validate()...)
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"url":        schema.URL("http", "https"),
		"format":     schema.Enum(append([]string{""}, formats()...)...),
		"method":     schema.Enum("", http.MethodPost, http.MethodPut),
		"max_alerts": schema.AtLeast(0),
	}, "url")
}

// maxSecrets is how many sign one message: the new one and the old.
const maxSecrets = 2

func (c *Config) validateSecrets() problem.List {
	var ps problem.List
	check := func(path string, s secret.String) {
		if _, err := signer(s); err != nil {
			ps.Add(path, "%s", err)
		}
	}
	check("secret", c.Secret)
	check("previous_secret", c.PreviousSecret)
	for i, s := range c.Secrets {
		check(fmt.Sprintf("secrets[%d]", i), s)
	}
	switch {
	case len(c.Secrets) > maxSecrets:
		ps.Add("secrets", "more than %d: the new one and the old", maxSecrets)
	case len(c.Secrets) > 0 && (!c.Secret.Empty() || !c.PreviousSecret.Empty()):
		ps.AddHint("secrets", "take the others away", "only one of secrets and secret can be used")
	case len(c.Secrets) > 0 && c.Secrets[0].Empty():
		ps.Add("secrets[0]", "empty: nothing would be signed with it")
	}
	if c.Secret.Empty() && !c.PreviousSecret.Empty() {
		ps.Add("previous_secret", "there is no secret beside it")
	}
	return ps
}

// signing returns the secrets in force, the present one first; without any,
// messages are not signed. One that is empty is left out.
func (c *Config) signing() []secret.String {
	all := append([]secret.String{c.Secret, c.PreviousSecret}, c.Secrets...)
	return slices.DeleteFunc(all, func(s secret.String) bool { return s.Empty() })
}

// minKeyBytes is the shortest key that the Standard Webhooks specification
// recommends.
const minKeyBytes = 24

// signer makes the signer of a secret; nil when there is none.
func signer(s secret.String) (*standardwebhooks.Webhook, error) {
	text := s.Reveal()
	if text == "" {
		return nil, nil //nolint:nilnil // no secret is no mistake
	}
	key := []byte(text)
	if encoded, ok := strings.CutPrefix(text, "whsec_"); ok {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(decoded) == 0 {
			// The decoder's error would tell of the secret's bytes.
			return nil, errors.New("what follows whsec_ is not base64")
		}
		key = decoded
	} else if decoded, err := base64.StdEncoding.DecodeString(text); err == nil && len(decoded) >= minKeyBytes {
		// The specification's libraries take a secret without its prefix for
		// base64; a text that could be a key of the length that it asks for is
		// taken for one here too.
		key = decoded
	}
	return standardwebhooks.NewWebhookRaw(key)
}
