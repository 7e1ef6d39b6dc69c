// Package redis watches a Redis or Valkey server, a Sentinel's master or a
// whole cluster: PING and INFO at every poll, the application's cache counters
// from hashes that it keeps there, and, where configured, a listing of keys.
// cmd wires it, the poll loop of package source drives it, and api lists keys
// with it. It never writes, never reads a value, and never runs a command that
// takes the server longer than a page of SCAN.
//
// Every reading needs the same few permissions:
//
//	ACL SETUSER tocsin on >secret -@all +ping +info +client|setname +hello +auth
//
// and beyond them, each only where it is used: +hmget and ~cachestats:* for
// strategy_stats, +select for a database other than 0, +cluster|slots and
// +cluster|info in a cluster, +scan +exists +ttl +type +memory|usage +dbsize
// and the keys themselves for the listing.
//
// What an answer means, as samples and as the fault of the poll:
//
//	refused, reset        Down      redis.up 0
//	silence, once         (error)   no redis.up: one lost packet is no outage; degraded
//	silence, again        Down      redis.up 0
//	LOADING               Starting  redis.loading 1, no redis.up: it serves nothing, yet is not gone
//	MASTERDOWN            Starting  redis.replica_link_up 0, no redis.up
//	BUSY                  Busy      redis.up 0
//	max number of clients Full      redis.up 0, redis.client_usage 100: whoever connects now is refused
//	NOAUTH, WRONGPASS,
//	NOPERM on everything  Blind     no redis.up: it may be well
//	NOPERM on INFO alone  (none)    redis.up 1, and a problem
//	not Redis             Garbled   no redis.up
//
// In a cluster numbers are sums over the primaries, and given only while every
// primary answers: a sum over a part would look like a fall. A primary that
// does not answer is a problem and degrades the cluster; redis.up is 0 when
// none answers or those that do say cluster_state:fail.
package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tocsin-dev/tocsin/source"
)

// pollTimeout bounds a call whose context has no deadline.
const pollTimeout = 10 * time.Second

// Source watches one Redis. Poll and Close follow the contract of
// source.Source; Keys may be called at any time from any goroutine.
type Source struct {
	cfg  Config
	log  *slog.Logger
	conn *connector
	top  topology
	end  context.CancelFunc // ends conn.life

	scan chan struct{} // holds the one listing of keys that is at work

	// Of Poll alone:
	strategies strategies
	silent     int               // polls in a row that had no answer in time
	runs       map[string]string // address to the run_id that was logged
}

// New makes a source of a valid configuration; it does not connect. It fails
// when the TLS files cannot be read.
func New(cfg Config, name string, log *slog.Logger) (*Source, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, err
	}
	base, useTLS, err := endpointOf(&cfg)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	s := &Source{
		cfg: cfg, log: log.With("source", name), conn: &connector{life: life}, end: end,
		scan: make(chan struct{}, 1), strategies: newStrategies(&cfg), runs: map[string]string{},
	}
	if useTLS {
		if s.conn.tls, err = tlsConfig(cfg.TLS); err != nil {
			end()
			return nil, err
		}
	}
	switch cfg.mode() {
	case modeSentinel:
		s.top = newSentinel(s.conn, base, &cfg, s.log)
	case modeCluster:
		s.top = newCluster(s.conn, base, &cfg)
	default:
		s.top = single{newNode(s.conn, base)}
	}
	return s, nil
}

// Poll reads every server once.
func (s *Source) Poll(ctx context.Context) (source.Reading, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	servers, problems, err := s.top.layout(ctx)
	if err != nil {
		return s.failed([]view{{err: err}}, nil)
	}
	views := look(ctx, servers)
	var failed []view
	for _, v := range views {
		problems = append(problems, v.problems...)
		if v.err != nil {
			failed = append(failed, v)
		}
	}
	if len(failed) > 0 {
		s.top.doubt()
	}
	if len(failed) == len(views) {
		return s.failed(views, problems)
	}
	s.silent = 0
	if len(failed) > 0 {
		return s.partial(ctx, views, failed, problems)
	}
	return s.complete(ctx, servers, views, problems)
}

// look polls the servers side by side: one that is silent takes no time from
// the others.
func look(ctx context.Context, servers layout) []view {
	if deadline, ok := ctx.Deadline(); ok && len(servers) > 1 {
		// A silent primary would take all the time, and none would be left to
		// ask the others what its silence means for the cluster.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)*3/4)
		defer cancel()
	}
	views := make([]view, len(servers))
	var wg sync.WaitGroup
	for i := 1; i < len(servers); i++ {
		wg.Go(func() { views[i] = servers[i].look(ctx) })
	}
	views[0] = servers[0].look(ctx)
	wg.Wait()
	return views
}

// complete is the reading of a poll that every server answered.
func (s *Source) complete(
	ctx context.Context, servers layout, views []view, problems []source.Problem,
) (source.Reading, error) {
	r := source.Reading{Health: source.Healthy, Problems: problems}
	s.announce(views)
	s.remark(&r, views)
	addSamples(&r, views, float64(s.cfg.MemoryLimit))
	counted := s.strategies.read(ctx, servers, &r)
	commands := []info(nil)
	if !counted {
		commands = commandStats(ctx, views, &r)
	}
	r.Facts.Cache = cacheFacts(views, commands, float64(s.cfg.MemoryLimit))
	return r, nil
}

// partial is the reading of a cluster of which some primaries answered.
func (s *Source) partial(
	ctx context.Context, views, failed []view, problems []source.Problem,
) (source.Reading, error) {
	r := source.Reading{Health: source.Degraded, Problems: problems}
	loading := false
	var serving []view
	for _, v := range views {
		if v.err == nil {
			serving = append(serving, v)
			continue
		}
		loading = loading || isLoading(v)
		r.Problems = append(r.Problems, source.Problem{Query: "PING", Err: v.err})
	}
	r.StartedAt = newest(serving)
	r.Add("redis.loading", b01(loading))
	r.Facts.Cache = cacheFacts(serving, nil, float64(s.cfg.MemoryLimit))
	if clusterFails(ctx, serving[0].node) {
		r.Health = source.Unhealthy
		r.Add("redis.up", 0)
		r.Facts.Cache.Status = statusDisconnected
		err := errors.New("cluster_state:fail: " + missing(len(failed), len(views)) + ": " + failed[0].err.Error())
		return r, &source.Fault{Kind: source.Down, Err: err}
	}
	r.Add("redis.up", 1)
	return r, nil
}

// remark notes what is odd about servers that answer.
func (s *Source) remark(r *source.Reading, views []view) {
	for _, v := range views {
		var note string
		switch {
		case v.info == nil:
			continue
		case v.info.mode() == modeSentinel && s.cfg.mode() == modeStandalone:
			note = "this is a Sentinel, not a Redis: set mode: sentinel, addrs and master_name"
		case v.info["role"] == "slave" && s.cfg.mode() != modeStandalone:
			note = "is a replica where a master was expected: a failover is under way"
			s.top.doubt()
		case v.info["master_link_status"] == "down":
			note = "the link to the master is down"
		default:
			continue
		}
		r.Health = r.Health.Worse(source.Degraded)
		r.Problems = append(r.Problems, source.Problem{Query: "INFO", Err: v.node.failed("INFO", errors.New(note))})
	}
}

// announce logs which server answers, once for every run of its process.
func (s *Source) announce(views []view) {
	for _, v := range views {
		if v.info == nil || s.runs[v.node.addr] == v.node.runID {
			continue
		}
		s.runs[v.node.addr] = v.node.runID
		product, version := v.info.product()
		s.log.Info("redis server answers", "addr", v.node.addr, "product", product, "version", version,
			"mode", v.info.mode(), "role", v.info["role"])
	}
}

// bounded returns a context that has a deadline and ends with the source.
func (s *Source) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	var cancel context.CancelFunc
	if _, ok := ctx.Deadline(); ok {
		ctx, cancel = context.WithCancel(ctx)
	} else {
		ctx, cancel = context.WithTimeout(ctx, pollTimeout)
	}
	stop := context.AfterFunc(s.conn.life, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Close ends every call under way, closes every connection, and waits for the
// listing of keys and the dials that were at work.
func (s *Source) Close() error {
	s.end()
	s.scan <- struct{}{} // never given back: no listing begins after this
	err := s.top.close()
	s.conn.wait()
	return err
}
