#!/bin/bash
# Brings what the end-to-end tests run against and what is not a Debian package, into build/counterparts/ (never committed):
#   kafka-2.7.1, kafka-3.9.1   Apache Kafka's broker and tools, by Maven
#   java-<version>             our Java test client, compiled against that kafka-clients
#   kafkajs, sarama, franz-go  by npm and as Go modules
#   connect-3.9.1              Kafka Connect with its file connectors, by Maven
#   streams-3.9.1              our word count, compiled against that Kafka Streams
#   filebeat                   Filebeat 7.17.29, built from its Go module: some minutes, 100 MB
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

go_client() {
  rm -rf "${out:?}/$1"
  mkdir -p "$out/$1"
  (cd "$here/clients/$1" && GOFLAGS=-mod=readonly go build -o "$out/$1/client" .)
}

connect() {
  maven_libs "$out/connect-$1" org.apache.kafka:connect-runtime:"$1" org.apache.kafka:connect-file:"$1" org.slf4j:slf4j-reload4j:1.7.36
}

streams() {
  local dir=$out/streams-$1
  maven_libs "$dir" org.apache.kafka:kafka-streams:"$1" org.slf4j:slf4j-reload4j:1.7.36
  javac -Xlint:-options -d "$dir/classes" -cp "$dir/libs/*" "$here"/clients/streams/*.java
}

# The module is built where it lies, as its own main module: its `replace` directives and checksums count only there.
filebeat() {
  local module toolchain go=go
  rm -rf "$out/filebeat"
  mkdir -p "$out/filebeat"
  module=$(go_module "github.com/elastic/beats/v7@v$1")
  # From 1.21 on, go brings the release that a module asks for itself.
  if [ "$(printf '%s\n' 1.21 "$(go env GOVERSION | sed 's/^go//')" | sort -V | head -1)" != 1.21 ]; then
    toolchain=$(go_module "golang.org/toolchain@v0.0.1-go1.23.10.$(go env GOOS)-$(go env GOARCH)")
    cp -r "$toolchain" "$out/filebeat/go"
    chmod -R u+wX,+x "$out/filebeat/go/bin" "$out/filebeat/go/pkg/tool"
    go=$out/filebeat/go/bin/go
  fi
  (cd "$module" && unset GOROOT && GOFLAGS="-mod=readonly -buildvcs=false -p=1" "$go" build -trimpath -o "$out/filebeat/filebeat" ./filebeat)
}

go_module() { # module@version -> its directory
  (cd "$out" && go mod download -json "$1") | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
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

[ $# -gt 0 ] || set -- kafka-2.7.1 kafka-3.9.1 java-2.7.1 java-3.9.1 java-4.0.0 kafkajs sarama franz-go connect-3.9.1 streams-3.9.1 filebeat
for part in "$@"; do
  case $part in
    kafka-2.7.1 | kafka-3.9.1) bring "$part" "" kafka "${part#kafka-}" ;;
    java-2.7.1 | java-3.9.1 | java-4.0.0) bring "$part" "clients/java/*.java" java_client "${part#java-}" ;;
    kafkajs) bring kafkajs clients/kafkajs/package.json kafkajs ;;
    connect-3.9.1) bring "$part" "" connect "${part#connect-}" ;;
    streams-3.9.1) bring "$part" "clients/streams/*.java" streams "${part#streams-}" ;;
    filebeat) bring filebeat "" filebeat 7.17.29 ;;
    sarama | franz-go) bring "$part" "clients/$part/*.go clients/$part/go.mod clients/$part/go.sum" go_client "$part" ;;
    *) echo "unknown part $part" >&2; exit 2 ;;
  esac
done
