package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tocsin-dev/tocsin/source"
)

// cacheFacts returns what the servers say of themselves; Info is nil when none
// of them could be asked. commands are their INFO commandstats, if read.
func cacheFacts(views []view, commands []info, memoryLimit float64) *source.Cache {
	c := &source.Cache{Status: statusConnected}
	var told []view
	for _, v := range views {
		if v.info != nil {
			told = append(told, v)
		}
	}
	if len(told) == 0 {
		return c
	}
	for _, v := range told {
		if isLoading(v) {
			c.Status = statusLoading
		}
		c.Hits += v.info.count("keyspace_hits")
		c.Misses += v.info.count("keyspace_misses")
		c.Errors += v.info.count("total_error_replies")
		c.UsedMemory += v.info.count("used_memory")
	}
	if limit, ok := limitOf(told, memoryLimit); ok {
		c.MemoryLimit = uint64(limit)
	}
	c.UptimeSeconds, _ = lowest(told, "uptime_in_seconds")
	c.Info = guideInfo(told)
	for _, in := range commands {
		c.HasCommands = true
		c.Gets += in.calls("get", "getex", "mget", "hget", "hmget", "hgetall")
		c.Sets += in.calls("set", "setex", "psetex", "setnx", "getset", "mset", "msetnx", "hset", "hmset", "hsetnx")
		c.Deletes += in.calls("del", "unlink", "getdel", "hdel")
	}
	return c
}

// guideInfo returns the eight INFO fields of the guide: those of one server as
// it wrote them, those of a cluster summed.
func guideInfo(views []view) map[string]string {
	m := map[string]string{}
	for _, field := range []string{
		"used_memory_human", "used_memory_peak_human", "connected_clients", "total_commands_processed",
		"instantaneous_ops_per_sec", "keyspace_hits", "keyspace_misses",
	} {
		if len(views) == 1 {
			if value, ok := views[0].info[field]; ok {
				m[field] = value
			}
			continue
		}
		bytes, isBytes := strings.CutSuffix(field, "_human")
		if t, ok := sum(views, bytes); ok && isBytes {
			m[field] = human(t)
		} else if ok {
			m[field] = strconv.FormatFloat(t, 'f', 0, 64)
		}
	}
	var versions []string
	for _, v := range views {
		if version := v.info["redis_version"]; version != "" && !slices.Contains(versions, version) {
			versions = append(versions, version)
		}
	}
	if len(versions) > 0 {
		m["redis_version"] = strings.Join(versions, ", ") // more than one during a rolling upgrade
	}
	return m
}

// human writes a size as INFO does (bytesToHuman in src/util.c).
func human(bytes float64) string {
	if bytes < 1024 {
		return fmt.Sprintf("%.0fB", bytes)
	}
	for _, unit := range "KMGTP" {
		if bytes /= 1024; bytes < 1024 {
			return fmt.Sprintf("%.2f%c", bytes, unit)
		}
	}
	return fmt.Sprintf("%.0fB", bytes)
}

// commandStats reads INFO commandstats of every server, for the documents of
// an application that counts nothing itself; nil unless all of them tell.
func commandStats(ctx context.Context, views []view, r *source.Reading) []info {
	var all []info
	for _, v := range views {
		if v.info == nil {
			return nil
		}
		reply, err := v.node.client.Info(ctx, "commandstats").Result()
		if err != nil {
			r.Problems = append(r.Problems,
				source.Problem{Query: "INFO commandstats", Err: v.node.failed("INFO commandstats", err)})
			return nil
		}
		all = append(all, parseInfo(reply))
	}
	return all
}
