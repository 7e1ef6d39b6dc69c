package plugins

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

type closer struct {
	config string
	closed atomic.Bool
}

func (c *closer) Close() error {
	c.closed.Store(true)
	return nil
}

func TestOneInstanceANameForAsLongAsItsSettingsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var built []*closer
		s := newInstances(func(config []byte) (*closer, error) {
			built = append(built, &closer{config: string(config)})
			return built[len(built)-1], nil
		})
		use := func(name, config string) (got *closer) {
			if err := s.use(name, []byte(config), func(c *closer) { got = c }); err != nil {
				t.Fatal(err)
			}
			return got
		}
		first := use("a", "1")
		if use("a", "1") != first || use("b", "1") == first || len(built) != 2 {
			t.Errorf("%d were built", len(built))
		}
		var second *closer
		if err := s.use("a", []byte("1"), func(*closer) {
			second = use("a", "2") // the settings change while a call is on its way
			synctest.Wait()
			if first.closed.Load() {
				t.Error("closed in the middle of a call")
			}
		}); err != nil {
			t.Fatal(err)
		}
		if second == first || !first.closed.Load() || second.closed.Load() {
			t.Errorf("after a change: the first closed %t, the second %t", first.closed.Load(), second.closed.Load())
		}
		s.close()
		for _, c := range built {
			if !c.closed.Load() {
				t.Errorf("%q was not closed at the end", c.config)
			}
		}
	})
}

func TestWhatCannotBeBuiltIsTriedAgain(t *testing.T) {
	tries := 0
	s := newInstances(func([]byte) (*closer, error) {
		tries++
		if tries < 3 {
			return nil, errors.New("not yet")
		}
		return &closer{}, nil
	})
	for i := range 3 {
		if err := s.use("a", nil, func(*closer) {}); (err == nil) != (i == 2) {
			t.Errorf("try %d: %v", i, err)
		}
	}
}

func TestInstancesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		s := newInstances(func([]byte) (*counted, error) {
			open.Add(1)
			return &counted{&open}, nil
		})
		var wg sync.WaitGroup
		for i := range maxInstances + 50 {
			wg.Go(func() { _ = s.use(fmt.Sprint(i), nil, func(*counted) {}) })
		}
		wg.Wait()
		synctest.Wait()
		if got := open.Load(); got != maxInstances {
			t.Errorf("%d are kept, want %d", got, maxInstances)
		}
	})
}

type counted struct{ open *atomic.Int64 }

func (c *counted) Close() error {
	c.open.Add(-1)
	return nil
}
