package plugincheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tocsin-dev/tocsin/plugins/pluginpb"
)

// Options say which plugin is tried, and with which settings. The settings are
// JSON objects; what is nil is not known, and what needs it is left out.
type Options struct {
	Path string
	Args []string
	Env  []string // NAME=VALUE: all that the plugin gets of an environment
	// Config are right settings, of a receiver that may be told anything.
	Config json.RawMessage
	// Bad are settings that must be refused.
	Bad json.RawMessage
	// Retry, Permanent and Slow are right settings with which a call fails for a
	// while, fails for good, and takes longer than two seconds.
	Retry, Permanent, Slow json.RawMessage
	// Skip names checks that are left out.
	Skip []string
}

// Status is how a check ended.
type Status string

// The ends of a check.
const (
	Pass Status = "PASS"
	Fail Status = "FAIL"
	Skip Status = "SKIP"
)

// Result is what one check found.
type Result struct {
	Check  string
	Status Status
	Detail string // what was seen, or why it failed or was left out
	Took   time.Duration
	// Log is the end of what the plugin logged, where a check failed.
	Log string
}

// check is one thing that is tried, on the process that all share or on one of
// its own.
type check struct {
	name string
	kind pluginpb.Kind // that it is for; unspecified for every plugin
	run  func(context.Context, *session) (string, error)
}

// checks are in the order in which they are run: what the later ones rest on
// comes first, and what ends the process last.
func checks() []check {
	const notifier, source = pluginpb.Kind_KIND_NOTIFIER, pluginpb.Kind_KIND_SOURCE
	return []check{
		{"describe", 0, describe},
		{"schema", 0, schemaIsOne},
		{"validate", 0, validateGood},
		{"validate-bad", 0, validateBad},
		{"deliver", notifier, deliver},
		{"reference", notifier, referenceComesBack},
		{"again", notifier, again},
		{"unicode", notifier, hostile},
		{"large", notifier, large},
		{"concurrent", notifier, concurrent},
		{"poll", source, poll},
		{"retry", notifier, retry},
		{"permanent", notifier, permanent},
		{"deadline", 0, deadline},
		{"garbage", 0, garbage},
		{"terminate", 0, terminated},
		{"terminate-busy", notifier, terminatedBusy},
		{"killed", 0, killed},
		{"orphan", 0, orphan},
		{"version", 0, otherVersion},
		{"by-hand", 0, byHand},
	}
}

// Names are the checks that there are, for Options.Skip.
func Names() []string {
	names := []string{"start"}
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

// session is the process that the checks share, and what was learnt of it.
type session struct {
	options *Options
	how     how
	process *process
	about   *pluginpb.DescribeResponse
	// config are settings that the plugin found right; nil for none.
	config    json.RawMessage
	reference string // of the first delivery
}

// skipped is the error of a check that cannot be made.
type skipped struct{ why string }

func (s skipped) Error() string { return s.why }

// Run tries everything and reports each result as it comes. It returns whether
// nothing failed; the error is that of a plugin that cannot be tried at all.
func Run(ctx context.Context, o Options, report func(Result)) (bool, error) {
	for _, name := range o.Skip {
		if !slices.Contains(Names(), name) {
			return false, fmt.Errorf("there is no check %q; there are %v", name, Names())
		}
	}
	s := &session{options: &o}
	begun := time.Now()
	detail, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	defer func() { s.process.end() }()
	report(Result{Check: "start", Status: Pass, Detail: detail, Took: time.Since(begun)})
	good := true
	for _, c := range checks() {
		r := s.try(ctx, c)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if r.Check != "" {
			report(r)
		}
		good = good && r.Status != Fail
	}
	return good, nil
}

// begin starts the shared process: with mutual TLS, and without where that fails.
func (s *session) begin(ctx context.Context) (string, error) {
	s.how = how{mtls: true}
	p, err := s.options.start(ctx, s.how)
	note := "mutual TLS"
	if err != nil {
		withTLS := err
		s.how.mtls = false
		if p, err = s.options.start(ctx, s.how); err != nil {
			return "", fmt.Errorf("the plugin does not start: %w", err)
		}
		note = fmt.Sprintf("without TLS, so that its configuration needs mtls: false (with it: %v)", withTLS)
	}
	s.process = p
	return fmt.Sprintf("protocol %d, %s, answers after %s", p.version, note, p.began.Round(time.Millisecond)), nil
}

func (s *session) try(ctx context.Context, c check) Result {
	if c.kind != 0 && (s.about == nil || !slices.Contains(s.about.GetKinds(), c.kind)) {
		return Result{}
	}
	if slices.Contains(s.options.Skip, c.name) {
		return Result{Check: c.name, Status: Skip, Detail: "asked for"}
	}
	begun := time.Now()
	err := s.alive(ctx)
	var detail string
	if err == nil {
		detail, err = c.run(ctx, s)
	}
	r := Result{Check: c.name, Status: Pass, Detail: detail, Took: time.Since(begun)}
	var left skipped
	switch {
	case errors.As(err, &left):
		r.Status, r.Detail = Skip, left.why
	case err != nil:
		r.Status, r.Detail, r.Log = Fail, err.Error(), s.process.log.String()
	}
	return r
}

// alive starts the shared process anew where a check has ended it.
func (s *session) alive(ctx context.Context) error {
	if !s.process.host.Exited() {
		return nil
	}
	s.process.end()
	p, err := s.options.start(ctx, s.how)
	if err != nil {
		return fmt.Errorf("the plugin does not start again: %w", err)
	}
	s.process = p
	return nil
}

// settings are right settings, or the reason why what needs them is left out.
func (s *session) settings() (json.RawMessage, error) {
	if s.config == nil {
		return nil, skipped{"needs settings: --config"}
	}
	return s.config, nil
}
