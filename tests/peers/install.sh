#!/usr/bin/env bash
# Install the real peers and tools that the tests use, where we may (root, apt-get, npm) and they are missing.
# The packages' own servers never start: the tests run theirs with their own configuration and ports.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

# one peer is an npm package: where it cannot be had its tests are skipped
dcmjs=$(dirname "$0")/dcmjs
if ! [ -d "$dcmjs/node_modules/dcmjs-dimse" ]; then
  if ! command -v npm >/dev/null; then
    echo "No npm, so the tests against dcmjs-dimse are skipped"
  elif ! timeout 120 npm install --prefix "$dcmjs" --silent --no-package-lock --ignore-scripts --no-audit --no-fund >/dev/null 2>&1; then
    echo "npm could not fetch dcmjs-dimse, so the tests against it are skipped"
  fi
fi

missing=()
want() { # want PACKAGE PROGRAM-OR-FILE
  command -v "$2" >/dev/null || [ -e "$2" ] || missing+=("$1")
}
want orthanc Orthanc
want orthanc-dicomweb /usr/share/orthanc/plugins/libOrthancDicomWeb.so
want dcmtk dcmqrscp
want libgdcm-tools gdcmscu
want ctn simple_storage
want strace strace
want iproute2 ip
want iptables iptables
want chromium chromium
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing, so the tests that need them are skipped: ${missing[*]}"
  echo "Install them with: sudo apt-get install ${missing[*]}"
  exit 0
fi

policy=/usr/sbin/policy-rc.d # exit 101: no service may be started while packages are installed
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
echo "Installing ${missing[*]} (once)"
log=$(mktemp)
if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  tail -20 "$log"
  echo "Could not install: ${missing[*]}"
fi
rm -f "$log"

# nor at the next boot
for service in orthanc dcmqrscp; do
  if [ -d /run/systemd/system ]; then
    systemctl disable --now "$service" >/dev/null 2>&1 || true
  elif [ -e "/etc/init.d/$service" ] && command -v update-rc.d >/dev/null; then
    update-rc.d "$service" disable >/dev/null 2>&1 || true
  fi
done
