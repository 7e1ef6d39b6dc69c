package redis

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/source"
)

// node is one server. client is safe for concurrent use; the rest belongs to
// Poll.
type node struct {
	addr   string
	client *redis.Client
	made   atomic.Uint64 // connections so far

	rates   source.Rates
	runID   string
	started time.Time // of the process that runID names
}

func newNode(c *connector, e endpoint) *node {
	n := &node{addr: e.addr}
	n.client = c.client(e, func() { n.made.Add(1) })
	return n
}

// view is what one poll saw of one node.
type view struct {
	node *node
	at   time.Time // of the INFO reply
	// ping is negative when PING is not permitted.
	ping time.Duration
	// info is nil when INFO is not permitted.
	info info
	// err is set when the node does not serve; info may be there beside it.
	err      error
	problems []source.Problem
}

// look sends PING and INFO. A server that loads its dataset or misses its
// master refuses the first and answers the second; a user may be permitted
// either.
func (n *node) look(ctx context.Context) view {
	v := view{node: n}
	var pingErr error
	v.ping, pingErr = n.ping(ctx)
	kind, _ := classify(pingErr)
	unpermitted := pingErr != nil && kind == source.Blind && isReply(pingErr)
	if pingErr != nil && kind != source.Starting && !unpermitted {
		v.err = n.failed("PING", pingErr)
		return v
	}
	reply, infoErr := n.client.Info(ctx).Result()
	v.at = time.Now()
	if infoErr == nil {
		v.info = parseInfo(reply)
		n.recognise(v.info, v.at)
	}
	switch {
	case pingErr != nil && (kind == source.Starting || infoErr != nil):
		v.err = n.failed("PING", pingErr)
	case pingErr != nil:
		v.ping = -1
		v.problems = append(v.problems, source.Problem{Query: "PING", Err: n.failed("PING", pingErr)})
	case infoErr != nil && isRefusal(infoErr):
		v.problems = append(v.problems, source.Problem{Query: "INFO", Err: n.failed("INFO", infoErr)})
	case infoErr != nil:
		v.err = n.failed("INFO", infoErr)
	}
	return v
}

// isRefusal says whether the server answers that this one command is not for
// us, by ACL or because it was renamed away, and else serves.
func isRefusal(err error) bool {
	kind, _ := classify(err)
	return isReply(err) && (kind == source.Blind || kind == source.Garbled)
}

// failed names the server in an error.
func (n *node) failed(command string, err error) error {
	return fmt.Errorf("%s: %s: %w", n.addr, command, err)
}

// ping measures one PING on an established connection. The first PING of a
// connection pays for the connecting, and is sent once more; one that finds its
// connection gone is sent once more on a new one.
func (n *node) ping(ctx context.Context) (time.Duration, error) {
	for attempt := 1; ; attempt++ {
		made, start := n.made.Load(), time.Now()
		err := n.client.Ping(ctx).Err()
		took, fresh := time.Since(start), n.made.Load() != made
		switch {
		case err == nil && (!fresh || attempt == 3):
			return took, nil
		case err != nil && (!isLost(err) || fresh || attempt > 1):
			return 0, err
		}
	}
}

// recognise notes which run of the process answers, and since when it runs:
// taken once a run, for uptime counts whole seconds and would make the moment
// dance.
func (n *node) recognise(in info, at time.Time) {
	if id := in["run_id"]; id != n.runID || n.started.IsZero() {
		n.runID = id
		if up, ok := in.number("uptime_in_seconds"); ok {
			n.started = at.Add(-time.Duration(up * float64(time.Second)))
		}
	}
}

func (n *node) close() error {
	if err := n.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return fmt.Errorf("%s: close: %w", n.addr, err)
	}
	return nil
}
