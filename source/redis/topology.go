package redis

import (
	"context"
	"sync"

	"github.com/tocsin-dev/tocsin/source"
)

// shard is one server that takes writes, and what it holds of the keyspace.
type shard struct {
	*node
	id     string // the cluster's own name of the node; empty outside a cluster
	ranges []slotRange
}

type slotRange struct{ first, last int }

// layout is every server to poll, in an order that stays. It is never changed
// once it was handed out, and never empty.
type layout []shard

// owner returns the server that holds a key.
func (l layout) owner(key string) (*node, bool) {
	if len(l) == 1 {
		return l[0].node, true
	}
	slot := slotOf(key)
	for _, s := range l {
		for _, r := range s.ranges {
			if r.first <= slot && slot <= r.last {
				return s.node, true
			}
		}
	}
	return nil, false
}

// topology finds the servers. Its methods are safe for concurrent use.
type topology interface {
	// layout returns the servers. Beside an error there are none; problems come
	// with a layout that may be old.
	layout(ctx context.Context) (layout, []source.Problem, error)
	// doubt asks that the next layout is found anew.
	doubt()
	close() error
}

// single is one server whose address is known.
type single struct{ node *node }

func (s single) layout(context.Context) (layout, []source.Problem, error) {
	return layout{{node: s.node}}, nil, nil
}

func (single) doubt() {}

func (s single) close() error { return s.node.close() }

// doubtful is the flag behind doubt.
type doubtful struct {
	mu  sync.Mutex
	set bool
}

func (d *doubtful) doubt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set = true
}

// taken returns the flag and lowers it.
func (d *doubtful) taken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.set
	d.set = false
	return was
}
