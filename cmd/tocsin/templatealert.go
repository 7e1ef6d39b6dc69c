package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
)

// readNotification reads what a receiver is to be shown: alerts as the API gives
// them, a notification, or what Alertmanager's API and webhook have.
func readNotification(data []byte) (alert.Notification, error) {
	var n alert.Notification
	items := []json.RawMessage{data}
	switch data = bytes.TrimSpace(data); {
	case len(data) == 0:
		return n, errors.New("empty; want the JSON of an alert")
	case data[0] == '[':
		if err := json.Unmarshal(data, &items); err != nil {
			return n, notJSON(err)
		}
	default:
		var list struct {
			Data   json.RawMessage   `json:"data"` // of format standard
			Alert  json.RawMessage   `json:"alert"`
			Alerts []json.RawMessage `json:"alerts"`
		}
		if err := json.Unmarshal(data, &list); err != nil {
			return n, notJSON(err)
		}
		switch {
		case list.Data != nil:
			return readNotification(list.Data)
		case list.Alert != nil:
			return readNotification(list.Alert)
		case list.Alerts != nil:
			items = list.Alerts
			readFrame(data, &n)
		}
	}
	if len(items) == 0 {
		return n, errors.New("holds no alert")
	}
	for i, item := range items {
		a, err := readAlert(item)
		if err != nil {
			return n, fmt.Errorf("alert %d: %w", i+1, err)
		}
		n.Alerts = append(n.Alerts, a)
	}
	complete(&n)
	return n, nil
}

func notJSON(err error) error { return fmt.Errorf("not the JSON of an alert: %w", err) }

// readFrame takes what a notification has beside its alerts. The names are ours;
// where Alertmanager has others, what is missing is made of the alerts.
func readFrame(data []byte, n *alert.Notification) {
	var frame struct {
		ID          string       `json:"id"`
		GroupKey    string       `json:"group_key"`
		AMKey       string       `json:"groupKey"`
		GroupLabels alert.Labels `json:"group_labels"`
		AMLabels    alert.Labels `json:"groupLabels"`
		Reason      string       `json:"reason"`
		StillFiring int          `json:"still_firing"`
		Truncated   int          `json:"truncated"`
		AMTruncated int          `json:"truncatedAlerts"`
		At          time.Time    `json:"at"`
	}
	// Part of it may be of another form: what was read until there serves.
	_ = json.Unmarshal(data, &frame)
	n.ID, n.Reason, n.StillFiring, n.At = frame.ID, frame.Reason, frame.StillFiring, frame.At
	n.GroupKey, n.GroupLabels, n.Truncated = frame.GroupKey, frame.GroupLabels, frame.Truncated
	if n.GroupKey == "" {
		n.GroupKey, n.GroupLabels, n.Truncated = frame.AMKey, frame.AMLabels, frame.AMTruncated
	}
}

// readAlert reads one alert of ours, or of Alertmanager's.
func readAlert(data []byte) (alert.Alert, error) {
	var probe struct {
		Rule        *string           `json:"rule"`
		Labels      alert.Labels      `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Status      json.RawMessage   `json:"status"` // a word in a webhook, an object in the API
		StartsAt    time.Time         `json:"startsAt"`
		EndsAt      time.Time         `json:"endsAt"`
		Generator   string            `json:"generatorURL"`
	}
	if err := json.Unmarshal(data, &probe); err != nil {
		return alert.Alert{}, notJSON(err)
	}
	if probe.Rule != nil {
		a := alert.Alert{Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown()}
		if err := json.Unmarshal(data, &a); err != nil {
			return a, notJSON(err)
		}
		return a, nil
	}
	if len(probe.Labels) == 0 {
		return alert.Alert{}, errors.New("has no labels")
	}
	severity, err := alert.ParseSeverity(probe.Labels.Get(alert.LabelSeverity))
	if err != nil {
		severity = alert.Info
	}
	a := alert.Alert{
		Fingerprint: probe.Labels.Fingerprint(), Rule: probe.Labels.Get(alert.LabelName), Labels: probe.Labels, Annotations: probe.Annotations,
		State: alert.Firing, Severity: severity, Worst: severity, Value: alert.Unknown(), Threshold: alert.Unknown(), Peak: alert.Unknown(),
		StartsAt: probe.StartsAt, Message: cmp.Or(probe.Annotations["summary"], probe.Annotations["message"], probe.Annotations["description"], probe.Annotations["title"]), Outside: &alert.Outside{GeneratorURL: probe.Generator},
	}
	if string(probe.Status) == `"resolved"` || !probe.EndsAt.IsZero() && probe.EndsAt.Before(time.Now()) {
		a.State, a.EndsAt = alert.Resolved, probe.EndsAt
	}
	a.ID = alert.NewID(a.Fingerprint, a.StartsAt)
	return a, nil
}

// complete fills in what a notification always has.
func complete(n *alert.Notification) {
	now := time.Now().UTC()
	if n.At.IsZero() {
		n.At = now
	}
	n.Opened, n.Seq, n.Status = n.At, 1, alert.Resolved
	for i := range n.Alerts {
		a := &n.Alerts[i]
		if a.StartsAt.IsZero() {
			a.StartsAt = n.At
		}
		if a.Active() {
			n.Status = alert.Firing
		}
	}
	if n.GroupKey == "" {
		n.GroupLabels = alert.LabelsOf(alert.LabelName, n.Alerts[0].Rule)
		n.GroupKey = "{}:" + n.GroupLabels.String()
	}
	if n.ID == "" {
		n.ID = alert.NewID(n.Alerts[0].Fingerprint, n.At)
	}
	if n.Reason == "" {
		n.Reason = "shown"
	}
}
