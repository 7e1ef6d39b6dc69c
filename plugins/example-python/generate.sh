#!/usr/bin/env bash
# Generates plugin_pb2.py, which is checked in: make proto. protoc is Debian's, of
# the version that Debian's python3-protobuf goes with; later ones read it too.
set -euo pipefail
cd "$(dirname "$0")"
command -v protoc >/dev/null || ../../scripts/apt.sh 'the generators' protobuf-compiler libprotobuf-dev
protoc -I ../pluginpb -I /usr/include --python_out=. plugin.proto
