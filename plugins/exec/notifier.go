package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/notifiers"
	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// Bounds of what a command may say.
const (
	maxOutputBytes = 16 << 10
	maxAnswerRunes = 500
	// drainTime is how long the pipes of a command that has ended may stay open,
	// because something that it started holds them.
	drainTime = time.Second
)

// Notifier runs one command.
type Notifier struct{ cfg Config }

// New returns a notifier. It runs nothing.
func New(cfg Config) (notifiers.Notifier, error) { return &Notifier{cfg}, nil }

// Notify runs the command, and ends it and all that it started at ctx's deadline.
func (s *Notifier) Notify(ctx context.Context, n alert.Notification) (notifiers.Receipt, error) {
	input, err := inputOf(&n)
	if err != nil {
		return notifiers.Receipt{}, notifiers.Permanent(err)
	}
	var stdout, stderr bounded
	cmd := exec.CommandContext(ctx, s.cfg.Command[0], s.cfg.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.cfg.Dir, s.environment(&n), bytes.NewReader(input)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, drainTime
	cmd.Cancel = ownGroup(cmd)
	err = run(cmd)
	_ = cmd.Cancel() // what it left running ends with it
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // the command itself ended well
	}
	if ctx.Err() != nil && err != nil {
		return notifiers.Receipt{}, fmt.Errorf("%s was ended at the deadline: %w", s.cfg.Command[0], ctx.Err())
	}
	return s.outcome(explained(err), stdout.String(), stderr.String())
}

// explained says what the kernel's words for a script that cannot be started mean.
func explained(err error) error {
	var tried *fs.PathError
	switch {
	case !errors.As(err, &tried) || tried.Op == "chdir":
		return err
	case errors.Is(err, syscall.ENOEXEC):
		return errors.New("it is neither a program of this machine's nor a script that begins with a line like #!/bin/sh")
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it, or what its first line #! names, is missing: %w", tried.Err)
	}
	return err
}

// reply is what a command may write to its standard output, as JSON: all of it is
// optional, and any other text is the answer.
type reply struct {
	Reference  string `json:"reference"`
	Answer     string `json:"answer"`
	RetryAfter string `json:"retry_after"` // 30s
}

func (s *Notifier) outcome(err error, stdout, stderr string) (notifiers.Receipt, error) {
	said := reply{}
	if json.Unmarshal([]byte(stdout), &said) != nil {
		said = reply{Answer: stdout}
	}
	receipt := notifiers.Receipt{Reference: said.Reference, Answer: short(said.Answer)}
	if err == nil {
		return receipt, nil
	}
	text := short(stderr)
	if text == "" {
		text = receipt.Answer
	}
	failed := fmt.Errorf("%s: %w: %s", s.cfg.Command[0], err, text)
	if text == "" {
		failed = fmt.Errorf("%s: %w", s.cfg.Command[0], err)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && slices.Contains(s.cfg.PermanentCodes, exit.ExitCode()) {
		return receipt, notifiers.Permanent(failed)
	}
	if wait, err := time.ParseDuration(said.RetryAfter); err == nil && wait > 0 {
		return receipt, notifiers.RetryAfter(failed, min(wait, notifiers.MaxRetryAfter))
	}
	return receipt, failed
}

// inputOf is the notification of the protocol (plugins/pluginpb/plugin.proto) as
// JSON, every field of it written out.
func inputOf(n *alert.Notification) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(pluginpb.NewNotification(n))
	if err != nil {
		return nil, err
	}
	var line bytes.Buffer // protojson varies its spaces on purpose
	err = json.Compact(&line, text)
	return append(line.Bytes(), '\n'), err
}

// environment is all that the command gets. What is told of the notification is
// made one line each, for scripts that need no more.
func (s *Notifier) environment(n *alert.Notification) []string {
	env := []string{}
	for _, name := range s.cfg.PassEnv {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range s.cfg.Env {
		env = append(env, name+"="+value.Reveal())
	}
	kind := string(n.Kind)
	if n.Kind == alert.KindAlerts {
		kind = "alerts"
	}
	for _, v := range [...]struct{ name, value string }{
		{"ID", n.ID},
		{"KIND", kind},
		{"RECEIVER", n.Receiver},
		{"STATUS", string(n.Status)},
		{"SEVERITY", n.Severity().String()},
		{"TITLE", notifiers.Title(n)},
		{"REFERENCE", n.Reference},
		{"URL", n.ExternalURL},
	} {
		env = append(env, "TOCSIN_"+v.name+"="+notifiers.Plain(v.value))
	}
	return env
}

func short(text string) string { return notifiers.Clip(notifiers.Plain(text), maxAnswerRunes) }

// bounded keeps the beginning of what is written to it, and takes the rest.
type bounded struct{ strings.Builder }

// Write keeps what there is room for.
func (b *bounded) Write(p []byte) (int, error) {
	b.Builder.Write(p[:min(len(p), maxOutputBytes-b.Len())])
	return len(p), nil
}
