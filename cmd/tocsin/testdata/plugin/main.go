// Command plugin is what the tests of plugins tell and poll: a receiver that
// posts what it is told to a URL, or, with the argument source, a source that
// reads one number from there.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins"
	"github.com/tocsin-dev/tocsin/source"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "source" {
		metrics := []plugins.Metric{{Name: "queue.depth", Help: "jobs that wait"}, {Name: "queue.age", Unit: "s", Help: "of the oldest job"}}
		plugins.Serve(plugins.Source("number", "1.0.0", none, metrics, newSource))
		return
	}
	plugins.Serve(plugins.Notifier("sink", "1.0.0", none, newSink))
}

type config struct {
	URL   string         `json:"url" required:"true" doc:"where to"`
	Token plugins.Secret `json:"token"`
	Tries int            `json:"tries"`
	To    []string       `json:"to"`
}

// Validate refuses what the types cannot.
func (c *config) Validate() plugins.Problems {
	var ps plugins.Problems
	for i, to := range c.To {
		if !strings.HasPrefix(to, "#") {
			ps.Add(fmt.Sprintf("to[%d]", i), "a channel begins with #")
		}
	}
	return ps
}

func none() config { return config{} }

type sink struct{ config }

func newSink(c config) (notifiers.Notifier, error) { return &sink{c}, nil }

// Notify posts the notification, and its reference: the group's counter.
func (s *sink) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	body, err := json.Marshal(struct {
		alert.Notification
		Before string `json:"before"`
		Token  string `json:"token"`
	}{n, n.Reference, s.Token.Reveal()})
	if err != nil {
		return notifiers.Receipt{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return notifiers.Receipt{}, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return notifiers.Receipt{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return notifiers.Receipt{Status: answer.StatusCode}, fmt.Errorf("the sink answered %d", answer.StatusCode)
	}
	return notifiers.Receipt{Reference: "seq-" + strconv.FormatInt(n.Seq, 10)}, nil
}

type number struct{ config }

func newSource(c config) (source.Source, error) { return &number{c}, nil }

// Poll reads the number.
func (n *number) Poll(ctx context.Context) (source.Reading, error) {
	var reading source.Reading
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL, http.NoBody)
	if err != nil {
		return reading, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return reading, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return reading, err
	}
	value, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err == nil {
		reading.Add("queue.depth", value, "queue", "jobs")
		reading.Add("queue.age", value)
	}
	return reading, err
}

// Close has nothing to do.
func (n *number) Close() error { return nil }
