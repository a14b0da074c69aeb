#!/bin/bash
# Formats our C++ by .clang-format. With --check it changes nothing, names what differs, and fails.
# Usage: tools/format.sh [--check]
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

case ${1:-} in
  '') mode=(-i) ;;
  --check) mode=(--dry-run -Werror) ;;
  *) sed -n 's/^# //p' "$0" >&2; exit 2 ;;
esac
find base protocol config storage replication broker tools tests \( -name '*.h' -o -name '*.cc' \) -print0 |
  xargs -0 -n 16 -P "$(nproc)" clang-format-14 "${mode[@]}"
