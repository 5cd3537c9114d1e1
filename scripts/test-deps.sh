#!/usr/bin/env bash
# Brings what the tests use beyond Go, where this user may: Node with npm packages, Chromium, PostgreSQL, PgBouncer, a MongoDB
# server, nginx, Caddy, Python with PyJWT, a C compiler for -race.
# What cannot be had is said here by name; the tests that need it skip by name, and fail when CI=true.
set -u
cd "$(dirname "$0")/.."

absent=()
command -v node >/dev/null && command -v npm >/dev/null || absent+=(nodejs npm)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || absent+=(chromium)
command -v gcc >/dev/null || absent+=(gcc libc6-dev)
postgres() { command -v postgres || ls /usr/lib/postgresql/*/bin/postgres; } >/dev/null 2>&1
server() { command -v "$1" || ls "/usr/sbin/$1"; } >/dev/null 2>&1
servers=(pgbouncer nginx caddy)
pyjwt() { python3 -I -c 'import jwt, cryptography' || /usr/bin/python3 -I -c 'import jwt, cryptography'; } >/dev/null 2>&1
postgres || absent+=(postgresql)
pyjwt || absent+=(python3 python3-jwt python3-cryptography)
for name in "${servers[@]}"; do
  server "$name" || absent+=("$name")
done

if [ ${#absent[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "test-deps: installing ${absent[*]}"
  # Debian starts the servers that it installs. The tests start their own.
  policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] || { trap 'rm -f "$policy"' EXIT && printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; }
  apt-get update -qq >/dev/null 2>&1
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${absent[@]}" >/dev/null 2>&1
fi
for tool in node npm chromium gcc; do
  command -v "$tool" >/dev/null || echo "test-deps: MISSING $tool; tests that need it will skip"
done
pyjwt || echo "test-deps: MISSING python3-jwt; tests that need it will skip"
postgres || echo "test-deps: MISSING postgresql; tests that need it will skip"
for name in "${servers[@]}"; do
  server "$name" || echo "test-deps: MISSING $name; tests that need it will skip"
done

for packages in internal/testkit/node clients/js; do
  command -v npm >/dev/null && ! cmp -s "$packages/package-lock.json" "$packages/node_modules/.installed" || continue
  echo "test-deps: npm ci in $packages"
  if npm ci --prefix "$packages" --no-audit --no-fund --ignore-scripts --loglevel=error; then
    cp "$packages/package-lock.json" "$packages/node_modules/.installed"
  else
    echo "test-deps: MISSING npm packages of $packages; tests that need them will skip"
  fi
done

# The MongoDB server that the tests start where there is no mongod: a module of its own, whose first build takes minutes.
if [ -z "${COUNTERSIGN_TEST_MONGODB:-}" ] && ! command -v mongod >/dev/null; then
  (cd bench/mongowire && CGO_ENABLED=0 go build -o /dev/null .) ||
    echo "test-deps: MISSING the MongoDB server of bench/mongowire; tests that need it will skip"
fi
exit 0
