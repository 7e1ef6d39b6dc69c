package plugincheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// Sizes of the larger checks.
const (
	largeAlerts     = 5000
	concurrentCalls = 50
	heavyTimeout    = time.Minute
)

func (s *session) notify(ctx context.Context, timeout time.Duration, config json.RawMessage, n alert.Notification) (notifiers.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := s.process.Notifier.Notify(ctx, &pluginpb.NotifyRequest{
		DeliveryId: n.ID, ConfigJson: config, Notification: pluginpb.NewNotification(&n), Attempt: 1,
	})
	if err != nil {
		return notifiers.Receipt{}, fmt.Errorf("the call failed: %w", err)
	}
	if resp.GetOutcome() == pluginpb.Outcome_OUTCOME_UNSPECIFIED {
		return notifiers.Receipt{}, errors.New("the answer has no outcome")
	}
	return resp.Result()
}

// mixed is a notification of an alert that fires and one that is resolved.
func mixed() alert.Notification {
	n, ended := notifiers.Sample(alert.Firing, 1), notifiers.Sample(alert.Resolved, 2)
	n.ID += "-mixed"
	n.Alerts = append(n.Alerts, ended.Alerts[1])
	return n
}

// takenUp is news that somebody is at it, of a group that is too large to list.
func takenUp() alert.Notification {
	n := notifiers.Sample(alert.Firing, 1)
	n.ID += "-taken"
	n.Reason, n.Quiet, n.Truncated, n.StillFiring = "acknowledged", true, 3, 2
	n.Acks = []alert.Ack{{AlertID: n.Alerts[0].ID, By: "ann", Comment: "looking into it", At: n.At, Severity: n.Alerts[0].Severity}}
	return n
}

func deliver(ctx context.Context, s *session) (string, error) {
	config, err := s.settings()
	if err != nil {
		return "", err
	}
	all := append(notifiers.Samples(), mixed(), takenUp())
	names := [...]string{"firing", "resolved", "posted from outside", "digest", "test", "mixed", "acknowledged"}
	for i := range all {
		all[i].ID = fmt.Sprintf("%s-%d", all[i].ID, i)
		receipt, err := s.notify(ctx, callTimeout, config, all[i])
		if err != nil {
			return "", fmt.Errorf("%s: %w", names[i], err)
		}
		if i == 0 {
			s.reference = receipt.Reference
		}
	}
	return strings.Join(names[:], ", "), nil
}

func referenceComesBack(ctx context.Context, s *session) (string, error) {
	config, err := s.settings()
	if err != nil {
		return "", err
	}
	if s.reference == "" {
		return "", skipped{"it gives no reference"}
	}
	n := notifiers.Sample(alert.Resolved, 2)
	n.ID, n.Seq, n.Reference = n.ID+"-next", 2, s.reference
	if _, err := s.notify(ctx, callTimeout, config, n); err != nil {
		return "", fmt.Errorf("the group's next notification, with the reference %q: %w", s.reference, err)
	}
	n.ID, n.Seq, n.Reference = n.ID+"-lost", 3, "no-such-reference"
	if _, err := s.notify(ctx, callTimeout, config, n); notifiers.IsPermanent(err) {
		return "", fmt.Errorf("a reference that is not known any more is refused for good, and the news with it: %w", err)
	}
	return s.reference, nil
}

func again(ctx context.Context, s *session) (string, error) {
	config, err := s.settings()
	if err != nil {
		return "", err
	}
	n := notifiers.Sample(alert.Firing, 1)
	n.ID += "-again"
	for range 2 {
		if _, err := s.notify(ctx, callTimeout, config, n); err != nil {
			return "", err
		}
	}
	return "the same delivery twice is no error", nil
}

func hostile(ctx context.Context, s *session) (string, error) {
	config, err := s.settings()
	if err != nil {
		return "", err
	}
	n := notifiers.Sample(alert.Firing, 2)
	n.ID += "-hostile"
	a := &n.Alerts[0]
	a.Message = "Überlastung 日本語 🔥 <!channel> & \"quoted\" `code` $(reboot); '\x1b[31mred\x1b[0m\x00\r\nsecond line \u202eturned %s {{ . }}"
	a.Labels = a.Labels.Merge(alert.LabelsOf("attack", "<script>alert(1)</script> ../../etc", "broken", "a\xffb", "huge", strings.Repeat("0123456789", 1024)))
	a.Annotations = map[string]string{"note": strings.Repeat("long & <note> ", 500), "empty": ""}
	if _, err := s.notify(ctx, callTimeout, config, n); err != nil {
		return "", err
	}
	return "other scripts, markup, control characters, a label of 10 KB", nil
}

func large(ctx context.Context, s *session) (string, error) {
	config, err := s.settings()
	if err != nil {
		return "", err
	}
	n := notifiers.Sample(alert.Firing, largeAlerts)
	begun := time.Now()
	if _, err := s.notify(ctx, heavyTimeout, config, n); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d alerts in %s", largeAlerts, time.Since(begun).Round(time.Millisecond)), nil
}

func concurrent(ctx context.Context, s *session) (string, error) {
	config, err := s.settings()
	if err != nil {
		return "", err
	}
	errs := make([]error, concurrentCalls)
	var wg sync.WaitGroup
	begun := time.Now()
	for i := range errs {
		wg.Go(func() {
			n := notifiers.Sample(alert.Firing, 1+i%3)
			n.ID, n.GroupKey = fmt.Sprintf("ntf-concurrent-%d", i), fmt.Sprintf("{}:{n=%d}", i)
			_, errs[i] = s.notify(ctx, heavyTimeout, config, n)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d calls at a time in %s", concurrentCalls, time.Since(begun).Round(time.Millisecond)), nil
}

func retry(ctx context.Context, s *session) (string, error) {
	return s.provoked(ctx, s.options.Retry, "--retry", false)
}

func permanent(ctx context.Context, s *session) (string, error) {
	return s.provoked(ctx, s.options.Permanent, "--permanent", true)
}

// provoked sends with settings that make it fail, and wants it to fail so.
func (s *session) provoked(ctx context.Context, config json.RawMessage, flag string, forGood bool) (string, error) {
	if config == nil {
		return "", skipped{"needs settings that make it fail so: " + flag}
	}
	n := notifiers.Sample(alert.Firing, 1)
	n.ID += flag
	_, err := s.notify(ctx, heavyTimeout, config, n)
	switch {
	case err == nil:
		return "", errors.New("it succeeds")
	case notifiers.IsPermanent(err) != forGood:
		return "", fmt.Errorf("it fails the other way: permanent is %t: %w", !forGood, err)
	}
	detail := err.Error()
	if wait, ok := notifiers.WaitOf(err); ok {
		detail += fmt.Sprintf(" (again after %s)", wait)
	}
	if err := s.works(ctx); err != nil {
		return "", fmt.Errorf("after it: %w", err)
	}
	return detail, nil
}

// works sees that the plugin still answers, after what was done to it.
func (s *session) works(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := s.process.Plugin.Describe(ctx, &pluginpb.DescribeRequest{}); err != nil {
		return fmt.Errorf("it answers no more: %w", err)
	}
	return nil
}
