// Package console tells whoever watches the daemon's output: a line for every
// alert, or a JSON object a line. It is called by the outbox and made in
// cmd/tocsin. No text of an alert reaches the terminal as a control sequence.
package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/schema"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// The formats and the ways of colouring.
const (
	FormatText = "text"
	FormatJSON = "json"

	ColorAuto   = "auto" // on a terminal, unless NO_COLOR is set (no-color.org)
	ColorAlways = "always"
	ColorNever  = "never"
)

// Config is a receiver of type console.
type Config struct {
	Format string `yaml:"format"` // text or json
	Color  string `yaml:"color"`  // auto, always or never; text only
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Format: FormatText, Color: ColorAuto} }

// Validate returns what is wrong with the configuration. An empty setting is
// the default.
func (c *Config) Validate() problem.List {
	var ps problem.List
	check := func(path, got string, allowed ...string) {
		for _, a := range allowed {
			if got == a || got == "" {
				return
			}
		}
		ps.AddHint(path, problem.DidYouMean(got, allowed), "%q is not one of %s", got, strings.Join(allowed, ", "))
	}
	check("format", c.Format, FormatText, FormatJSON)
	check("color", c.Color, ColorAuto, ColorAlways, ColorNever)
	return ps
}

// JSONSchema says what reflection cannot of the settings.
func (Config) JSONSchema() schema.Schema {
	return schema.Object(schema.Schema{
		"format": schema.Enum("", FormatText, FormatJSON), "color": schema.Enum("", ColorAuto, ColorAlways, ColorNever),
	})
}

// Notifier writes to one writer. It is safe for concurrent use: a
// notification's lines stay together.
type Notifier struct {
	json, color bool

	mu sync.Mutex // guards w
	w  io.Writer
}

// New makes a notifier that writes to w.
func New(cfg Config, w io.Writer) (*Notifier, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	return &Notifier{json: cfg.Format == FormatJSON, color: colored(cfg.Color, w), w: w}, nil
}

func colored(setting string, w io.Writer) bool {
	switch setting {
	case ColorAlways:
		return true
	case ColorNever:
		return false
	}
	file, ok := w.(*os.File)
	return ok && os.Getenv("NO_COLOR") == "" && isatty.IsTerminal(file.Fd())
}

// Notify writes n in one Write. An error of the writer may pass (a full disk,
// a pipe that nobody reads).
func (c *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return notifiers.Receipt{}, fmt.Errorf("console: %w", err)
	}
	out, err := c.render(&n)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(fmt.Errorf("console: %w", err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.w.Write(out); err != nil {
		return notifiers.Receipt{}, fmt.Errorf("console: %w", err)
	}
	return notifiers.Receipt{}, nil
}

// Preview returns what Notify would write.
func (c *Notifier) Preview(n alert.Notification) (notifiers.Preview, error) {
	out, err := c.render(&n)
	return notifiers.Preview{ContentType: "text/plain", Body: out}, err
}

func (c *Notifier) render(n *alert.Notification) ([]byte, error) {
	var out bytes.Buffer
	if n.Digest != nil && !c.json {
		fmt.Fprintf(&out, "%s  %s\n", stamp(n.At), plain(notifiers.Title(n)))
	}
	for i := range n.Alerts {
		if !c.json {
			c.writeText(&out, n, &n.Alerts[i])
			continue
		}
		// json.Encoder escapes what a terminal would obey, but not DEL and C1.
		if err := json.NewEncoder(&out).Encode(lineOf(n, &n.Alerts[i])); err != nil {
			return nil, err
		}
	}
	if n.Truncated > 0 && !c.json {
		fmt.Fprintf(&out, "%s  %s\n", stamp(n.At), plain(notifiers.AndMore(n, n.Truncated)))
	}
	return out.Bytes(), nil
}

// writeText writes one alert as one line:
//
//	2024-01-15 10:00:00Z  CRITICAL  cache-hit-rate  Cache hit rate below 70%  62.1% (threshold 70%)  for 15m  {strategy="USER_RUNS"}
func (c *Notifier) writeText(out *bytes.Buffer, n *alert.Notification, a *alert.Alert) {
	word := notifiers.StateWord(a)
	if n.Kind != alert.KindAlerts {
		word = strings.ToUpper(plain(string(n.Kind))) // no news of an alert
	}
	word = fmt.Sprintf("%-8s", word)
	if c.color {
		word = sgr(a) + word + "\x1b[0m"
	}
	parts := []string{stamp(n.At), word, plain(a.Rule), plain(notifiers.Message(a))}
	if n.Kind == alert.KindAlerts {
		if measured := notifiers.Measured(a); measured != "" {
			parts = append(parts, plain(measured))
		}
		parts = append(parts, "for "+notifiers.LastedText(a, n.At))
	}
	if peak := notifiers.Peak(a); peak != "" {
		parts = append(parts, "peak "+peak)
	}
	if labels := notifiers.OwnLabels(a); len(labels) > 0 {
		parts = append(parts, plain(labels.String()))
	}
	out.WriteString(strings.Join(parts, "  ") + "\n")
}

// line is one alert as one JSON object.
type line struct {
	Time      time.Time         `json:"time"`
	ID        string            `json:"id"` // the notification's, the same over retries
	Receiver  string            `json:"receiver"`
	Kind      string            `json:"kind,omitempty"` // test, canary or warning; left out for alerts
	State     alert.State       `json:"state"`
	Severity  alert.Severity    `json:"severity"`
	Rule      string            `json:"rule"`
	Message   string            `json:"message"`
	Value     alert.Number      `json:"value"`
	Threshold alert.Number      `json:"threshold"`
	Peak      alert.Number      `json:"peak"`
	Duration  float64           `json:"duration_seconds"`
	Unit      string            `json:"unit"`
	Labels    map[string]string `json:"labels"`
	StartsAt  time.Time         `json:"starts_at"`
	EndsAt    *time.Time        `json:"ends_at"` // null while it fires
	AlertID   string            `json:"alert_id"`
	Reason    string            `json:"reason"`
	Truncated int               `json:"truncated"`
	// ListURL is where what is left out is listed; left out where nothing is, and
	// a path where Tocsin does not know where it is reached.
	ListURL string `json:"list_url,omitempty"`
}

func lineOf(n *alert.Notification, a *alert.Alert) line {
	l := line{
		Time: n.At.UTC(), ID: plain(n.ID), Receiver: plain(n.Receiver), Kind: plain(string(n.Kind)), State: a.State, Severity: a.Severity,
		Rule: plain(a.Rule), Message: plain(notifiers.Message(a)),
		Value: a.Value, Threshold: a.Threshold, Peak: a.Peak, Unit: a.Unit, Duration: notifiers.Lasted(a, n.At).Seconds(),
		Labels: map[string]string{}, StartsAt: notifiers.Began(a).UTC(),
		AlertID: plain(a.ID), Reason: plain(n.Reason), Truncated: n.Truncated,
	}
	for _, label := range a.Labels {
		l.Labels[plain(label.Name)] = plain(label.Value)
	}
	if n.Truncated > 0 {
		l.ListURL = plain(cmp.Or(notifiers.ListURL(n), notifiers.ListPath(n)))
	}
	if !a.Active() {
		ends := a.EndsAt.UTC()
		l.EndsAt = &ends
	}
	return l
}

// maxRunes bounds one text: a terminal is no place for a label of 10 KB.
const maxRunes = 1000

func plain(s string) string { return notifiers.Clip(notifiers.Plain(s), maxRunes) }

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05Z") }

// sgr begins a colour: ECMA-48, Select Graphic Rendition.
func sgr(a *alert.Alert) string {
	if !a.Active() {
		return "\x1b[32m" // green
	}
	switch a.Severity {
	case alert.Critical:
		return "\x1b[1;31m" // bold red
	case alert.Warning:
		return "\x1b[33m" // yellow
	case alert.Info, alert.OK:
		return "\x1b[36m" // cyan
	}
	return ""
}
