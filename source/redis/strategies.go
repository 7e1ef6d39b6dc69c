package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tocsin-dev/tocsin/source"
)

// strategyFields are the fields of a strategy's hash, in the order in which
// strategyOf takes them.
func strategyFields() []string {
	return []string{"hits", "misses", "sets", "deletes", "invalidations", "errors"}
}

// strategies reads the hashes in which the application counts its cache
// strategies. Every hash is a set of counters of its own: when one is evicted
// or deleted, the others go on. It belongs to Poll.
type strategies struct {
	names   []string // sorted
	keys    map[string]string
	ttl     map[string]time.Duration
	tracker source.StrategyTracker
	seen    map[string]bool // hashes that existed once
}

func newStrategies(cfg *Config) strategies {
	s := strategies{keys: map[string]string{}, ttl: map[string]time.Duration{}, seen: map[string]bool{}}
	if cfg.StrategyStats.RedisHash == "" {
		return s
	}
	for name, strategy := range cfg.Strategies {
		s.names = append(s.names, name)
		s.keys[name] = strings.ReplaceAll(cfg.StrategyStats.RedisHash, strategyPlaceholder, name)
		s.ttl[name] = strategy.TTL
	}
	slices.Sort(s.names)
	return s
}

// read adds the cache.* samples and the facts of every strategy that has a
// hash, and says whether any has. One pipeline goes to each server.
func (s *strategies) read(ctx context.Context, servers layout, r *source.Reading) bool {
	found := source.Strategies{}
	faults := 0
	replies := s.fetch(ctx, servers)
	at := time.Now()
	for _, name := range s.names {
		counters, exists, err := strategyOf(replies[name])
		if err != nil {
			faults++
			query := "HMGET " + s.keys[name]
			r.Problems = append(r.Problems, source.Problem{Query: query, Err: fmt.Errorf("%s: %w", query, err)})
			continue
		}
		if exists {
			s.seen[name] = true
			counters.TTL = s.ttl[name]
			found[name] = counters
		}
		// A hash that is gone counts nothing: its return from zero is seen as
		// the reset that it is. One that never was is not observed at all, lest
		// a hash that comes with a past be taken for sudden traffic.
		if s.seen[name] {
			s.tracker.Observe(name, "", at, source.Strategies{name: counters})
		}
	}
	if len(s.names) > 0 && len(found) == 0 && faults == 0 {
		r.Problems = append(r.Problems, source.Problem{
			Query: "HMGET " + s.keys[s.names[0]], Err: errors.New("no strategy has a hash yet: does the application count there?"),
		})
	}
	r.Samples = append(r.Samples, s.tracker.Flush(at)...)
	if len(found) == 0 {
		return false
	}
	r.Facts.Strategies = found
	return true
}

// fetch sends the HMGETs, in one pipeline to each server that holds any.
func (s *strategies) fetch(ctx context.Context, servers layout) map[string]*redis.SliceCmd {
	replies := make(map[string]*redis.SliceCmd, len(s.names))
	pipelines := map[*node]redis.Pipeliner{}
	for _, name := range s.names {
		node, ok := servers.owner(s.keys[name])
		if !ok {
			cmd := redis.NewSliceCmd(ctx)
			cmd.SetErr(errors.New("no primary holds the slot of this key"))
			replies[name] = cmd
			continue
		}
		if pipelines[node] == nil {
			pipelines[node] = node.client.Pipeline()
		}
		replies[name] = pipelines[node].HMGet(ctx, s.keys[name], strategyFields()...)
	}
	for _, p := range pipelines {
		_, _ = p.Exec(ctx) // every command carries its own error
	}
	return replies
}

// strategyOf reads one hash. It exists when any of the fields does; a field
// that is not there counts 0.
func strategyOf(reply *redis.SliceCmd) (c source.Strategy, exists bool, err error) {
	values, err := reply.Result()
	if err != nil {
		return c, false, err
	}
	into := []*uint64{&c.Hits, &c.Misses, &c.Sets, &c.Deletes, &c.Invalidations, &c.Errors}
	for i, field := range strategyFields() {
		text, ok := values[i].(string)
		if !ok {
			continue
		}
		exists = true
		if *into[i], err = strconv.ParseUint(text, 10, 64); err != nil {
			return source.Strategy{}, false, fmt.Errorf("field %s is not a counter", field)
		}
	}
	return c, exists, nil
}
