#!/usr/bin/env bash
# Fuzzes each target for the time given, one after the other: scripts/fuzz.sh 10m [NAME…]
set -eu
cd "$(dirname "$0")/.."
time=${1:-3s}
shift || true

grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort | while IFS=: read -r file func; do
  name=${func#func }
  [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
  echo "fuzz: $name in $(dirname "$file") for $time"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$(dirname "$file")" </dev/null
done
