#!/bin/bash
# Sends SIGTERM, or the signal that the variable SIGNAL names, to the brokers that run from this installation.
#   --node-id=N        only to the one whose file says node.id=N or broker.id=N
#   --process-role=R   only to those whose file says process.roles=R; --node-id wins
home=$(dirname "$(dirname "$(readlink -f "$0")")")
broker=$home/libexec/weir-broker

keys= wanted=
for word; do
  case $word in
    --node-id=*) keys='node\.id|broker\.id' wanted=${word#*=} ;;
    --process-role=*) [ "$keys" = 'node\.id|broker\.id' ] || keys='process\.roles' wanted=${word#*=} ;;
  esac
done

# Whether the settings of a running broker name the wanted value.
says_so() { # directory under /proc
  local words file
  mapfile -d '' -t words <"$1/cmdline"
  file=${words[1]}
  [ "${file:0:1}" = / ] || file=$1/cwd/$file
  grep -Eq "^[[:space:]]*($keys)[[:space:]]*[=:][[:space:]]*$wanted([[:space:]]|\$)" "$file" 2>/dev/null
}

pids=
for process in /proc/[0-9]*; do
  case $(readlink "$process/exe" 2>/dev/null) in
    "$broker" | "$broker (deleted)") ;;
    *) continue ;;
  esac
  if [ -z "$keys" ] || says_so "$process"; then
    pids="$pids ${process#/proc/}"
  fi
done

if [ -z "$pids" ]; then
  echo "No kafka server to stop"
  exit 1
fi
# shellcheck disable=SC2086
kill -s "${SIGNAL:-TERM}" $pids
