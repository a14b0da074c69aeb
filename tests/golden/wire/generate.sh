#!/bin/bash
# Writes messages.golden and headers.golden anew with Apache Kafka's own Java client 3.9.1 (needs maven and a JDK 17).
# Run it from anywhere; the libraries land under build/counterparts/ and are not committed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
libs=$(cd "$here/../../.." && pwd)/build/counterparts/golden-wire
[ -e "$libs/done" ] || {
  mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs"
  touch "$libs/done"
}
java -cp "$libs/*" "$here/GoldenMessages.java" "$here"
wc -l "$here"/*.golden
