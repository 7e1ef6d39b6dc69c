#!/usr/bin/env bash
# apt.sh WHY PACKAGE...: installs packages with apt where that is permitted: as
# root, or with sudo that asks for no password when TOCSIN_INSTALL=1 says so.
# What cannot be installed is said aloud and fails nothing.
set -u

why=$1
shift
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if [ "${TOCSIN_INSTALL:-}" = 1 ] && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    echo "SERVICE MISSING: $* (install them, or set TOCSIN_INSTALL=1 to let this script use sudo)" >&2
    exit 0
  fi
fi
if ! command -v apt-get >/dev/null; then
  echo "SERVICE MISSING: $* (no apt-get here; install them by hand)" >&2
  exit 0
fi

echo "installing for $why: $*"
log=$(mktemp)
# The packages start servers of their own on the standard ports; nobody here
# needs them, so nothing is started.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null && "${as_root[@]}" chmod +x $policy
  trap '"${as_root[@]}" rm -f $policy' EXIT
fi
if ! "${as_root[@]}" apt-get update >"$log" 2>&1 ||
  ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1; then
  tail -20 "$log" >&2
  echo "SERVICE MISSING: $* (apt could not install them)" >&2
fi
rm -f "$log"
