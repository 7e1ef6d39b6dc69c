package main

import (
	"path/filepath"
	"testing"
)

// TestSchemasTakeEveryForm: what can be written in more than one way. Check and
// schema agree on each line.
func TestSchemasTakeEveryForm(t *testing.T) {
	schemas := validators(t)
	const (
		aRule   = "rules:\n  - {id: a, metric: http.up, "
		aRoute  = "receivers: [{name: c, type: console}, {name: d, type: console}]\nroute: {receivers: [c], "
		nights  = "\ntime_intervals: [{name: nights, time_intervals: [{"
		aSource = "receivers: [{name: c, type: console}]\nroute: {receivers: [c]}\nsources:\n  - {name: a, "
	)
	for _, row := range []struct {
		right bool
		yaml  string
	}{
		{true, aRule + "critical: value < 1}"},
		{true, aRule + "critical: {when: value < 1, for: 1h30m, keep_firing_for: 0, polls: 3 of 5}}"},
		{true, aRule + "critical: {when: {3 of 5: value < 1}}}"},
		{false, aRule + "critical: {when: {3 in 5: value < 1}}}"},
		{false, aRule + "critical: {when: {3 of 5: value < 1, 4 of 5: value < 2}}}"},
		{false, aRule + "critical: {when: [value < 1]}}"},
		{false, aRule + "critical: {for: 5m}}"},
		{true, "use: [pack:guide]\nrules:\n  - {id: redis-down, critical: {for: 5m}}"},
		{false, aRule + "critical: 70}"},
		{false, aRule + "clear: value < 1}"},
		{true, aRule + "no_data: critical}"},
		{false, aRule + "no_data: keep}"},
		{true, aRule + "critical: value < 1, warning: , for: , labels: , match: , flapping: }"},
		{true, aRule + "critical: value < 1, flapping: 6 in 30m}"},
		{true, aRule + "critical: value < 1, flapping: {changes: 6, within: 30m}}"},
		{false, aRule + "critical: value < 1, flapping: 6 times}"},
		{false, aRule + "critical: value < 1, flapping: {changes: 1, within: 30m}}"},
		{true, "rules: [{id: b, metric: http.up, critical: value < 1}, {id: a, metric: http.up, critical: value < 1, depends_on: [b]}]"},
		{true, "rules: [{id: b, metric: http.up, critical: value < 1}, {id: a, metric: http.up, critical: value < 1, depends_on: [{rule: b, equal: [source]}]}]"},
		{false, aRule + "critical: value < 1, depends_on: b}"},
		{true, aRule + "critical: value < 1, clear_margin: 2}"},
		{true, aRule + "critical: value < 1, clear_margin: 5%}"},
		{false, aRule + "critical: value < 1, clear_margin: -2}"},
		{false, aRule + "critical: value < 1, clear_margin: some}"},
		{true, aRule + "critical: value < 1, by: [source], combine: sum}"},
		{false, aRule + "critical: value < 1, by: [source], combine: most}"},
		{false, aRule + "critical: value < 1, by: source}"},
		{false, aRule + "critical: value < 1, for: 90}"},
		{false, aRule + "critical: value < 1, for: '90'}"},
		{false, aRule + "critical: value < 1, for: -5m}"},
		{true, aRule + "critical: value < 1, for: \"${FOR}\", disabled: \"${OFF:-false}\", no_data: \"${NO_DATA}\"}"},
		{true, aRule + "critical: value < 1, disabled: false}"},
		{false, aRule + "critical: value < 1, disabled: no}"},
		{false, aRule + "critical: value < 1, disabled: on}"},
		{true, aRule + "critical: value < 1, timezone: Europe/Berlin, annotations: {n: 1, d: 2026-01-02}}"},
		{false, aRule + "critical: value < 1, labels: {a-b: c}}"},
		{false, aRule + "critical: value < 1, labels: {severity: high}}"},
		{false, aRule + "critical: value < 1, labels: {team: }}"},
		{true, aRule + "critical: value < 1, overrides: [{match: ['a = b'], disabled: true}]}"},
		{false, aRule + "critical: value < 1, overrides: [{disabled: true}]}"},
		{true, "x-slow: &slow {for: 5m}\nrules:\n  - {<<: *slow, id: a, metric: http.up, critical: value < 1}"},
		{true, "x-slow: &slow {for: 5m, fro: 1m}\nrules: []"},
		{false, "x-slow: &slow {fro: 5m}\nrules:\n  - {<<: *slow, id: a, metric: http.up, critical: value < 1}"},
		{false, "rules:\n  - x-not: here\n    id: a\n    metric: http.up\n    critical: value < 1"},
		{true, "use: [pack:redis, other/*.yaml]\nrules:"},
		{false, "rules:\n"},
		{false, "rules: {}"},
		{true, aSource + "type: redis, url: \"redis://h\", interval: \"${EVERY:-5s}\", memory_limit: 512MB}"},
		{true, aSource + "type: redis, url: \"${REDIS_URL}\", db: \"${DB:-0}\", memory_limit: 1048576}"},
		{true, aSource + "type: redis, addrs: ['h:1', 'i:1'], mode: cluster}"},
		{false, aSource + "type: redis}"},
		{false, aSource + "type: redis, url: \"mysql://h\"}"},
		{false, aSource + "type: redis, url: \"redis://h\", db: '0'}"},
		{false, aSource + "type: redis, url: \"redis://h\", memory_limit: lots}"},
		{false, aSource + "type: redis, url: \"redis://h\", values: []}"},
		{true, aSource + "type: redis, optional: true, url: \"${REDIS_URL:-}\"}"},
		{true, aSource + "type: push, strategies: {USERS: {ttl: 5m}, RUNS: }}"},
		{true, aSource + "type: http, url: \"http://h/\", headers: {X-Key: 1}, expect_status: [200, 2xx, 200-299]}"},
		{false, aSource + "type: http, url: \"http://h/\", expect_status: [ok]}"},
		{false, aSource + "type: host, labels: {source: x}}"},
		{false, aSource + "type: host, service: databse}"},
		{false, aSource + "type: Host}"},
		{true, aSource + "type: pager, anything: [goes]}\nplugins: [{name: pager, path: bin/pager, mtls: false, env: {A: b}, inherit_env: [PATH], timeout: 5s}]"},
		{false, aSource + "type: host}\nplugins: [{name: pager}]"},
		{false, aSource + "type: host}\nplugins: [{path: bin/pager}]"},
		{false, aSource + "type: host}\nplugins: [{name: pager, path: x, sha256: abc}]"},
		{false, aSource + "type: host}\nplugins: [{name: pager, path: x, anything: goes}]"},
		{false, aSource + "type: host}\nplugins: [1]"},
		{false, aSource + "type: host}\nlog: {level: loud}"},
		{true, aSource + "type: host}\nlog: {level: \"${LEVEL:-info}\"}\nserver: \nstore: {retention: {history: 2w}}"},
		{true, aRoute + "routes: [{match: severity = critical}, {match: '{a=\"b\",c=~\"d\"}'}, {match: ['a=b,c=d', '\"my label\" != x']}, {match: }, {match: []}]}"},
		{false, aRoute + "routes: [{match: severity}]}"},
		{false, aRoute + "routes: [{match: ['{}']}]}"},
		{false, aRoute + "routes: [{match: {a: b}}]}"},
		{false, aRoute + "match: a=b}"},
		{false, aRoute + "}\ninhibit: [{source: [], target: a=b}]"},
		{true, aRoute + "}\ninhibit: [{source: a=b, target: [a=c], equal: [d]}]"},
		{true, aRoute + "repeat_interval: 4h}"},
		{true, aRoute + "repeat_interval: {critical: 1h, info: 3d}}"},
		{false, aRoute + "repeat_interval: 0}"},
		{false, aRoute + "repeat_interval: often}"},
		{false, aRoute + "repeat_interval: {criticl: 1h}}"},
		{false, aRoute + "repeat_interval: {critical: 0s}}"},
		{true, aRoute + "escalate: [{after: 15m, receivers: [d]}], fallback: []}"},
		{false, aRoute + "escalate: [{after: 15m}]}"},
		{false, aRoute + "escalate: [{receivers: [d]}]}"},
		{false, aRoute + "fallback: d}"},
		{false, aRoute + "mute_time_intervals: [nights]}"},
		{true, aRoute + "routes: [{mute_time_intervals: [nights]}]}" + nights + "times: [22:00-24:00]}]}]"},
		{true, aRoute + "}" + nights + "times: [{start_time: '22:00', end_time: '24:00'}], weekdays: ['Monday:friday', sat], location: Europe/Berlin}]}]"},
		{true, aRoute + "}" + nights + "days_of_month: [1, '-3:-1'], months: [1, 'june:8', december], years: [2026, '2027:2030']}]}]"},
		{false, aRoute + "}" + nights + "times: [{start_time: '22:00'}]}]}]"},
		{false, aRoute + "}" + nights + "times: [22:00]}]}]"},
		{false, aRoute + "}" + nights + "weekdays: [someday]}]}]"},
		{false, aRoute + "}" + nights + "days_of_month: [32]}]}]"},
		{false, aRoute + "}" + nights + "months: [0]}]}]"},
		{false, aRoute + "}" + nights + "years: [soon]}]}]"},
		{false, aRoute + "}\ntime_intervals: [{name: nights}]"},
		{true, aRoute + "}\nmaintenance: [{name: a, match: ['a = b'], from: 2026-12-01T22:00:00Z, to: 2026-12-02 02:00}]"},
		{true, aRoute + "}\nmaintenance: [{name: a, match: ['a = b'], location: Europe/Berlin, time_intervals: [nights, {weekdays: [sunday]}]}]" + nights + "times: [22:00-24:00]}]}]"},
		{false, aRoute + "}\nmaintenance: [{name: a, match: ['a = b'], from: 2026-12-01T22:00:00Z}]"},
		{false, aRoute + "}\nmaintenance: [{name: a, match: ['a = b'], to: tomorrow}]"},
		{false, aRoute + "}\nmaintenance: [{name: a, match: [], to: 2026-12-02}]"},
		{false, aRoute + "}\nmaintenance: [{match: ['a = b'], to: 2026-12-02}]"},
		{true, aRoute + "}\nsilence_warning: 0\nexternal: {resolve_timeout: 5m, severities: {page: critical}, default_severity: info}"},
		{false, aRoute + "}\nexternal: {severities: {page: urgent}}"},
		{false, aRoute + "}\nexternal: {default_severity: none}"},
		{false, aRoute + "}\nexternal: {resolve_timeout: 0s}"},
		{true, aRoute + "}\nheartbeats: [{name: night-job, every: 24h, grace: 30m, severity: warning, labels: {team: web}, message: late}]"},
		{false, aRoute + "}\nheartbeats: [{name: Night, every: 24h}]"},
		{false, aRoute + "}\nheartbeats: [{name: night}]"},
		{false, aRoute + "}\nheartbeats: [{name: night, every: 24h, severity: ok}]"},
		{false, aRoute + "}\nheartbeats: [{name: night, every: 24h, labels: {severity: info}}]"},
		{true, "route: {receivers: [c]}\nreceivers: [{name: c, type: console, cap: 20 in 1m}, {name: d, type: console, cap: {notifications: 5, per: 1h}}, {name: e, type: console, cap: off}]"},
		{false, "route: {receivers: [c]}\nreceivers: [{name: c, type: console, cap: 20}]"},
		{false, "route: {receivers: [c]}\nreceivers: [{name: c, type: console, cap: {per: 1m}}]"},
		{false, "route: {receivers: [c]}\nreceivers: [{name: c, type: console, cap: {notifications: -1}}]"},
	} {
		dir := t.TempDir()
		environ := []string{"FOR=5m", "NO_DATA=ok", "REDIS_URL=redis://h"}
		write(t, filepath.Join(dir, "other", "rules.yaml"), "rules: []\n")
		write(t, filepath.Join(dir, "form.yaml"), row.yaml)
		value, of, ok := natively("form.yaml of rules", []byte(row.yaml))
		if !ok {
			t.Errorf("%s\nis no YAML", row.yaml)
			continue
		}
		if mistakes := checked(t, example{"", dir, "form.yaml"}, of, environ...); len(mistakes) == 0 != row.right {
			t.Errorf("%s\ncheck says %v", row.yaml, mistakes)
		}
		if err := schemas[of].Validate(value); err == nil != row.right {
			t.Errorf("%s\nthe schema of %s says %v", row.yaml, of, err)
		}
	}
}
