#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/../libexec/weir-replica-verification" "$@"
