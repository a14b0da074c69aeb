#!/bin/bash
# Starts a broker: in the foreground, or with -daemon in the background, its output going to $LOG_DIR/kafkaServer.out.
if [ $# -lt 1 ]; then
  echo "USAGE: $0 [-daemon] server.properties [--override property=value]*"
  exit 1
fi
home=$(dirname "$(dirname "$(readlink -f "$0")")")
broker=$home/libexec/weir-broker
export LOG_DIR=${LOG_DIR:-$home/logs}

if [ "$1" != -daemon ]; then
  exec "$broker" "$@"
fi
shift
mkdir -p "$LOG_DIR" || exit 1
nohup "$broker" "$@" >"$LOG_DIR/kafkaServer.out" 2>&1 </dev/null &
