package amv2

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// postable is an alert as the schema has it.
type postable struct {
	Annotations  map[string]string `json:"annotations"`
	EndsAt       dateTime          `json:"endsAt"`
	StartsAt     dateTime          `json:"startsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Labels       map[string]string `json:"labels"`
}

// dateTime is a time in any form that Alertmanager takes.
type dateTime struct{ time.Time }

// UnmarshalJSON reads a string, and leaves the time as it is for null.
func (t *dateTime) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	at, err := parseTime(text)
	t.Time = at
	return err
}

// decodeSlowly appends the alerts of a body.
func decodeSlowly(body string, to []alert.Posted) ([]alert.Posted, error) {
	var items []*postable
	if err := decodeOne(body, "alerts", &items); err != nil {
		return nil, err
	}
	for i, item := range items {
		switch {
		case item == nil: // Alertmanager crashes here
			return nil, unprocessable(codeRequired, fmt.Sprintf("%d in body is required", i))
		case item.GeneratorURL != "" && !isURI(item.GeneratorURL):
			return nil, unprocessable(codeInvalidType, fmt.Sprintf("%d.generatorURL in body must be of type uri: %q", i, item.GeneratorURL))
		case item.Labels == nil:
			return nil, unprocessable(codeRequired, fmt.Sprintf("%d.labels in body is required", i))
		}
		to = append(to, alert.Posted{
			Labels: alert.FromMap(item.Labels), Annotations: allOf(item.Annotations),
			StartsAt: item.StartsAt.Time, EndsAt: item.EndsAt.Time, GeneratorURL: item.GeneratorURL,
		})
	}
	return to, nil
}

// decodeOne reads the first JSON value of a body, and nothing behind it.
func decodeOne(body, what string, into any) error {
	err := json.NewDecoder(strings.NewReader(body)).Decode(into)
	switch {
	case errors.Is(err, io.EOF): // no value at all; one cut off is another error
		return unprocessable(codeRequired, what+" in body is required")
	case err != nil:
		return unreadable(what, err)
	}
	return nil
}

// allOf makes a set of a map, with what is empty.
func allOf(m map[string]string) alert.Labels {
	set := make([]alert.Label, 0, len(m))
	for name, value := range m {
		set = append(set, alert.Label{Name: name, Value: value})
	}
	return sortSet(set)
}

// isURI is what go-openapi takes for one.
func isURI(s string) bool {
	before, _, _ := strings.Cut(s, "#")
	_, err := url.ParseRequestURI(before)
	return err == nil
}
