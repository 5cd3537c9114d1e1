#!/usr/bin/env bash
# Runs the tests of every module, with the race detector where a C compiler is there to build it.
set -eu
cd "$(dirname "$0")/.."

race=-race
if ! command -v gcc >/dev/null && ! command -v clang >/dev/null; then
  [ "${CI:-}" != true ] || { echo 'test: no C compiler, and so no race detector'; exit 1; }
  echo 'test: SKIPPED the race detector: no C compiler'
  race=
fi
[ -z "$race" ] || export CGO_ENABLED=1
go test $race "$@" ./...
cd bench && go test "$@" ./...
