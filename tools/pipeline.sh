#!/bin/bash
# From a growing log file to Logstash, through Weir: makes everything between ready, and shows ten lines on their way.
# See usage() below.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)

usage() {
  cat <<'END'
tools/pipeline.sh: Filebeat -> Weir -> Logstash

It starts a broker if none listens, creates the topic, writes filebeat.yml and logstash.conf for them, and says how to run
both. If Filebeat is there it lets it ship ten lines of a sample log, and shows them as they arrive in the topic. Your own
logs are not touched: that is done by the commands it prints.

  --bootstrap-server host:port   the broker (localhost:9092); started here if it is of this machine and nothing listens
  --config server.properties     what a broker started here is given (Weir's sample)
  --topic name                   (logs)
  --partitions number            of the topic, if it is not there yet (3)
  --log pattern                  the log files for filebeat.yml (/var/log/*.log)
  --filebeat program             (filebeat, of the PATH)
  --out directory                where the two files go (build/pipeline)
  --bin directory                Weir's commands (build/release/bin)
  --help                         this

The files to copy, with a word on each setting: tools/pipeline/filebeat.yml, tools/pipeline/logstash.conf.
END
}

fail() { # what is wrong, then what to do about it
  printf 'pipeline.sh: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

address=localhost:9092 config='' topic=logs partitions=3 log='/var/log/*.log' filebeat=filebeat
out=$root/build/pipeline bin=$root/build/release/bin
while [ $# -gt 0 ]; do
  option=$1
  case $option in
    --help | -h) usage; exit 0 ;;
    --bootstrap-server | --config | --topic | --partitions | --log | --filebeat | --out | --bin)
      [ $# -ge 2 ] || fail "$option takes a value." "tools/pipeline.sh --help tells which." ;;
    *) fail "There is no option $option." "tools/pipeline.sh --help lists all." ;;
  esac
  case $option in
    --bootstrap-server) address=$2 ;;
    --config) config=$2 ;;
    --topic) topic=$2 ;;
    --partitions) partitions=$2 ;;
    --log) log=$2 ;;
    --filebeat) filebeat=$2 ;;
    --out) out=$2 ;;
    --bin) bin=$2 ;;
  esac
  shift 2
done

host=${address%:*} port=${address##*:}
[[ $address == *:* && -n $host && $port =~ ^[0-9]+$ ]] ||
  fail "\"$address\" is not host:port." "For example: --bootstrap-server localhost:9092"
[ -x "$bin/kafka-topics.sh" ] && [ -x "$bin/../libexec/weir-broker" ] ||
  fail "Weir's commands are not in $bin." "tools/start.sh builds them; or say where they are: --bin directory"
case $filebeat in
  */*) [ -x "$filebeat" ] || fail "$filebeat is not a program." "--filebeat takes Filebeat's binary; the package's is /usr/share/filebeat/bin/filebeat" ;;
esac

listens() { timeout 5 bash -c '</dev/tcp/"$1"/"$2"' _ "$host" "$port" 2>/dev/null; }

if listens; then
  echo "A broker listens on $address."
else
  case $host in
    localhost | 127.* | "$(hostname)") ;;
    *) fail "Nothing listens on $address." "Start a broker there, or name another: --bootstrap-server host:port" ;;
  esac
  export LOG_DIR=${LOG_DIR:-$(cd "$bin/.." && pwd)/logs}
  said=$LOG_DIR/kafkaServer.out
  start=("$config")
  [ -n "$config" ] || start=("$bin/../config/server.properties" --override "listeners=PLAINTEXT://$address")
  mkdir -p "$LOG_DIR"
  nohup "$bin/kafka-server-start.sh" "${start[@]}" >"$said" 2>&1 </dev/null &
  broker=$!
  until listens; do
    kill -0 "$broker" 2>/dev/null || fail "The broker does not start." "It says why in $said:" "$(tail -n 5 "$said")"
    [ "$SECONDS" -lt 60 ] || fail "The broker does not listen on $address." "Do its listeners name that address? It writes to $said:" "$(tail -n 5 "$said")"
    sleep 0.1
  done
  echo "Started a broker on $address; its output goes to $said. $bin/kafka-server-stop.sh stops it."
fi

"$bin/kafka-topics.sh" --bootstrap-server "$address" --create --if-not-exists --topic "$topic" --partitions "$partitions" ||
  fail "Topic $topic could not be created on $address." "If the line above does not say why: is it a Kafka listener without TLS and SASL?"

# The files to copy with what was asked for in place of the samples' own.
write_filebeat_yml() { # to, log files
  local text
  text=$(<"$root/tools/pipeline/filebeat.yml")
  text=${text//'localhost:9092'/"$address"}
  text=${text//'topic: logs'/"topic: $topic"}
  text=${text//'/var/log/*.log'/"$2"}
  printf '%s\n' "$text" >"$1"
  chmod go-w "$1" # or Filebeat refuses it
}
mkdir -p "$out"
write_filebeat_yml "$out/filebeat.yml" "$log"
text=$(<"$root/tools/pipeline/logstash.conf")
text=${text//'localhost:9092'/"$address"}
text=${text//'["logs"]'/"[\"$topic\"]"}
printf '%s\n' "$text" >"$out/logstash.conf"
cat <<END

To ship $log:
  $filebeat -e -c $out/filebeat.yml
To read the lines with Logstash, and to look at them without it:
  logstash -f $out/logstash.conf
  $bin/kafka-console-consumer.sh --bootstrap-server $address --topic $topic --from-beginning

END

if ! command -v "$filebeat" >/dev/null; then
  echo "Filebeat is not in the PATH, so no line is shipped now. Install it (Elastic's package filebeat 7.17, or its archive), or say"
  echo "where it is, and run this again: tools/pipeline.sh --filebeat program"
  exit 0
fi

demo=$out/demo
rm -rf "$demo"
mkdir -p "$demo"
write_filebeat_yml "$demo/filebeat.yml" "$demo/sample.log"
mark="sample $(date +%FT%T) $$"
lines=10
for ((n = 1; n <= lines; n++)); do echo "$mark line $n"; done >"$demo/sample.log"

children=()
trap 'kill "${children[@]}" 2>/dev/null || true' EXIT
"$filebeat" -e -c "$demo/filebeat.yml" --path.home "$demo" >"$demo/filebeat.out" 2>&1 &
shipper=$!
children+=("$shipper")
exec 3< <(exec "$bin/kafka-console-consumer.sh" --bootstrap-server "$address" --topic "$topic" --from-beginning 2>"$demo/consumer.out")
children+=($!)

echo "Filebeat ships $demo/sample.log; in topic $topic arrives:"
shown=0
SECONDS=0
while [ "$shown" -lt "$lines" ]; do
  if read -r -t 1 event <&3; then
    case $event in
      *"$mark"*) echo "  $(sed 's/.*"message":"\([^"]*\)".*/\1/' <<<"$event")"; shown=$((shown + 1)) ;;
    esac
  elif ! kill -0 "$shipper" 2>/dev/null; then
    fail "Filebeat ended." "It says why in $demo/filebeat.out:" "$(tail -n 5 "$demo/filebeat.out")"
  elif [ "$SECONDS" -gt 60 ]; then
    fail "Only $shown of $lines lines came within a minute." "Filebeat's output is in $demo/filebeat.out, the consumer's in $demo/consumer.out"
  fi
done
echo "All $lines lines are there, in order."
