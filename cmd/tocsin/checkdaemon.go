package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/problem"
	"github.com/tocsin-dev/tocsin/internal/secret"
	"github.com/tocsin-dev/tocsin/internal/yamlpos"
)

const (
	daemonFlag = "--daemon"
	// askTimeout bounds one question to the daemon.
	askTimeout = 10 * time.Second
	// maxSeries is the most that the daemon tells of one metric, maxAnswerBytes
	// the most that is read of it.
	maxSeries      = 10_000
	maxAnswerBytes = 64 << 20
)

// seenSeries asks a running daemon which label sets metrics have, each metric
// once. After a failure it asks no more: the daemon is down, or the token wrong.
type seenSeries struct {
	base   string
	token  secret.String
	client *http.Client
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
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("want a URL such as http://127.0.0.1:9590")
	}
	return &seenSeries{
		base: strings.TrimRight(base, "/"), token: token, known: map[string]answer{},
		client: &http.Client{Timeout: askTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// of returns the label sets of a metric, and whether they are all.
func (s *seenSeries) of(ctx context.Context, metric string) ([]alert.Labels, bool) {
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
	query := url.Values{"metric": {metric}, "limit": {fmt.Sprint(maxSeries)}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/api/v1/series?"+query.Encode(), http.NoBody)
	if err != nil {
		return answer{}, errors.New("not a URL")
	}
	if !s.token.Empty() {
		req.Header.Set("Authorization", "Bearer "+s.token.Reveal())
	}
	res, err := s.client.Do(req)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err // the URL is known to whoever wrote it
		}
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	return decodeAnswer(res)
}

func decodeAnswer(res *http.Response) (answer, error) {
	var doc struct {
		Series []struct {
			Labels alert.Labels `json:"labels"`
		} `json:"series"`
		Total *int `json:"total"`
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return answer{}, errors.New("it wants a token; give --token")
	case res.StatusCode == http.StatusNotFound:
		return answer{}, errors.New("it has no /api/v1/series: is it a Tocsin, and of this version?")
	case res.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("it answers %s", res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswerBytes)).Decode(&doc); err != nil || doc.Total == nil {
		return answer{}, errors.New("its answer cannot be read: is it a Tocsin?")
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
