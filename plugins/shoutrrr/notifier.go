package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/url"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins"
)

// Config is one receiver of the type shoutrrr.
type Config struct {
	URL     plugins.SecretURL `json:"url" required:"true" doc:"the service's URL as shoutrrr documents it, as in gotify://host/token"`
	Title   notifiers.Text    `json:"title" doc:"a template for the title"`
	Message notifiers.Text    `json:"message" doc:"a template for the text"`
	Most    int               `json:"most" doc:"how many alerts are listed; for the others a count is told"`
}

// Default returns the configuration before the operator's settings.
func Default() Config { return Config{Most: 20} }

// Validate returns what is wrong with the configuration. It asks no service.
func (c *Config) Validate() plugins.Problems {
	ps := c.checkURL()
	if c.Most < 1 {
		ps.Add("most", "is %d, and must be 1 or more", c.Most)
	}
	ps = append(ps, c.Title.Check("title")...)
	return append(ps, c.Message.Check("message")...)
}

func (c *Config) checkURL() (ps plugins.Problems) {
	u, err := url.Parse(c.URL.Reveal())
	if err != nil {
		ps.Add("url", "is no URL") // the error would show it
		return ps
	}
	if u.Scheme == "" {
		ps.AddHint("url", "write for example gotify://gotify.example.com/TOKEN", "begins with no service")
		return ps
	}
	known := (&router.ServiceRouter{}).ListServices()
	slices.Sort(known)
	name, _, _ := strings.Cut(u.Scheme, "+")
	if !slices.Contains(known, strings.ToLower(name)) {
		hint := problem.DidYouMean(name, known)
		if hint == "" {
			hint = "there are " + strings.Join(known, ", ")
		}
		ps.AddHint("url", hint, "shoutrrr knows no service %q", name)
		return ps
	}
	if strings.EqualFold(name, "matrix") {
		return nil // the library logs in as soon as it reads the URL
	}
	if _, err := (&router.ServiceRouter{}).Locate(c.URL.Reveal()); err != nil {
		ps.Add("url", "%s", c.clean(err.Error()))
	}
	return ps
}

// Notifier tells one service.
type Notifier struct {
	cfg Config
	// idle are services that nobody uses at the moment: some keep what they are
	// sending in themselves, so that each serves one call at a time.
	idle chan types.Service
}

// maxIdle is how many services wait for the next call.
const maxIdle = 8

// New returns a notifier. It asks no service.
func New(cfg Config) (notifiers.Notifier, error) {
	return &Notifier{cfg: cfg, idle: make(chan types.Service, maxIdle)}, nil
}

// Notify sends n as one message. The library takes no context: a call that
// outlives its deadline ends by itself, and its message may arrive all the same.
func (s *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	texts := notifiers.TextsOf(&n)
	title := texts.Text("title", &s.cfg.Title, func() string { return notifiers.Plain(notifiers.Title(&n)) })
	message := texts.Text("message", &s.cfg.Message, func() string { return s.lines(&n) })
	done := make(chan error, 1)
	go func() { done <- s.send(title, message) }()
	select {
	case err := <-done:
		return notifiers.Receipt{Note: texts.Failed()}, s.cfg.sorted(err)
	case <-ctx.Done():
		return notifiers.Receipt{}, fmt.Errorf("no answer: %w", ctx.Err())
	}
}

func (s *Notifier) send(title, message string) (err error) {
	defer func() {
		if p := recover(); p != nil { // a goroutine of its own: nobody else would catch it
			err = fmt.Errorf("the library panicked: %v", p)
		}
	}()
	service, err := s.service()
	if err != nil {
		return err
	}
	params := types.Params{}
	params.SetTitle(title)
	if err := service.Send(message, &params); err != nil {
		return err
	}
	select {
	case s.idle <- service:
	default:
	}
	return nil
}

func (s *Notifier) service() (types.Service, error) {
	select {
	case service := <-s.idle:
		return service, nil
	default:
	}
	router, err := router.New(log.New(io.Discard, "", 0)) // its lines hold tokens
	if err != nil {
		return nil, err
	}
	return router.Locate(s.cfg.URL.Reveal())
}

// lines is the message where there is no template: a line an alert.
func (s *Notifier) lines(n *alert.Notification) string {
	var out []string
	shown := n.Alerts[:min(len(n.Alerts), s.cfg.Most)]
	for i := range shown {
		a := &shown[i]
		line := notifiers.StateWord(a) + ": " + notifiers.Message(a)
		if measured := notifiers.Measured(a); measured != "" {
			line += " [" + measured + "]"
		}
		out = append(out, notifiers.Plain(line))
	}
	if left := len(n.Alerts) - len(shown) + n.Truncated; left > 0 {
		out = append(out, notifiers.Plain(notifiers.AndMore(n, left)))
	}
	if n.Kind == alert.KindAlerts && len(n.Alerts) == 1 && n.ExternalURL != "" {
		out = append(out, notifiers.AlertURL(n, &n.Alerts[0]))
	}
	return strings.Join(out, "\n")
}
