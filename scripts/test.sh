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
# Of package torture what takes under a minute; make torture runs all of it. It runs alone, for it starves what runs beside it,
# and without the race detector, whose pace its clients do not wait for.
go test $race "$@" $(go list ./... | grep -v /internal/torture$)
go test -run 'TestKill/(SQLite|PostgreSQL)|TestDiskFull|TestReadOnlyDisk|TestClocksApart|TestStop' "$@" ./internal/torture
# Of these two the race detector's pace has time for a part only: a thousand rounds of fifty refreshes, and a sweep of a
# hundred thousand dead rows.
go test -run '^TestOneSuccessorFromTwoProcesses$/^SQLite$' "$@" ./cmd/countersign
go test -run '^TestSweepUnderLoad$' "$@" ./internal/store/sqlstore
cd bench && go test "$@" ./...
cd ..
# Of the examples most runs as programs, where the race detector would see nothing. The server that they are tried against is
# no input that go test knows of: its cache would not see a change.
for module in examples/*/go.mod; do
  (cd "$(dirname "$module")" && CGO_ENABLED=0 go test -count=1 "$@" ./...)
done

# The hashing code has other forms: without assembly and linkname, and for other machines, where the linker must find
# that what runs outside of Go's scheduler fits on the stack as it is.
go test -tags purego "$@" ./password/...
for arch in arm64 riscv64; do
  CGO_ENABLED=0 GOARCH=$arch go test -c -o /dev/null ./password/internal/eks
done
for os in darwin windows; do
  CGO_ENABLED=0 GOOS=$os go vet ./password/...
done
