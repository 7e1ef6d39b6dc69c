package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"sync"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/client"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

const (
	daemonFlag = "--daemon"
	// maxSeries is the most that the daemon tells of one metric.
	maxSeries = 10_000
)

// seenSeries asks a running daemon which label sets metrics have, each metric
// once. After a failure it asks no more: the daemon is down, or the token wrong.
// It is safe for concurrent use.
type seenSeries struct {
	client *client.Client

	mu     sync.Mutex // guards what follows
	known  map[string]answer
	failed error
}

// seenFunc returns the label sets of a metric, and whether they are all.
type seenFunc func(metric string) (series []alert.Labels, all bool)

type answer struct {
	series []alert.Labels
	all    bool
}

func newSeenSeries(base string, token secret.String) (*seenSeries, error) {
	c, err := client.New(base, token)
	if err != nil {
		return nil, err
	}
	return &seenSeries{client: c, known: map[string]answer{}}, nil
}

// of returns the label sets of a metric, and whether they are all.
func (s *seenSeries) of(ctx context.Context, metric string) ([]alert.Labels, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return nil, false
	}
	a, ok := s.known[metric]
	if !ok {
		if a, s.failed = s.ask(ctx, metric); s.failed != nil {
			return nil, false
		}
		s.known[metric] = a
	}
	return a.series, a.all
}

func (s *seenSeries) ask(ctx context.Context, metric string) (answer, error) {
	body, err := s.client.Get(ctx, "/api/v1/series", url.Values{"metric": {metric}, "limit": {strconv.Itoa(maxSeries)}})
	if err != nil {
		return answer{}, err
	}
	var doc struct {
		Series []struct {
			Labels alert.Labels `json:"labels"`
		} `json:"series"`
		Total *int `json:"total"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || doc.Total == nil {
		return answer{}, fmt.Errorf("what answers at %s is not a Tocsin, or one of another version", s.client.Base())
	}
	a := answer{all: len(doc.Series) == *doc.Total}
	for _, one := range doc.Series {
		a.series = append(a.series, one.Labels)
	}
	return a, nil
}

// mistakes tells that the daemon could not be asked.
func (s *seenSeries) mistakes() yamlpos.Mistakes {
	if s == nil || s.failed == nil {
		return nil
	}
	return yamlpos.Mistakes{{File: daemonFlag, Code: problem.Unreadable, Unread: true, Message: "cannot ask the daemon: " + s.failed.Error()}}
}
