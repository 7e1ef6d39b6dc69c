package plugincheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// How long a plugin may take to end.
const (
	endTimeout   = 5 * time.Second
	drainTimeout = 15 * time.Second // with a call on its way
)

// call is one call of the plugin's kind, with settings.
func (s *session) call(ctx context.Context, p *process, config json.RawMessage) error {
	for _, k := range s.about.GetKinds() {
		if k == pluginpb.Kind_KIND_SOURCE {
			resp, err := p.Source.Poll(ctx, &pluginpb.PollRequest{Name: "test", ConfigJson: config})
			if err == nil && resp.GetError() != "" {
				err = errors.New(resp.GetError())
			}
			return err
		}
	}
	n := notifiers.Sample(alert.Firing, 1)
	n.ID += "-call"
	resp, err := p.Notifier.Notify(ctx, &pluginpb.NotifyRequest{DeliveryId: n.ID, ConfigJson: config, Notification: pluginpb.NewNotification(&n)})
	if err == nil {
		_, err = resp.Result()
	}
	return err
}

// deadline gives a slow call less time than it takes. The plugin must let go of
// it, and answer the next.
func deadline(ctx context.Context, s *session) (string, error) {
	config, limit := s.options.Slow, 300*time.Millisecond
	if config == nil {
		config, limit = s.config, time.Millisecond
	}
	if config == nil || s.about == nil {
		return "", skipped{"needs settings: --config, or --slow"}
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := s.call(short, s.process, config)
	if s.options.Slow != nil && err == nil {
		return "", fmt.Errorf("the call with the settings of --slow was done within %s", limit)
	}
	if err := s.works(ctx); err != nil {
		return "", err
	}
	if s.options.Slow == nil {
		return "it lives on after a deadline (--slow would show whether it keeps one)", nil
	}
	return fmt.Sprintf("a slow call was let go after %s", limit), nil
}

// garbage sends what no host sends. The answer may be anything but success, and
// the process must live.
func garbage(ctx context.Context, s *session) (string, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if s.about == nil {
		return "", skipped{"there is no description"}
	}
	if err := s.call(short, s.process, json.RawMessage("\x00{garbage")); status.Code(err) == codes.Unavailable {
		return "", fmt.Errorf("settings that are no JSON ended it: %w", err)
	}
	if s.process.Notifier != nil {
		resp, err := s.process.Notifier.Notify(short, &pluginpb.NotifyRequest{})
		if err == nil && resp.GetOutcome() == pluginpb.Outcome_OUTCOME_OK {
			return "", errors.New("a call without settings and notification succeeds")
		}
	}
	if _, err := s.process.Plugin.ValidateConfig(short, &pluginpb.ValidateConfigRequest{ConfigJson: []byte("{")}); status.Code(err) == codes.Unavailable {
		return "", fmt.Errorf("settings that are no JSON ended it: %w", err)
	}
	return "refused, and it lives on", s.works(ctx)
}

func terminated(ctx context.Context, s *session) (string, error) {
	begun := time.Now()
	if err := terminate(s.process.cmd); err != nil {
		return "", skipped{err.Error()}
	}
	if err := gone(ctx, s.process, endTimeout); err != nil {
		return "", fmt.Errorf("after SIGTERM %w", err)
	}
	detail := fmt.Sprintf("ended %s after SIGTERM", time.Since(begun).Round(time.Millisecond))
	if left := s.process.sockets(); len(left) > 0 {
		return "", fmt.Errorf("it left its socket behind: %v", left)
	}
	return detail, nil
}

// terminatedBusy asks for the end while a call is on its way.
func terminatedBusy(ctx context.Context, s *session) (string, error) {
	if s.options.Slow == nil {
		return "", skipped{"needs settings with which a call takes a while: --slow"}
	}
	long, cancel := context.WithTimeout(ctx, heavyTimeout)
	defer cancel()
	p, done := s.process, make(chan error, 1)
	go func() { done <- s.call(long, p, s.options.Slow) }()
	wait(ctx, 300*time.Millisecond)
	begun := time.Now()
	if err := terminate(p.cmd); err != nil {
		cancel()
		return "", skipped{errors.Join(err, <-done).Error()}
	}
	err := gone(ctx, p, drainTimeout)
	took := time.Since(begun).Round(time.Millisecond)
	cancel()
	told := <-done
	if err != nil {
		return "", fmt.Errorf("after SIGTERM with a call on its way %w", err)
	}
	if told != nil {
		return fmt.Sprintf("ended after %s; the call was cut off and is sent again", took), nil
	}
	return fmt.Sprintf("the call was finished; ended after %s", took), nil
}

// killed ends the plugin in the middle of a call: the caller must get an error,
// nothing may stay, and the next start must work.
func killed(ctx context.Context, s *session) (string, error) {
	config := s.options.Slow
	if config == nil {
		config = s.config
	}
	long, cancel := context.WithTimeout(ctx, heavyTimeout)
	defer cancel()
	p, done := s.process, make(chan error, 1)
	if config != nil && s.about != nil {
		go func() { done <- s.call(long, p, config) }()
		wait(ctx, 50*time.Millisecond)
	} else {
		done <- nil
	}
	if err := kill(p.cmd); err != nil {
		return "", err
	}
	told := <-done
	if s.options.Slow != nil && told == nil {
		return "", errors.New("the call of a killed plugin succeeded")
	}
	if err := gone(ctx, p, endTimeout); err != nil {
		return "", fmt.Errorf("after kill -9 %w", err)
	}
	if err := s.alive(ctx); err != nil {
		return "", err
	}
	if s.config != nil {
		if err := s.call(long, s.process, s.config); err != nil {
			return "", fmt.Errorf("after the restart: %w", err)
		}
	}
	if told == nil {
		return "nothing stays, and it starts again (--slow would catch it in a call)", nil
	}
	return "the caller was told, nothing stays, and it starts again", nil
}

// orphan kills the process that started the plugin, which nobody can announce:
// the plugin must see it and end.
func orphan(ctx context.Context, s *session) (string, error) {
	h := s.how
	h.orphaned = true
	p, err := s.options.start(ctx, h)
	if err != nil {
		return "", skipped{"it does not start below a shell: " + err.Error()}
	}
	defer p.end()
	begun := time.Now()
	if err := kill(p.cmd); err != nil {
		return "", err
	}
	_ = p.Conn.Close() // the system closes a dead daemon's connections
	if err := gone(ctx, p, endTimeout); err != nil {
		return "", fmt.Errorf("after kill -9 of the process that started it %w", err)
	}
	return fmt.Sprintf("ended %s after its parent", time.Since(begun).Round(10*time.Millisecond)), nil
}

// otherVersion offers a version of the protocol that nobody knows.
func otherVersion(ctx context.Context, s *session) (string, error) {
	h := s.how
	h.versions = map[int]plugin.PluginSet{9999: pluginpb.ClientPlugins()[pluginpb.Version1]}
	begun := time.Now()
	p, err := s.options.start(ctx, h)
	if err == nil {
		p.end()
		return "", errors.New("it claims to speak version 9999 of the protocol")
	}
	if time.Since(begun) > startTimeout/2 {
		return "", fmt.Errorf("offered version 9999 of the protocol, it hangs: %w", err)
	}
	return err.Error(), nil
}

// byHand starts it as somebody would who does not know what it is.
func byHand(ctx context.Context, s *session) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.options.Path, s.options.Args...)
	cmd.Env = s.options.Env
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", errors.New("started by hand, it does not end")
	case err == nil:
		return "", errors.New("started by hand, it ends with code 0, as if all were well")
	case strings.TrimSpace(string(out)) == "":
		return "", errors.New("started by hand, it does not say what it is")
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line, nil
}

// gone waits until the process and its children have ended.
func gone(ctx context.Context, p *process, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		exited := p.host.Exited()
		if exited && !groupLives(p.cmd) {
			return nil
		}
		select {
		case <-ctx.Done():
			if exited {
				return fmt.Errorf("a process that it started lives on for %s", within)
			}
			return fmt.Errorf("it lives on for %s", within)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
