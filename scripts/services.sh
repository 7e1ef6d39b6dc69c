#!/usr/bin/env bash
# Finds the servers that the tests start privately, and installs the missing
# ones where that is permitted. What stays missing is said aloud; its tests are
# skipped, and with CI=true they fail.
set -u

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v redis-sentinel >/dev/null || missing+=(redis-sentinel)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
command -v pgbouncer >/dev/null || missing+=(pgbouncer)
command -v amtool >/dev/null || missing+=(prometheus-alertmanager)
command -v prometheus >/dev/null || missing+=(prometheus)
command -v jq >/dev/null || missing+=(jq)
command -v curl >/dev/null || missing+=(curl)
# The example of a plugin in Python.
/usr/bin/python3 -c 'import grpc, google.protobuf, cryptography' 2>/dev/null ||
  python3 -c 'import grpc, google.protobuf, cryptography' 2>/dev/null ||
  missing+=(python3-grpcio python3-protobuf python3-cryptography)
[ ${#missing[@]} -eq 0 ] && exit 0
exec "$(dirname "$0")/apt.sh" 'the tests' "${missing[@]}"
