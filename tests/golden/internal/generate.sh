#!/bin/bash
# Writes internal.golden anew with the classes of Apache Kafka 3.9.1 (needs maven and a JDK 17). Run it from anywhere.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
"$here/../../e2e/prepare.sh" kafka-3.9.1
kafka=${WEIR_COUNTERPARTS:-$(cd "$here/../../.." && pwd)/build/counterparts}/kafka-3.9.1
javac -d "$kafka/golden-internal" -cp "$kafka/libs/*" "$here/../wire/GoldenMessages.java" "$here/GoldenInternal.java"
java -cp "$kafka/golden-internal:$kafka/libs/*" GoldenInternal "$here"
wc -l "$here"/*.golden
