#!/bin/bash
# Installs the Debian packages of the given lists that are missing. With nothing missing it asks for no rights and
# reaches no network.
# Usage: install-packages.sh list ...
set -euo pipefail

missing=()
names=()
while read -r name command _; do
  case $name in '' | '#'*) continue ;; esac
  [ -n "$command" ] && command -v "$command" >/dev/null && continue
  names+=("$name")
done < <(cat "$@")

# One question for all of them; packages dpkg has never heard of get no line.
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${names[@]}" 2>/dev/null | sed -n 's/^ii *//p' || true)
for name in "${names[@]}"; do
  grep -qxF -- "$name" <<<"$installed" || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "These packages are missing, and installing them takes root or sudo: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
