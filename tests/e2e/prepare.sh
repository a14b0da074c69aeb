#!/bin/bash
# Brings what the end-to-end tests run against and what is not a Debian package, into build/counterparts/ (never committed):
#   kafka-2.7.1, kafka-3.9.1   Apache Kafka's broker and tools, by Maven
#   java-<version>             our Java test client, compiled against that kafka-clients
#   kafkajs, sarama            by npm and as a Go module
# Usage: prepare.sh [part ...]      Parts already there are not brought again. WEIR_COUNTERPARTS moves the directory.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${WEIR_COUNTERPARTS:-$(cd "$here/../.." && pwd)/build/counterparts}
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9   # several test runs may ask at once

maven_libs() { # directory, then group:artifact:version ...
  local dir=$1 gav
  shift
  rm -rf "$dir"
  mkdir -p "$dir"
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>weir.tests</groupId><artifactId>counterpart</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    for gav in "$@"; do
      IFS=: read -r group artifact version <<<"$gav"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$dir/pom.xml"
  mvn -q -B -f "$dir/pom.xml" dependency:copy-dependencies -DoutputDirectory="$dir/libs"
  rm -f "$dir"/libs/slf4j-log4j12-*.jar "$dir"/libs/log4j-1*.jar
}

kafka() {
  maven_libs "$out/kafka-$1" org.apache.kafka:kafka_2.13:"$1" org.apache.kafka:kafka-tools:"$1" org.slf4j:slf4j-reload4j:1.7.36
}

java_client() {
  local dir=$out/java-$1
  maven_libs "$dir" org.apache.kafka:kafka-clients:"$1" org.slf4j:slf4j-nop:1.7.36
  javac -Xlint:-options -d "$dir/classes" -cp "$dir/libs/*" "$here"/clients/java/*.java
}

kafkajs() {
  rm -rf "$out/kafkajs"
  mkdir -p "$out/kafkajs"
  cp "$here"/clients/kafkajs/package*.json "$out/kafkajs/"
  (cd "$out/kafkajs" && npm install --silent --no-audit --no-fund)
}

sarama() {
  rm -rf "$out/sarama"
  mkdir -p "$out/sarama"
  (cd "$here/clients/sarama" && GOFLAGS=-mod=readonly go build -o "$out/sarama/client" .)
}

# A part is done when its stamp holds the checksum of what it was made from.
bring() { # name, sources, command ...
  local name=$1 sources=$2 sum
  shift 2
  # shellcheck disable=SC2086
  sum=$( (cd "$here" && cat /dev/null $sources; declare -f maven_libs "$1"; echo "$@") | sha256sum | cut -d' ' -f1)
  [ "$(cat "$out/$name.stamp" 2>/dev/null)" = "$sum" ] && return
  echo "bringing $name"
  "$@"
  echo "$sum" >"$out/$name.stamp"
}

[ $# -gt 0 ] || set -- kafka-2.7.1 kafka-3.9.1 java-2.7.1 java-3.9.1 java-4.0.0 kafkajs sarama
for part in "$@"; do
  case $part in
    kafka-2.7.1 | kafka-3.9.1) bring "$part" "" kafka "${part#kafka-}" ;;
    java-2.7.1 | java-3.9.1 | java-4.0.0) bring "$part" "clients/java/*.java" java_client "${part#java-}" ;;
    kafkajs) bring kafkajs clients/kafkajs/package.json kafkajs ;;
    sarama) bring sarama "clients/sarama/main.go clients/sarama/go.mod clients/sarama/go.sum" sarama ;;
    *) echo "unknown part $part" >&2; exit 2 ;;
  esac
done
