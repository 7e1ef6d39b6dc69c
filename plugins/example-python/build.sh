#!/usr/bin/env bash
# build.sh FILE: packs the plugin into one file that can be run, with Python's own
# zipapp. What it imports must be installed where it runs.
set -euo pipefail
out=$1
mkdir -p "$(dirname "$out")"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
cp "$(dirname "$0")"/*.py "$stage"
if ! command -v python3 >/dev/null; then
  echo "not built: $out (no python3 here)" >&2
  exit 0
fi
python3 -m zipapp "$stage" --python "${PYTHON:-/usr/bin/python3}" --output "$out"
chmod 755 "$out"
