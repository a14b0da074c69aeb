#!/bin/bash
# Installs what building and testing take, builds the release preset, and runs the tests through CTest.
# Usage: tools/test.sh [--all] [ctest option ...]
#   --all    also the tests labelled long, which take minutes of building or running of their own
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

choice=(-LE '^long$')
if [ "${1:-}" = --all ]; then
  choice=()
  shift
fi

SECONDS=0
tools/install-packages.sh tools/packages.txt tools/packages-test.txt
echo "-- Packages: $SECONDS s"

SECONDS=0
cmake --preset release -DWEIR_TESTS=ON
echo "-- Configured: $SECONDS s"

SECONDS=0
cmake --build --preset release -j "$(nproc)"
echo "-- Built: $SECONDS s"

# Two at a time, on any machine: the end-to-end tests start brokers, Java virtual machines and ZooKeepers of their own.
exec ctest --test-dir build/release --output-on-failure -j2 "${choice[@]}" "$@"
