#!/bin/bash
# One command from a fresh Debian 12 to a running broker: installs what is missing, builds, and starts in the foreground.
# Usage: tools/start.sh [server.properties] [--override key=value]...
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
build=$root/build/release

"$root/tools/install-packages.sh" "$root/tools/packages.txt"
if [ ! -f "$build/build.ninja" ]; then
  # The tests need packages of their own, which tools/test.sh brings.
  (cd "$root" && cmake --preset release -DWEIR_TESTS=OFF)
fi
if [ -x "$build/libexec/weir-broker" ]; then
  ninja -C "$build" --quiet weir | { grep -v 'no work to do' || true; }
else
  echo "Building Weir; the first time takes some minutes."
  ninja -C "$build" weir
fi

case ${1:-} in
  '' | --override) set -- "$root/config/server.properties" "$@" ;;
esac
exec "$build/bin/kafka-server-start.sh" "$@"
