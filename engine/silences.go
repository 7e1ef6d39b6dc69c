package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// refused is an error that whoever asked has made, and may read.
type refused string

func (r refused) Error() string    { return string(r) }
func (r refused) BadRequest() bool { return true }

// Silences returns all that are remembered, by their end.
func (e *Engine) Silences() []alert.Silence {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dispatcher.Silences()
}

// PutSilence creates a silence without an ID, or changes the one with it, and
// returns it as it is kept. A change of what it matches, or of a beginning that
// has passed, ends the old one and makes another, as Alertmanager does. The
// error wraps store.ErrNotFound for an unknown id.
func (e *Engine) PutSilence(ctx context.Context, s alert.Silence) (alert.Silence, error) {
	err := e.order(ctx, func(now time.Time) error {
		now = now.UTC().Truncate(time.Millisecond)
		if err := prepare(&s, now); err != nil {
			return err
		}
		if s.ID != "" {
			old, ok := e.dispatcher.Silence(s.ID)
			switch {
			case !ok:
				return fmt.Errorf("silence %q: %w", s.ID, store.ErrNotFound)
			case changeable(&old, &s, now):
				s.WarnedFor = old.WarnedFor
				if old.State(now) == alert.SilenceActive {
					s.StartsAt = old.StartsAt
				}
			default:
				if old.State(now) != alert.SilenceExpired {
					e.dispatcher.PutSilence(expired(old, now), now)
				}
				s.ID = ""
			}
		}
		if s.ID == "" {
			s.ID = newUUID()
			if s.StartsAt.Before(now) {
				s.StartsAt = now
			}
		}
		s.UpdatedAt = now
		e.dispatcher.DropSilences(now.Add(-store.KeepSilences))
		e.dispatcher.PutSilence(s, now)
		return nil
	})
	return s, err
}

// ExpireSilence ends a silence now; one that has ended stays as it is.
func (e *Engine) ExpireSilence(ctx context.Context, id, by string) (alert.Silence, error) {
	var s alert.Silence
	err := e.order(ctx, func(now time.Time) error {
		var ok bool
		if s, ok = e.dispatcher.Silence(id); !ok {
			return fmt.Errorf("silence %q: %w", id, store.ErrNotFound)
		}
		if s.State(now) == alert.SilenceExpired {
			return nil
		}
		s = expired(s, now.UTC().Truncate(time.Millisecond))
		e.dispatcher.PutSilence(s, now)
		return nil
	})
	if err == nil {
		e.log.Info("silence expired", "silence", id, "matchers", s.Matchers.String(), "by", by)
	}
	return s, err
}

func expired(s alert.Silence, now time.Time) alert.Silence {
	if s.StartsAt.After(now) {
		s.StartsAt = now
	}
	s.EndsAt, s.UpdatedAt = now, now
	return s
}

// changeable says whether a silence can be changed in its place.
func changeable(old, changed *alert.Silence, now time.Time) bool {
	if old.State(now) == alert.SilenceExpired || !sameMatchers(old.Matchers, changed.Matchers) {
		return false
	}
	if old.State(now) == alert.SilenceActive {
		return changed.StartsAt.Unix() == old.StartsAt.Unix() || !changed.StartsAt.After(now)
	}
	return !changed.StartsAt.Before(now)
}

func sameMatchers(a, b alert.Matchers) bool {
	texts := func(ms alert.Matchers) []string {
		out := make([]string, len(ms))
		for i := range ms {
			out[i] = ms[i].String()
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(texts(a), texts(b))
}

// prepare fills in what is not given, and refuses what cannot be meant.
func prepare(s *alert.Silence, now time.Time) error {
	if s.StartsAt.IsZero() {
		s.StartsAt = now
	}
	s.StartsAt, s.EndsAt = s.StartsAt.UTC(), s.EndsAt.UTC()
	switch {
	case len(s.Matchers) == 0:
		return refused("matchers: give at least one")
	case s.Matchers.Unbounded():
		return refused("matchers: at least one must not match the empty string, or the silence would hold back everything")
	case !s.EndsAt.After(now):
		return refused("ends_at: must be in the future")
	case !s.EndsAt.After(s.StartsAt):
		return refused("ends_at: must be after starts_at")
	case strings.TrimSpace(s.CreatedBy) == "":
		return refused("created_by: say who silences")
	case strings.TrimSpace(s.Comment) == "":
		return refused("comment: say why")
	}
	return nil
}

// newUUID makes a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
