package redis

import (
	"strconv"
	"strings"
)

// info is one INFO reply: field to value, whatever the section. Redis 6.2 to
// 8, Valkey and the managed services differ in the fields they have, so every
// reading of one says whether it was there.
type info map[string]string

// parseInfo reads a reply of INFO. Lines that are not field:value are headings
// or unknown, and skipped.
func parseInfo(reply string) info {
	in := make(info, strings.Count(reply, "\n"))
	for line := range strings.Lines(reply) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if field, value, ok := strings.Cut(line, ":"); ok {
			in[field] = value
		}
	}
	return in
}

// number returns a field as a number; false when it is absent or none.
func (in info) number(field string) (float64, bool) {
	v, err := strconv.ParseFloat(in[field], 64)
	return v, err == nil
}

// count returns a field as a whole number, 0 when absent.
func (in info) count(field string) uint64 {
	v, _ := strconv.ParseUint(in[field], 10, 64)
	return v
}

// keys returns the number of keys of all databases: db0:keys=3,expires=1,….
// The keyspace section lists only databases that hold keys, so an empty one is
// 0 keys.
func (in info) keys() uint64 {
	var total uint64
	for field, value := range in {
		if n, ok := strings.CutPrefix(field, "db"); ok && isNumber(n) {
			total += attribute(value, "keys")
		}
	}
	return total
}

// calls sums the calls of the named commands, from cmdstat_get:calls=5,usec=….
func (in info) calls(commands ...string) uint64 {
	var total uint64
	for _, c := range commands {
		total += attribute(in["cmdstat_"+c], "calls")
	}
	return total
}

// attribute reads one number of a list such as keys=3,expires=1,avg_ttl=0.
func attribute(list, name string) uint64 {
	for pair := range strings.SplitSeq(list, ",") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			n, _ := strconv.ParseUint(value, 10, 64)
			return n
		}
	}
	return 0
}

// mode returns standalone, cluster or sentinel. Valkey 8 may say server_mode
// where Redis says redis_mode.
func (in info) mode() string {
	if m := in["redis_mode"]; m != "" {
		return m
	}
	return in["server_mode"]
}

// product returns the server's own name and version. Valkey reports the Redis
// version it is compatible with as redis_version, and its own beside it.
func (in info) product() (name, version string) {
	if v := in["valkey_version"]; v != "" {
		return "valkey", v
	}
	return "redis", in["redis_version"]
}

// memoryLimit returns what used_memory may grow to: maxmemory, or the
// machine's memory when that is 0; false when neither is told.
func (in info) memoryLimit() (float64, bool) {
	for _, field := range []string{"maxmemory", "total_system_memory"} {
		if v, ok := in.number(field); ok && v > 0 {
			return v, true
		}
	}
	return 0, false
}

// counters returns the fields that only rise while the process runs, for
// source.Rates. Those without a metric are there to notice CONFIG RESETSTAT:
// the more counters are compared, the less traffic can hide that they fell.
func (in info) counters() map[string]float64 {
	m := map[string]float64{}
	for _, field := range []string{
		"total_commands_processed", "keyspace_hits", "keyspace_misses",
		"expired_keys", "evicted_keys", "rejected_connections", "total_error_replies",
		"total_connections_received", "total_net_input_bytes", "total_net_output_bytes", "uptime_in_seconds",
	} {
		if v, ok := in.number(field); ok {
			m[field] = v
		}
	}
	return m
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}
