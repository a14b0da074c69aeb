#!/bin/bash
# A cluster on this machine: several brokers and the ZooKeeper they meet in.  See usage() below.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)

usage() {
  cat <<'END'
tools/cluster.sh up|down|status [option ...]

up      starts a ZooKeeper and three brokers, and waits until they are one cluster. What runs already is left alone, so
        that "up" also brings back what has died, and "up --brokers 4" adds a broker to three.
down    stops the brokers in good order, then ZooKeeper. The data stay; "down --purge" removes them too.
status  says what runs, and what the cluster makes of its partitions.

Broker n listens on 127.0.0.n, so each has an address of its own as on machines of their own.

  --brokers number          how many (3)
  --port number             of the brokers, at each address (9092)
  --zookeeper-port number   (2181)
  --dir directory           configuration, data, logs and pids (build/cluster)
  --bin directory           Weir's commands (build/release/bin)
  --set key=value           a setting for all brokers that are started now; may be repeated
  --help                    this
END
}

fail() { # what is wrong, then what to do about it
  printf 'cluster.sh: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

command='' brokers='' port=9092 zookeeper_port=2181 dir=$root/build/cluster bin=$root/build/release/bin purge=no settings=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    up | down | status) [ -z "$command" ] || fail "$command or $1?" "tools/cluster.sh --help tells more."; command=$1; shift; continue ;;
    --purge) purge=yes; shift; continue ;;
    --brokers | --port | --zookeeper-port | --dir | --bin | --set)
      [ $# -ge 2 ] || fail "$1 takes a value." "tools/cluster.sh --help tells which." ;;
    *) fail "There is no option or command $1." "tools/cluster.sh --help lists all." ;;
  esac
  case $1 in
    --brokers) brokers=$2 ;;
    --port) port=$2 ;;
    --zookeeper-port) zookeeper_port=$2 ;;
    --dir) dir=$2 ;;
    --bin) bin=$2 ;;
    --set) settings+=("$2") ;;
  esac
  shift 2
done
[ -n "$command" ] || { usage; exit 1; }
for number in ${brokers:+"$brokers"} "$port" "$zookeeper_port"; do
  [[ $number =~ ^[1-9][0-9]{0,4}$ ]] || fail "\"$number\" is not a number of brokers, or a port."
done
[ "${brokers:-3}" -le 250 ] || fail "At most 250 brokers: each has an address of 127.0.0.1 to 127.0.0.250."
[ "$purge" = no ] || [ "$command" = down ] || fail "--purge goes with down."
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# A process is ours when it runs with the configuration file beside its pid.
running() { # directory, configuration file -> its pid
  local pid
  pid=$(cat "$1/pid" 2>/dev/null) && [ -n "$pid" ] && tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$1/$2" && echo "$pid"
}
broker_ids() { # of all that were ever made here
  local each
  for each in "$dir"/broker-*/server.properties; do
    [ -e "$each" ] || continue
    each=${each%/server.properties}
    echo "${each##*-}"
  done | sort -n
}
address_of() { sed -n 's|^listeners=PLAINTEXT://||p' "$dir/broker-$1/server.properties"; }
listens() { timeout 5 bash -c '</dev/tcp/"$1"/"$2"' _ "${1%:*}" "${1##*:}" 2>/dev/null; }
all_addresses() {
  local id list=''
  for id in $(broker_ids); do list+=${list:+,}$(address_of "$id"); done
  echo "$list"
}

wait_for() { # what, seconds, directory, configuration file, log; then the condition
  local what=$1 deadline=$((SECONDS + $2)) home=$3 file=$4 log=$5
  shift 5
  until "$@"; do
    running "$home" "$file" >/dev/null || fail "$what has ended." "It says why in $log:" "$(tail -n 5 "$log")"
    [ "$SECONDS" -lt "$deadline" ] || fail "$what does not answer." "It writes to $log:" "$(tail -n 5 "$log")"
    sleep 0.1
  done
}

start_zookeeper() {
  local home=$dir/zookeeper
  if running "$home" zoo.cfg >/dev/null; then
    echo "ZooKeeper runs already, on 127.0.0.1:$(sed -n 's/^clientPort=//p' "$home/zoo.cfg")."
    return
  fi
  [ -e /usr/share/java/zookeeper.jar ] || fail "ZooKeeper is not installed." "apt-get install zookeeper"
  ! listens "127.0.0.1:$zookeeper_port" || fail "Something else listens on 127.0.0.1:$zookeeper_port." "Another port: --zookeeper-port number"
  mkdir -p "$home/data"
  cat >"$home/zoo.cfg" <<END
tickTime=2000
dataDir=$home/data
clientPort=$zookeeper_port
clientPortAddress=127.0.0.1
admin.enableServer=false
maxClientCnxns=0
autopurge.purgeInterval=1
END
  setsid nohup java -Xmx256m -cp /usr/share/java/zookeeper.jar:/usr/share/java/slf4j-nop.jar \
    org.apache.zookeeper.server.ZooKeeperServerMain "$home/zoo.cfg" >>"$home/zookeeper.log" 2>&1 </dev/null &
  echo $! >"$home/pid"
  wait_for ZooKeeper 30 "$home" zoo.cfg "$home/zookeeper.log" listens "127.0.0.1:$zookeeper_port"
  echo "ZooKeeper runs on 127.0.0.1:$zookeeper_port."
}

# The configuration is written once and then yours to change.
configure() { # id
  local home=$dir/broker-$1 setting
  mkdir -p "$home"
  [ -e "$home/server.properties" ] || cat >"$home/server.properties" <<END
broker.id=$1
listeners=PLAINTEXT://127.0.0.$1:$port
advertised.listeners=PLAINTEXT://127.0.0.$1:$port
log.dirs=$home/data
zookeeper.connect=127.0.0.1:$(sed -n 's/^clientPort=//p' "$dir/zookeeper/zoo.cfg")
num.partitions=3
default.replication.factor=$copies
min.insync.replicas=$(((copies + 1) / 2))
offsets.topic.replication.factor=$copies
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$(((copies + 1) / 2))
group.initial.rebalance.delay.ms=0
END
  for setting in ${settings[@]+"${settings[@]}"}; do
    sed -i "/^${setting%%=*}=/d" "$home/server.properties"
    echo "$setting" >>"$home/server.properties"
  done
}

start_broker() { # id
  local home=$dir/broker-$1 address
  address=$(address_of "$1")
  ! listens "$address" || fail "Something else listens on $address." "Another port: --port number, with a --dir of its own"
  LOG_DIR=$home setsid nohup "$bin/kafka-server-start.sh" "$home/server.properties" >>"$home/broker.log" 2>&1 </dev/null &
  echo $! >"$home/pid"
}

up() {
  local id missing=() known
  [ -x "$bin/kafka-server-start.sh" ] && [ -x "$bin/../libexec/weir-broker" ] ||
    fail "Weir's commands are not in $bin." "tools/start.sh builds them; or say where they are: --bin directory"
  # Without a number: as many as there are, or three.
  known=$(broker_ids | tail -n 1)
  brokers=${brokers:-${known:-3}}
  copies=$((brokers < 3 ? brokers : 3))
  start_zookeeper
  for ((id = 1; id <= brokers; id++)); do
    if running "$dir/broker-$id" server.properties >/dev/null; then
      echo "Broker $id runs already, on $(address_of "$id")."
    else
      configure "$id"
      start_broker "$id"
      missing+=("$id")
    fi
  done
  for id in ${missing[@]+"${missing[@]}"}; do
    wait_for "Broker $id" 90 "$dir/broker-$id" server.properties "$dir/broker-$id/broker.log" listens "$(address_of "$id")"
    echo "Broker $id runs on $(address_of "$id")."
  done
  local all
  all=$(all_addresses)
  cat <<END

The cluster is up. Clients begin with any of its addresses:  $all
For example:
  $bin/kafka-topics.sh --bootstrap-server ${all%%,*} --create --topic log --partitions 3 --replication-factor $copies
  $bin/kafka-topics.sh --bootstrap-server ${all%%,*} --describe --topic log
  kill -9 \$(cat $dir/broker-1/pid)      # a broker dies; the others take over, and "up" brings it back
Configuration: $dir/broker-*/server.properties    logs: $dir/broker-*/broker.log    to stop: tools/cluster.sh down
END
}

stop() { # what, directory, configuration file
  local pid
  pid=$(running "$2" "$3") || { echo "$1 does not run."; return 0; }
  kill "$pid"
  for ((tries = 0; tries < 300; tries++)); do
    if ! running "$2" "$3" >/dev/null; then
      rm -f "$2/pid"
      echo "$1 has stopped."
      return
    fi
    sleep 0.1
  done
  kill -9 "$pid"
  rm -f "$2/pid"
  echo "$1 did not stop within 30 seconds and was killed."
}

down() {
  local id
  for id in $(broker_ids | sort -rn); do stop "Broker $id" "$dir/broker-$id" server.properties; done
  stop ZooKeeper "$dir/zookeeper" zoo.cfg
  if [ "$purge" = yes ]; then
    rm -rf "$dir"/broker-*/ "$dir/zookeeper"
    rmdir "$dir" 2>/dev/null || true
    echo "Its data are gone."
  fi
}

status() {
  local id pid up=0 any='' troubled
  if pid=$(running "$dir/zookeeper" zoo.cfg); then
    echo "ZooKeeper  127.0.0.1:$(sed -n 's/^clientPort=//p' "$dir/zookeeper/zoo.cfg")  runs, pid $pid"
  else
    echo "ZooKeeper  does not run"
  fi
  for id in $(broker_ids); do
    if pid=$(running "$dir/broker-$id" server.properties); then
      echo "Broker $id   $(address_of "$id")  runs, pid $pid"
      up=$((up + 1)) any=${any:-$(address_of "$id")}
    else
      echo "Broker $id   $(address_of "$id")  does not run; its log: $dir/broker-$id/broker.log"
    fi
  done
  [ -n "$any" ] || { echo "No broker runs. Start a cluster with: tools/cluster.sh up"; exit 3; }
  troubled=$("$bin/kafka-topics.sh" --bootstrap-server "$any" --describe --under-replicated-partitions) || exit 1
  if [ -n "$troubled" ]; then
    printf 'Partitions with replicas out of sync:\n%s\n' "$troubled"
  else
    echo "All partitions have all their replicas in sync."
  fi
}

"$command"
