#!/bin/sh
# Writes records.golden anew with Apache kafka-clients (the version is in pom.xml). Needs Maven and a JDK.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mvn -q -B dependency:copy-dependencies -DoutputDirectory="$work/libs"
javac -cp "$work/libs/*" -d "$work" GoldenRecords.java
java -cp "$work:$work/libs/*" GoldenRecords > records.golden 2> "$work/log" || { cat "$work/log"; exit 1; }
