#!/usr/bin/env bash
# Finds the servers that `make bench` measures beside the daemon, and installs
# the missing ones. What stays missing has rows that say so.
set -u

missing=()
command -v prometheus >/dev/null || missing+=(prometheus)
command -v prometheus-alertmanager >/dev/null || missing+=(prometheus-alertmanager)
{ command -v victoria-metrics && command -v vmalert; } >/dev/null || missing+=(victoria-metrics)
[ ${#missing[@]} -eq 0 ] && exit 0
exec "$(dirname "$0")/apt.sh" 'the benchmarks' "${missing[@]}"
