package engine

import (
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// killed is what a store holds when its process is killed at this moment.
func (m *memory) killed() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memory{
		alerts: maps.Clone(m.alerts), groups: maps.Clone(m.groups), members: maps.Clone(m.members),
		events: slices.Clone(m.events), samples: slices.Clone(m.samples),
	}
}

func TestAKillDoesNotBeginAForAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, when := range []string{"value < 85", "avg(5s) < 85"} {
			spec := lowHitRate() // for: 30s, and polls every 5 s
			spec.Warning.When = when
			m, o := newMemory(), &tray{}
			e := New(Options{Setup: setup(t, spec), Store: m, Outbox: o, Log: slog.New(slog.DiscardHandler)})
			stop := run(t, e)
			feed(t, e, 80, 5) // it has held for 20 s and is killed at 25 s
			left := m.killed()
			stop()

			e = New(Options{Setup: setup(t, spec), Store: left, Outbox: &tray{}, Log: slog.New(slog.DiscardHandler)})
			stop = run(t, e)
			poll(t, e, 80)
			if diff := cmp.Diff([]string{"pending"}, left.happened()); diff != "" {
				t.Errorf("%s: at 25 s: %s", when, diff)
			}
			time.Sleep(5 * time.Second)
			poll(t, e, 80)
			if diff := cmp.Diff([]string{"pending", "firing", "grouped"}, left.happened()); diff != "" {
				t.Errorf("%s: at 30 s: %s", when, diff)
			}
			stop()
		}
	})
}
