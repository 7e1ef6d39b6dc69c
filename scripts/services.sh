#!/usr/bin/env bash
# Finds the servers that the tests start privately, and installs the missing
# ones with apt where that is permitted: as root, or with sudo that asks for no
# password when TOCSIN_INSTALL=1 says so. What stays missing is said aloud; its
# tests are skipped, and with CI=true they fail.
set -u

missing=()
command -v redis-server >/dev/null || missing+=(redis-server)
command -v redis-sentinel >/dev/null || missing+=(redis-sentinel)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || missing+=(postgresql)
command -v pgbouncer >/dev/null || missing+=(pgbouncer)
command -v jq >/dev/null || missing+=(jq)
command -v curl >/dev/null || missing+=(curl)
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if [ "${TOCSIN_INSTALL:-}" = 1 ] && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    echo "SERVICE MISSING: ${missing[*]} (install them, or set TOCSIN_INSTALL=1 to let this script use sudo)" >&2
    exit 0
  fi
fi
if ! command -v apt-get >/dev/null; then
  echo "SERVICE MISSING: ${missing[*]} (no apt-get here; install them by hand)" >&2
  exit 0
fi

echo "installing for the tests: ${missing[*]}"
log=$(mktemp)
# The packages start servers of their own on the standard ports; the tests
# need none of them, so nothing is started.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null && "${as_root[@]}" chmod +x $policy
  trap '"${as_root[@]}" rm -f $policy' EXIT
fi
if ! "${as_root[@]}" apt-get update >"$log" 2>&1 ||
  ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
  tail -20 "$log" >&2
  echo "SERVICE MISSING: ${missing[*]} (apt could not install them)" >&2
fi
rm -f "$log"
