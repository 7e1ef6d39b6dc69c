package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-dev/tocsin/alert"
	"github.com/tocsin-dev/tocsin/store"
)

// picky is a store that can never take the outcomes, or the history, of some
// deliveries.
type picky struct {
	ledger
	never, noHistory string // parts of ids
	asked            int
}

func (p *picky) Settle(ctx context.Context, batch []store.Settlement) error {
	p.mu.Lock()
	p.asked++
	p.mu.Unlock()
	for _, s := range batch {
		if strings.Contains(s.ID, p.never) || strings.Contains(s.ID, p.noHistory) && len(s.Events) > 0 {
			return fmt.Errorf("settle %s: %w", s.ID, store.ErrInvalid)
		}
	}
	return p.ledger.Settle(ctx, batch)
}

func TestAnOutcomeThatCanNeverBeStoredIsPartedFromTheOthers(t *testing.T) {
	p := &picky{never: "poison", noHistory: "bare"}
	s := newSettler(p, slog.New(slog.DiscardHandler))
	for i := range 2 * maxSettle {
		o := store.Settlement{ID: fmt.Sprint("d", i), State: alert.DeliverySent, Events: []alert.Event{{AlertID: "a"}}}
		switch i {
		case 3, maxSettle + 7:
			o.ID = fmt.Sprint("poison", i)
		case 700:
			o.ID = "bare"
		}
		s.add(o, nil)
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range p.outcomes() {
		ids = append(ids, o.ID)
		if bare := len(o.Events) == 0; bare != (o.ID == "bare") {
			t.Errorf("%s has %d entries", o.ID, len(o.Events))
		}
	}
	var want []string
	for i := range 2 * maxSettle {
		switch i {
		case 3, maxSettle + 7:
		case 700:
			want = append(want, "bare")
		default:
			want = append(want, fmt.Sprint("d", i))
		}
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff) // those and no others, in their order
	}
	if p.asked > 100 {
		t.Errorf("the store was asked %d times", p.asked)
	}
}

func TestAStoreThatRefusesForNowIsNotAskedAboutParts(t *testing.T) {
	p := &picky{never: "poison", noHistory: "bare"}
	p.refuse = true
	s := newSettler(p, slog.New(slog.DiscardHandler))
	for i := range 10 {
		s.add(store.Settlement{ID: fmt.Sprint("d", i)}, nil)
	}
	if err := s.flush(); err == nil || p.asked != 1 {
		t.Errorf("asked %d times: %v", p.asked, err)
	}
}
