package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/source"
)

// layoutAge is how long the cluster's layout is believed while every primary
// answers.
const layoutAge = time.Minute

// cluster finds the primaries by CLUSTER SLOTS, which every version answers.
// go-redis' own cluster client also sends COMMAND, which a user with the least
// permissions may not.
type cluster struct {
	doubtful
	conn  *connector
	base  endpoint // without address
	seeds []string

	mu     sync.Mutex // guards what follows, over one resolution
	nodes  map[string]*node
	known  layout
	found  time.Time
	gone   []*node // no primaries any more; kept until the next resolution: a listing may use them
	closed bool
}

func newCluster(conn *connector, base endpoint, cfg *Config) *cluster {
	seeds := slices.Clone(cfg.Addrs)
	if base.addr != "" {
		seeds = append(seeds, base.addr)
	}
	return &cluster{conn: conn, base: base, seeds: seeds, nodes: map[string]*node{}}
}

func (c *cluster) layout(ctx context.Context) (layout, []source.Problem, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, net.ErrClosed
	}
	if !c.taken() && len(c.known) > 0 && time.Since(c.found) < layoutAge {
		return c.known, nil, nil
	}
	slots, err := c.discover(ctx)
	switch {
	case err != nil && len(c.known) == 0:
		return nil, nil, err
	case err != nil:
		c.doubt()
		return c.known, []source.Problem{{Query: "CLUSTER SLOTS", Err: err}}, nil
	}
	c.adopt(slots)
	return c.known, nil, nil
}

// discover asks the known primaries and then the seeds; each has its share of
// the time.
func (c *cluster) discover(ctx context.Context) ([]redis.ClusterSlot, error) {
	var addrs []string
	for _, s := range c.known {
		addrs = append(addrs, s.addr)
	}
	for _, seed := range c.seeds {
		if !slices.Contains(addrs, seed) {
			addrs = append(addrs, seed)
		}
	}
	var first error
	for i, addr := range addrs {
		slots, err := c.ask(ctx, c.node(addr), len(addrs)-i+1)
		if err == nil {
			return slots, nil
		}
		if first == nil {
			first = fmt.Errorf("%s: CLUSTER SLOTS: %w", addr, err)
		}
	}
	return nil, first
}

func (c *cluster) ask(ctx context.Context, n *node, share int) ([]redis.ClusterSlot, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(share))
		defer cancel()
	}
	slots, err := n.client.ClusterSlots(ctx).Result() //nolint:staticcheck // CLUSTER SHARDS is newer than 6.2
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(n.addr)
	serving := slots[:0]
	for _, s := range slots {
		if len(s.Nodes) == 0 {
			continue
		}
		// A node that does not know its own address leaves it empty: it is the
		// one that was asked.
		if h, port, err := net.SplitHostPort(s.Nodes[0].Addr); err == nil && h == "" {
			s.Nodes[0].Addr = net.JoinHostPort(host, port)
		}
		serving = append(serving, s)
	}
	if len(serving) == 0 {
		return nil, &source.Fault{Kind: source.Down, Err: errors.New("no node of the cluster holds a slot")}
	}
	return serving, nil
}

// adopt makes the layout of the slots the known one.
func (c *cluster) adopt(slots []redis.ClusterSlot) {
	closeAll(c.gone)
	c.gone = nil
	byAddr := map[string]*shard{}
	for _, s := range slots {
		primary := s.Nodes[0]
		sh := byAddr[primary.Addr]
		if sh == nil {
			sh = &shard{node: c.node(primary.Addr), id: primary.ID}
			byAddr[primary.Addr] = sh
		}
		sh.ranges = append(sh.ranges, slotRange{s.Start, s.End})
	}
	c.known, c.found = nil, time.Now()
	for _, sh := range byAddr {
		c.known = append(c.known, *sh)
	}
	slices.SortFunc(c.known, func(a, b shard) int {
		return cmp.Or(strings.Compare(a.id, b.id), strings.Compare(a.addr, b.addr))
	})
	for addr, n := range c.nodes {
		if byAddr[addr] == nil {
			c.gone = append(c.gone, n)
			delete(c.nodes, addr)
		}
	}
}

func (c *cluster) node(addr string) *node {
	n := c.nodes[addr]
	if n == nil {
		e := c.base
		e.network, e.addr, e.db = "tcp", addr, 0
		n = newNode(c.conn, e)
		c.nodes[addr] = n
	}
	return n
}

func (c *cluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	closeAll(c.gone)
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.close())
	}
	return errors.Join(errs...)
}

func closeAll(nodes []*node) {
	for _, n := range nodes {
		_ = n.close() // nothing depends on how a node of yesterday says goodbye
	}
}

// clusterFails asks one node whether the cluster refuses to serve. A node that
// may not say so is taken to serve.
func clusterFails(ctx context.Context, n *node) bool {
	text, err := n.client.ClusterInfo(ctx).Result()
	return err == nil && parseInfo(text)["cluster_state"] == "fail"
}

// missing words how much of a cluster does not answer.
func missing(failed, all int) string {
	return strconv.Itoa(failed) + " of " + strconv.Itoa(all) + " primaries do not answer"
}
