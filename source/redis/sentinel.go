package redis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/source"
)

// sentinel asks the Sentinels at every poll which server is the master, as
// their client protocol wants (redis.io, "Guidelines for Redis clients with
// support for Redis Sentinel"). While none of them answers, the master that was
// last known stays.
type sentinel struct {
	conn       *connector
	master     endpoint // without address
	name       string
	log        *slog.Logger
	mu         sync.Mutex // guards what follows, over one resolution
	sentinels  []*node    // the one that answered last comes first
	current    *node
	superseded []*node // masters of before, kept until the next resolution: a listing may use them
}

func newSentinel(conn *connector, master endpoint, cfg *Config, log *slog.Logger) *sentinel {
	s := &sentinel{conn: conn, master: master, name: cfg.MasterName, log: log}
	for _, addr := range cfg.Addrs {
		s.sentinels = append(s.sentinels, newNode(conn, endpoint{
			network: "tcp", addr: addr, username: cfg.SentinelUsername, password: cfg.SentinelPassword,
		}))
	}
	return s
}

func (s *sentinel) doubt() {} // it always asks

func (s *sentinel) layout(ctx context.Context) (layout, []source.Problem, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	addr, err := s.resolve(ctx)
	switch {
	case err != nil && s.current == nil:
		// Not seeing the Sentinels says nothing of the master.
		return nil, nil, &source.Fault{Kind: source.Blind, Err: err}
	case err != nil:
		problem := source.Problem{Query: "SENTINEL GET-MASTER-ADDR-BY-NAME", Err: err}
		return layout{{node: s.current}}, []source.Problem{problem}, nil
	}
	s.follow(addr)
	return layout{{node: s.current}}, nil, nil
}

// resolve asks one Sentinel after the other; each has its share of the time.
func (s *sentinel) resolve(ctx context.Context) (string, error) {
	var errs []error
	for i, node := range s.sentinels {
		addr, err := s.ask(ctx, node, len(s.sentinels)-i+1)
		if err == nil {
			s.sentinels[0], s.sentinels[i] = s.sentinels[i], s.sentinels[0]
			return addr, nil
		}
		errs = append(errs, fmt.Errorf("sentinel %s: %w", node.addr, err))
	}
	return "", fmt.Errorf("no Sentinel tells the master: %w", errors.Join(errs...))
}

// ask leaves time for the others and for the poll itself: share counts them.
func (s *sentinel) ask(ctx context.Context, node *node, share int) (string, error) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(share))
		defer cancel()
	}
	reply, err := node.client.Do(ctx, "sentinel", "get-master-addr-by-name", s.name).StringSlice()
	switch {
	case errors.Is(err, redis.Nil):
		return "", fmt.Errorf("it knows no master %q", s.name)
	case err != nil:
		return "", err
	case len(reply) != 2:
		return "", fmt.Errorf("its answer has %d parts, want address and port", len(reply))
	}
	return net.JoinHostPort(reply[0], reply[1]), nil
}

// follow makes the server at addr the current one.
func (s *sentinel) follow(addr string) {
	if s.current != nil && s.current.addr == addr {
		return
	}
	s.drop()
	if s.current != nil {
		s.log.Info("sentinel names another master", "before", s.current.addr, "now", addr)
		s.superseded = append(s.superseded, s.current)
	}
	e := s.master
	e.addr = addr
	s.current = newNode(s.conn, e)
}

func (s *sentinel) drop() {
	for _, old := range s.superseded {
		_ = old.close() // nothing depends on how a master of yesterday says goodbye
	}
	s.superseded = nil
}

func (s *sentinel) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	var errs []error
	for _, node := range s.sentinels {
		errs = append(errs, node.close())
	}
	if s.current != nil {
		errs = append(errs, s.current.close())
	}
	return errors.Join(errs...)
}
