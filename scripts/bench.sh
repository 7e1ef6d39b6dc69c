#!/usr/bin/env bash
# Measures the built daemon and its parts, and writes the figures into
# docs/benchmarks.md, with the machine named. Nothing here is a test: no figure
# fails anything.
set -euo pipefail
page=docs/benchmarks.md
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT

machine() {
  local model
  model=$(awk -F': ' '/model name/ {print $2; exit}' /proc/cpuinfo)
  echo "$(date -u +%F), $(nproc) cores (${model:-unknown}), $(awk '/MemTotal/ {printf "%.0f GiB", $2/1048576}' /proc/meminfo) of memory, $(uname -s) $(uname -m), $(go env GOVERSION)."
}

# cost PACKAGE NAME WANTED: what a poll costs a real server, by its own account.
cost() {
  local out
  out=$(go test -run '^$' -bench '^BenchmarkPoll$' -benchtime 200x "$1" | grep '^BenchmarkPoll' || true)
  echo "| a poll's cost to $2, by the server's own account | $3 | $(echo "$out" | grep -o '[0-9.]* server-ms/poll' | sed 's| server-ms/poll| ms|') |"
}

# part PACKAGE PATTERN: what its benchmarks print.
part() {
  go test -run '^$' -bench "$2" -benchmem "$1" | grep -E '^(pkg|Benchmark)'
}

{
  machine
  echo
  go run ./internal/bench -binary bin/tocsin
  cost ./source/redis 'Redis (10,000 keys, 4 strategies)' 'under 1 ms'
  cost ./source/postgres 'PostgreSQL (200 tables)' 'under 10 ms'
  echo
  echo 'The parts, by `go test -bench`:'
  echo
  echo '```'
  part ./engine/rule '^Benchmark(Judge|TenThousand)$' # the others stand in the table
  for all in ./engine ./engine/route ./configs ./store/sqlite ./api ./internal/pluginhost; do
    part "$all" .
  done
  echo '```'
} | tee "$figures"

awk -v figures="$figures" '
  /<!-- figures -->/ {print; print ""; while ((getline line < figures) > 0) print line; print ""; skip = 1; next}
  /<!-- end -->/ {skip = 0}
  !skip {print}' "$page" >"$page.new"
mv "$page.new" "$page"
