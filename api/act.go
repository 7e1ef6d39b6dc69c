package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/internal/units"
	"github.com/tocsin-dev/tocsin/notifiers"
)

// errNothingFires is returned for what was asked of alerts that have ended.
var errNothingFires = errors.New("nothing of it fires any more")

// press does what a pressed button or a confirmed link asks for, and says what
// it did: "ada acknowledged cache-hit-rate".
func (s *Server) press(ctx context.Context, p notifiers.Press, now time.Time) (string, error) {
	if s.Operator == nil || s.Router == nil {
		return "", &Error{Status: http.StatusNotImplemented, Code: "operate_disabled", Message: "this daemon takes no acknowledgements and silences"}
	}
	about := s.targets(p.Target)
	if len(about) == 0 {
		return "", errNothingFires
	}
	what := names(about)
	switch p.Action {
	case notifiers.ActAcknowledge:
		_, err := s.Operator.Acknowledge(ctx, ids(about), alert.Ack{By: p.By, At: now})
		return p.By + " acknowledged " + what, err
	case notifiers.ActSnooze:
		until := now.Add(p.For)
		_, err := s.Operator.Acknowledge(ctx, ids(about), alert.Ack{By: p.By, At: now, Until: until})
		return p.By + " snoozed " + what + lasting(p.For, until), err
	case notifiers.ActSilence:
		until, err := s.silence(ctx, about, p, now)
		return p.By + " silenced " + what + lasting(p.For, until), err
	}
	return "", badRequest("nobody knows this action")
}

func lasting(d time.Duration, until time.Time) string {
	return " for " + units.Duration(d) + ", until " + until.UTC().Format("15:04 MST")
}

// targets are the alerts of a target that fire now.
func (s *Server) targets(t notifiers.Target) []alert.Standing {
	var out []alert.Standing
	for _, id := range t.Alerts {
		if standing, ok := s.Router.Standing(id); ok && standing.Alert.ID == id {
			out = append(out, standing)
		}
	}
	if t.Group == "" {
		return out
	}
	q := alert.StandingQuery{Receiver: func(name string) bool { return t.Receiver == "" || name == t.Receiver }}
	for _, g := range s.Router.StandingGroups(q) {
		if notifiers.GroupID(g.Key) != t.Group || t.Receiver != "" && g.Receiver != t.Receiver {
			continue
		}
		for _, standing := range g.Alerts {
			if standing.Alert.Active() {
				out = append(out, *standing)
			}
		}
		break // another receiver's group of the same key holds the same alerts
	}
	return out
}

func ids(about []alert.Standing) []string {
	out := make([]string, len(about))
	for i := range about {
		out[i] = about[i].Alert.ID
	}
	return out
}

// names says in a few words what a press is about.
func names(about []alert.Standing) string {
	rules := map[string]bool{}
	for i := range about {
		rules[about[i].Alert.Rule] = true
	}
	some := slices.Sorted(maps.Keys(rules))
	const most = 3
	if len(some) > most {
		some = append(some[:most], "…")
	}
	text := notifiers.Clip(notifiers.Plain(strings.Join(some, ", ")), 200)
	if len(about) == 1 {
		return text
	}
	return notifiers.Counted(len(about), "alert") + " (" + text + ")"
}

// sameEnd is how far the ends of two silences may lie apart that are one
// wish: two clicks, or two people with the same idea.
const sameEnd = 5 * time.Minute

// silence makes a silence of exactly what the alerts have in common, unless
// there is one already that lasts as long. It returns its end.
func (s *Server) silence(ctx context.Context, about []alert.Standing, p notifiers.Press, now time.Time) (time.Time, error) {
	matchers, err := spanning(about)
	if err != nil {
		return time.Time{}, err
	}
	s.presses.silencing.Lock() // two clicks at once must not both find nothing
	defer s.presses.silencing.Unlock()
	until := now.Add(p.For)
	for _, old := range s.Operator.Silences() {
		// One that begins a moment after now was made while this click waited.
		begun := old.StartsAt.Before(now.Add(sameEnd)) && old.State(now) != alert.SilenceExpired
		if begun && old.Matchers.String() == matchers.String() && old.EndsAt.After(until.Add(-sameEnd)) {
			return old.EndsAt, nil
		}
	}
	made, err := s.Operator.PutSilence(ctx, alert.Silence{
		Matchers: matchers, StartsAt: now, EndsAt: until, CreatedBy: p.By, Comment: "Silence " + units.Duration(p.For) + ", by a button of " + p.Target.Receiver,
	})
	if err != nil {
		return time.Time{}, err
	}
	return made.EndsAt, nil
}

// maxChoice bounds the values of one label that a silence lists: a longer list
// is no help to whoever reads the silence, and each alert is matched with it.
const maxChoice = 100

// spanning returns the narrowest matchers, one a label, that hold for all of
// the alerts: equal where all agree, else any of the values that they have.
// Labels with too many values are left out; when none is left, that is an error
// rather than a silence of everything.
func spanning(about []alert.Standing) (alert.Matchers, error) {
	values := map[string]map[string]bool{}
	for i := range about {
		for _, l := range about[i].Alert.Labels {
			values[l.Name] = map[string]bool{}
		}
	}
	for i := range about {
		for name, have := range values {
			have[about[i].Alert.Labels.Get(name)] = true
		}
	}
	var out alert.Matchers
	narrow := false
	for _, name := range slices.Sorted(maps.Keys(values)) {
		choice := slices.Sorted(maps.Keys(values[name]))
		if len(choice) > maxChoice {
			continue
		}
		narrow = narrow || choice[0] != ""
		op, value := alert.MatchEqual, choice[0]
		if len(choice) > 1 {
			for i := range choice {
				choice[i] = regexp.QuoteMeta(choice[i])
			}
			op, value = alert.MatchRegexp, strings.Join(choice, "|")
		}
		m, err := alert.NewMatcher(name, op, value)
		if err != nil {
			return nil, fmt.Errorf("silence: %w", err)
		}
		out = append(out, m)
	}
	if !narrow {
		return nil, badRequest("the alerts have no label in common: silence them one by one")
	}
	return out, nil
}
