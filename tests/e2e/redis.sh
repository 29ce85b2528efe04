#!/bin/sh
# Sees to Redis for its test. Debian's packages are unpacked beside the build, not installed: installed they would start
# a service. Without it the test is skipped and says so, so nothing here fails the others.
set -eu

directory=build/redis
program=usr/bin/redis-server
packages="redis-server redis-tools libjemalloc2 liblua5.1-0 liblzf1"

if command -v redis-server >/dev/null || [ -x "$directory/$program" ]; then exit 0; fi

fetch() {
	mkdir -p "$directory"
	(cd "$directory" && apt-get download -q $packages && for package in *.deb; do dpkg-deb -x "$package" .; done &&
		rm -f ./*.deb)
}

if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
	if fetch 2>/dev/null; then exit 0; fi
	if [ "$(id -u)" = 0 ] && apt-get update -q && fetch; then exit 0; fi
fi
echo "redis-server can't be had from apt: tests/e2e/test_redis.py will be skipped" >&2
