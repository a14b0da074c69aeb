#!/usr/bin/env bash
# Measures of a broker beside the floor it stands on. Usage: tests/bench/run.sh [produce] [fetch] [start] [flush] [kcat]
#
# produce, fetch: the same frames from the same client to the broker and to bench_bare, alternating, each started
#   afresh on an empty directory; medians of PAIRS runs (default 5). "CPU" is what the server process used.
#   Two floors for fetch: sendfile from where batches begin, as consumers ask for, and from whole pages, which no broker
#   is asked for but which is the least that sendfile can cost.
# flush: requests per second when each of 4 KiB is flushed before it is acknowledged, by 1 and by 16 producers.
# start: time to the first answer, memory, size.    kcat: throughput with kcat, 100 B and 1 KiB records.
# THREADS (default 1: as many as the bare server) is the broker's num.network.threads. BUILD names the build directory.
# SCALE multiplies the number of requests. CASES picks produce and fetch lines by a pattern.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../../build/release}
pairs=${PAIRS:-5}
threads=${THREADS:-1}
scale=${SCALE:-1}
cases=${CASES:-.}
broker=$(readlink -f "${BROKER:-$build/libexec/weir-broker}")
bare=$build/tests/bench/bench_bare
load=$build/tests/bench/bench_load
start=$build/tests/bench/bench_start
work=$(mktemp -d)
server=

finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
  rm -rf "$work"
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

write_settings() {  # <data directory> <port>
  cat > "$work/server.properties" <<END
broker.id=0
listeners=PLAINTEXT://127.0.0.1:$2
log.dirs=$1
num.network.threads=$threads
offsets.topic.replication.factor=1
${more:-}
END
}

start_broker() {  # sets server and port
  rm -rf "$work/data" && mkdir "$work/data"
  port=$(free_port)
  write_settings "$work/data" "$port"
  "$broker" "$work/server.properties" > "$work/broker.log" 2>&1 &
  server=$!
  until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$server" || { cat "$work/broker.log" >&2; exit 1; }
    sleep 0.05
  done
}

start_bare() {  # <produce|fetch> <answer bytes> <pieces|batches|pages>; sets server and port
  rm -rf "$work/data" && mkdir "$work/data"
  rm -f "$work/port"
  "$bare" "$1" "$work/data" "${@:2}" > "$work/port" &
  server=$!
  until [ -s "$work/port" ]; do sleep 0.05; done
  port=$(cat "$work/port")
}

stop_server() {
  kill "$server"
  wait "$server" || true
  server=
}

field() { sed -n "s/.*$1=\([0-9.]*\).*/\1/p"; }
median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

# <label> <produce|fetch> <answer bytes> <what bench_bare is told> <load options>...
compare() {
  local label=$1 what=$2 answer=$3 told=$4 options=("${@:5}")
  [[ $label =~ $cases ]] || return 0
  : > "$work/broker.out"; : > "$work/bare.out"
  for _ in $(seq "$pairs"); do
    start_broker
    "$load" "$port" "$server" "$what" "${options[@]}" >> "$work/broker.out"
    stop_server
    start_bare "$what" "$answer" "$told"
    "$load" "$port" "$server" "$what" "${options[@]}" bare=1 >> "$work/bare.out"
    stop_server
  done
  local ours floor gb rate rss ratio
  ours=$(field cpu_us < "$work/broker.out" | median)
  floor=$(field cpu_us < "$work/bare.out" | median)
  gb=$(field s_per_gb < "$work/broker.out" | median)
  rate=$(field mb_per_s < "$work/broker.out" | median)
  rss=$(field rss_mib < "$work/broker.out" | median)
  # The ratio of each pair, so that a noisy minute hits both sides of one ratio only.
  ratio=$(paste <(field cpu_us < "$work/broker.out") <(field cpu_us < "$work/bare.out") | awk '{ print $1 / $2 }' | median)
  printf '%-34s %10.2f %10.2f %8.2f %9.3f %9.0f %9.0f\n' "$label" "$ours" "$floor" "$ratio" "$gb" "$rate" "$rss"
}

head_line() {
  printf '%-34s %10s %10s %8s %9s %9s %9s\n' "$1 ($threads net threads)" 'µs/request' 'bare µs' ratio s/GB MB/s 'RSS MiB'
}
count() { awk -v n="$1" -v s="$scale" 'BEGIN { printf "%d", n * s }'; }

measure_produce() {
  head_line produce
  local acks
  for acks in 1 -1; do
    compare "300 B, acks=$acks" produce 52 1 bytes=300 record=100 count="$(count 300000)" connections=8 acks=$acks
    compare "16 KiB, acks=$acks" produce 52 1 bytes=16384 count="$(count 30000)" acks=$acks
    compare "64 KiB, acks=$acks" produce 52 1 bytes=65536 count="$(count 8000)" acks=$acks
    compare "900 KiB, acks=$acks" produce 52 1 bytes=921600 count="$(count 600)" connections=2 acks=$acks
    compare "100 partitions x 1 KiB, acks=$acks" produce 3300 100 bytes=1024 partitions=100 count="$(count 3000)" \
      connections=2 acks=$acks
  done
}

measure_fetch() {
  head_line fetch
  local from
  for from in batches pages; do
    compare "64 KiB, bare from $from" fetch 65536 $from bytes=65536 count="$(count 30000)" connections=2
    compare "1 MiB, bare from $from" fetch 1048576 $from bytes=1048576 count="$(count 3000)" connections=2
  done
}

measure_start() {
  local port i
  printf 'binary: %s bytes, stripped %s bytes\n' "$(stat -c %s "$broker")" \
    "$(strip -o "$work/stripped" "$broker" && stat -c %s "$work/stripped")"
  for i in $(seq "$pairs"); do
    rm -rf "$work/data" && mkdir "$work/data"
    port=$(free_port)
    write_settings "$work/data" "$port"
    echo "empty directory: $("$start" "$port" -- "$broker" "$work/server.properties")"
    echo "second start:    $("$start" "$port" -- "$broker" "$work/server.properties")"
  done
  "$start" "$port" partitions=1000 -- "$broker" "$work/server.properties" > /dev/null
  for i in $(seq "$pairs"); do
    echo "1000 partitions: $("$start" "$port" -- "$broker" "$work/server.properties")"
  done
}

measure_flush() {
  local connections shared
  for connections in 1 16; do
    for shared in 1 0; do
      [ "$connections.$shared" = 1.0 ] && continue
      for _ in $(seq "$pairs"); do
        more=log.flush.interval.messages=1 start_broker
        "$load" "$port" "$server" produce bytes=4096 connections=$connections outstanding=1 shared=$shared \
          count="$(count $((connections * 1000)))"
        stop_server
      done | field requests_per_s | median |
        sed "s/^/flush per request, $connections producers on $((shared ? 1 : connections)) partitions: requests per second /"
    done
  done
}

cpu_of() { cat /proc/"$server"/task/*/schedstat | awk '{ s += $1 } END { printf "%.3f", s / 1e9 }'; }

timed_kcat() {  # <label> <MB> <kcat options>...
  local before after begin end
  before=$(cpu_of) begin=$(date +%s.%N)
  kcat -b "127.0.0.1:$port" "${@:3}" > /dev/null 2> "$work/kcat.err"
  end=$(date +%s.%N) after=$(cpu_of)
  awk -v l="$1" -v mb="$2" -v t0="$begin" -v t1="$end" -v c0="$before" -v c1="$after" 'BEGIN {
    printf "%-34s %8.0f MB/s %8.2f broker CPU s/GB\n", l, mb / (t1 - t0), (c1 - c0) / mb * 1000 }'
}

measure_kcat() {
  local size lines mb
  for size in 100 1024; do
    lines=$((size == 100 ? 4000000 : 600000))
    mb=$((size * lines / 1000000))
    awk -v n="$lines" -v s="$size" 'BEGIN { for (i = 1; i < s; ++i) x = x "x"; for (i = 0; i < n; ++i) print x }' \
      > "$work/lines"
    start_broker
    kcat -b "127.0.0.1:$port" -L -t lines > /dev/null
    timed_kcat "kcat produce, $size B" "$mb" -P -t lines -l "$work/lines" -X linger.ms=5
    timed_kcat "kcat consume, $size B" "$mb" -C -t lines -o beginning -e -q
    stop_server
    rm "$work/lines"
  done
}

for part in "${@:-produce fetch start flush kcat}"; do
  for one in $part; do "measure_$one"; done
done
